// The compiler, opened at its first use.
#ifndef HALFSTEP_TOOLS_HALFSTEP_COMPILER_H
#define HALFSTEP_TOOLS_HALFSTEP_COMPILER_H

#include "codegen/library/CompilerEntry.h"

namespace halfstep {

/// Opens libhalfstep_compiler.so in ../lib beside this program, or where the loader finds it. Throws
/// Diagnostic Internal when it cannot be opened.
const CompilerEntry &compiler();

} // namespace halfstep

#endif // HALFSTEP_TOOLS_HALFSTEP_COMPILER_H
