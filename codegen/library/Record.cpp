// See Record.h.
#include "codegen/library/Record.h"

using namespace llvm;

namespace halfstep {

GlobalVariable *addConstant(Module &module, const std::string &name, Constant *value, unsigned alignment) {
  auto *variable = new GlobalVariable(module, value->getType(), /*isConstant=*/true,
                                      GlobalValue::InternalLinkage, value, name);
  variable->setAlignment(Align(alignment));
  return variable;
}

Constant *addString(Module &module, const char *text) {
  if (!text)
    return nullptr;
  auto *variable = addConstant(module, "text",
                               ConstantDataArray::getString(module.getContext(), text, /*AddNull=*/true), 1);
  variable->setUnnamedAddr(GlobalValue::UnnamedAddr::Global);
  return variable;
}

static Constant *bytes(LLVMContext &context, const char *data, size_t size) {
  return ConstantDataArray::getString(context, StringRef(data, size), /*AddNull=*/false);
}

Constant *addBytes(Module &module, const std::string &name, const void *data, size_t size,
                   unsigned alignment) {
  return addConstant(module, name, bytes(module.getContext(), static_cast<const char *>(data), size),
                     alignment);
}

Constant *recordConstant(LLVMContext &context, const char *data, size_t size,
                         const std::map<size_t, Constant *> &pointers) {
  SmallVector<Constant *> parts;
  size_t at = 0;
  for (const auto &[offset, target] : pointers) {
    if (offset > at)
      parts.push_back(bytes(context, data + at, offset - at));
    parts.push_back(target);
    at = offset + sizeof(void *);
  }
  if (at < size)
    parts.push_back(bytes(context, data + at, size - at));
  return ConstantStruct::getAnon(context, parts, /*Packed=*/true);
}

} // namespace halfstep
