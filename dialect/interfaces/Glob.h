// Patterns of names, as recipes have them.
#ifndef HALFSTEP_DIALECT_INTERFACES_GLOB_H
#define HALFSTEP_DIALECT_INTERFACES_GLOB_H

#include "llvm/ADT/StringRef.h"

namespace halfstep {

/// True when `pattern` matches all of `name`: `*` stands for any characters, `?` for one.
bool matchesGlob(llvm::StringRef pattern, llvm::StringRef name);

} // namespace halfstep

#endif // HALFSTEP_DIALECT_INTERFACES_GLOB_H
