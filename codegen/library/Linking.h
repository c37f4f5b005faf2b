// From one object to the two forms in which a library is shipped.
#ifndef HALFSTEP_CODEGEN_LIBRARY_LINKING_H
#define HALFSTEP_CODEGEN_LIBRARY_LINKING_H

#include "codegen/library/OutputFolder.h"

#include <string>

namespace halfstep {

/// Makes libNAME.a in `folder`, with the file `object` as its only member; no dates, owners or paths in it.
void writeArchive(OutputFolder &folder, const std::string &name, const std::string &object);

/// Runs the system's linker to make libNAME.so in `folder` of the file `object`. Nothing but libc, libm and
/// the loader may be left undefined. Throws Io without a linker or when the file cannot be written.
void linkShared(OutputFolder &folder, const std::string &name, const std::string &object);

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_LIBRARY_LINKING_H
