// The text files of a generated library. Each is a function of the description alone.
#ifndef HALFSTEP_CODEGEN_LIBRARY_TEXTS_H
#define HALFSTEP_CODEGEN_LIBRARY_TEXTS_H

#include "codegen/library/Description.h"

#include <string>

namespace halfstep {

std::string headerText(const LibraryDescription &library);      ///< NAME.h: C99 and C++
std::string manifestText(const LibraryDescription &library);    ///< NAME.manifest.json
std::string cmakeConfigText(const LibraryDescription &library); ///< NAMEConfig.cmake
std::string pkgConfigText(const LibraryDescription &library);   ///< NAME.pc
std::string exampleText(const LibraryDescription &library);     ///< example.c: one training step on zeros

/// `text` with `name` for each "$ID".
std::string withName(std::string text, const std::string &name);

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_LIBRARY_TEXTS_H
