// Reads the project's JSON model format (docs/model-format.md) into the neutral graph.
#ifndef HALFSTEP_IMPORT_JSONREADER_H
#define HALFSTEP_IMPORT_JSONREADER_H

#include "import/Graph.h"

namespace halfstep {

/// `text` is the file's content, `file` its name for messages and locations. An input whose leading extent is
/// a number other than `batch` is rebound. Throws Diagnostic.
Graph readJsonModel(const std::string &text, const std::string &file, int64_t batch);

} // namespace halfstep

#endif // HALFSTEP_IMPORT_JSONREADER_H
