// The constant `hs_model` of a generated library, and the functions of its C interface.
#ifndef HALFSTEP_CODEGEN_LIBRARY_MODELTABLE_H
#define HALFSTEP_CODEGEN_LIBRARY_MODELTABLE_H

#include "codegen/library/Description.h"

#include "llvm/ADT/StringSet.h"
#include "llvm/IR/Module.h"

namespace halfstep {

/// Adds the model's table to `module`, which holds the step functions of all variants and levels and, if the
/// library has primitives, hs_onednn_primitive_ops. Initial values move into it.
llvm::Constant *addModelTable(llvm::Module &module, LibraryDescription &library);

/// Adds NAME_create and so on, which pass their arguments to the hs_instance functions of `module`.
/// They are the only functions of a library that others may see; returns their names. Usage when the C
/// library has such a function.
llvm::StringSet<> addInterface(llvm::Module &module, const std::string &name, llvm::Constant *model);

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_LIBRARY_MODELTABLE_H
