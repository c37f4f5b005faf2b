// What the tool writes to stderr, so that every verb's lines look the same.
#ifndef HALFSTEP_TOOLS_HALFSTEP_REPORT_H
#define HALFSTEP_TOOLS_HALFSTEP_REPORT_H

#include <string>

namespace halfstep {

/// `text` on one line: control bytes, which names from models may hold, become \n or \xHH.
std::string oneLine(const std::string &text);

/// "halfstep: error: ...". The tool prints at most one.
void printError(const std::string &message);
/// "halfstep: note: ...".
void printNote(const std::string &message);
/// "halfstep: ...", for what takes time.
void printProgress(const std::string &message);

} // namespace halfstep

#endif // HALFSTEP_TOOLS_HALFSTEP_REPORT_H
