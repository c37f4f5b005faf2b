// A model given on the command line and how it is to be compiled: shared by all verbs that compile.
#ifndef HALFSTEP_TOOLS_HALFSTEP_MODELOPTIONS_H
#define HALFSTEP_TOOLS_HALFSTEP_MODELOPTIONS_H

#include "codegen/library/Compile.h"
#include "tools/halfstep/RecipeOptions.h"

#include <string>

namespace halfstep {

/// True when `path` is a compiled library: a folder, a file whose name ends in .so, or one that holds ELF.
bool isLibrary(const std::string &path);

/// Io unless `path` is a file that can be opened.
void requireFile(const std::string &path);

/// The identifier of a library: `name`, or without one the stem of `model`, mangled.
std::string libraryName(const std::string &name, const std::string &model);

/// A request with notes and progress on stderr; the output folder is left to the caller.
CompileRequest compileRequest(const std::string &model, const std::string &name, const Recipe &recipe);

/// The names that --after and --emit take.
std::vector<std::string> emittableStages();

/// Usage unless `stage` is one of emittableStages(); `flag` is for the message.
void requireStage(const std::string &stage, const char *flag);

/// Throws Unsupported for a flag whose feature is not there.
[[noreturn]] void notAvailable(const std::string &flag);

} // namespace halfstep

#endif // HALFSTEP_TOOLS_HALFSTEP_MODELOPTIONS_H
