// A shared library's file, looked at before it is loaded.
#ifndef HALFSTEP_RUNTIME_TRAINER_ELFFILE_H
#define HALFSTEP_RUNTIME_TRAINER_ELFFILE_H

#include <string>

namespace halfstep {

/// Throws Diagnostic BadInput unless `path` is a shared library for this machine, all of it: the loader maps
/// a file that was cut without a word, and the process ends when it touches what is not there. Io when it
/// cannot be read.
void requireWholeLibrary(const std::string &path);

} // namespace halfstep

#endif // HALFSTEP_RUNTIME_TRAINER_ELFFILE_H
