// Op lists: which ops a precision policy runs in which type, as data.
#ifndef HALFSTEP_PASSES_OPLISTS_H
#define HALFSTEP_PASSES_OPLISTS_H

#include "mlir/Support/LLVM.h"
#include "llvm/ADT/StringRef.h"

#include <optional>

namespace halfstep {

/// What a list says of an op.
enum class PrecisionClass {
  Lower,    ///< operands are cast to the policy's compute type
  Fp32,     ///< operands are cast to f32
  Fp32Out,  ///< the op reads its operands as they are and gives f32
  Promote,  ///< operands are cast to the widest type among them
  Banned,   ///< an error
  Untouched ///< operands are as they come
};

/// The name by which specs know a class: lower, fp32, fp32_out, promote, banned, untouched.
llvm::StringRef classNameOf(PrecisionClass precisionClass);

/// The class of that name; nothing where there is none.
std::optional<PrecisionClass> parsePrecisionClass(llvm::StringRef name);

/// The class of the ops known as `key` (PrecisionClassOpInterface) in the list `list`: cpu, cuda or apex. A
/// key that the list does not name is untouched; a list that does not exist gives nothing.
std::optional<PrecisionClass> lookupPrecisionClass(llvm::StringRef list, llvm::StringRef key);

/// True when a policy with this `keep` (batch_norm, norms, or empty for none) leaves the parameters of the
/// ops known as `key` in f32 while it converts the model around them.
bool isKept(llvm::StringRef keep, llvm::StringRef key);

} // namespace halfstep

#endif // HALFSTEP_PASSES_OPLISTS_H
