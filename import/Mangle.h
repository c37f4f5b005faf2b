// Names of models as identifiers.
#ifndef HALFSTEP_IMPORT_MANGLE_H
#define HALFSTEP_IMPORT_MANGLE_H

#include <string>

namespace halfstep {

/// An identifier made from `name`, for C, CMake and linker arguments: injective, [A-Za-z][A-Za-z0-9_]*.
std::string mangleIdentifier(const std::string &name);

} // namespace halfstep

#endif // HALFSTEP_IMPORT_MANGLE_H
