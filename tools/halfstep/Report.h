// What the tool writes to stderr, so that every verb's lines look the same.
#ifndef HALFSTEP_TOOLS_HALFSTEP_REPORT_H
#define HALFSTEP_TOOLS_HALFSTEP_REPORT_H

#include "import/Diagnostic.h"

#include <string>

namespace halfstep {

/// "halfstep: error: ...". The tool prints at most one.
void printError(const std::string &message);
/// "halfstep: note: ...".
void printNote(const std::string &message);
/// The same for a text of several lines.
void printNoteLines(const std::string &lines);
/// "halfstep: ...", for what takes time.
void printProgress(const std::string &message);

} // namespace halfstep

#endif // HALFSTEP_TOOLS_HALFSTEP_REPORT_H
