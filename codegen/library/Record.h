// Constants of generated libraries that are C structs: filled in as the struct itself, then written as its
// bytes with the pointers in them. So the C header is the only definition of their layout.
#ifndef HALFSTEP_CODEGEN_LIBRARY_RECORD_H
#define HALFSTEP_CODEGEN_LIBRARY_RECORD_H

#include "llvm/IR/Constants.h"
#include "llvm/IR/Module.h"

#include <cstring>
#include <map>
#include <type_traits>
#include <vector>

namespace halfstep {

/// An internal constant of `module` under `name`, aligned to `alignment`.
llvm::GlobalVariable *addConstant(llvm::Module &module, const std::string &name, llvm::Constant *value,
                                  unsigned alignment);

/// `text` with its final NUL; null when `text` is null.
llvm::Constant *addString(llvm::Module &module, const char *text);

/// `size` raw bytes.
llvm::Constant *addBytes(llvm::Module &module, const std::string &name, const void *data, size_t size,
                         unsigned alignment);

template <typename T>
llvm::Constant *addValues(llvm::Module &module, const std::string &name, const std::vector<T> &values) {
  static_assert(std::is_trivially_copyable_v<T>);
  return values.empty() ? nullptr
                        : addBytes(module, name, values.data(), values.size() * sizeof(T), alignof(T));
}

/// An array of `Struct` under construction. Pointer members of `items` stay null; point() says what they
/// hold.
template <typename Struct>
class RecordArray {
public:
  explicit RecordArray(size_t count) : items(count) {
    static_assert(std::is_trivially_copyable_v<Struct> && alignof(Struct) <= 8);
    // Padding is part of the constant: it must be the same in every run.
    std::memset(static_cast<void *>(items.data()), 0, count * sizeof(Struct));
  }

  std::vector<Struct> items;

  /// `member`, a pointer in one of `items`, will hold the address of `target`; a null target is a null
  /// pointer.
  template <typename Pointer>
  void point(Pointer &member, llvm::Constant *target) {
    static_assert(std::is_pointer_v<std::remove_const_t<Pointer>>);
    size_t offset = reinterpret_cast<const char *>(&member) - reinterpret_cast<const char *>(items.data());
    if (target)
      pointers[offset] = target;
  }

  /// The array as a constant of `module`; null when it is empty.
  llvm::Constant *write(llvm::Module &module, const std::string &name) const;

private:
  std::map<size_t, llvm::Constant *> pointers; ///< by byte offset
};

/// The bytes of `data`, `size` of them, with `pointers` in place.
llvm::Constant *recordConstant(llvm::LLVMContext &context, const char *data, size_t size,
                               const std::map<size_t, llvm::Constant *> &pointers);

template <typename Struct>
llvm::Constant *RecordArray<Struct>::write(llvm::Module &module, const std::string &name) const {
  if (items.empty())
    return nullptr;
  llvm::Constant *value = recordConstant(module.getContext(), reinterpret_cast<const char *>(items.data()),
                                         items.size() * sizeof(Struct), pointers);
  return addConstant(module, name, value, alignof(Struct));
}

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_LIBRARY_RECORD_H
