// Lines on stderr. See Report.h.
#include "tools/halfstep/Report.h"

#include <algorithm>
#include <cstdio>

namespace halfstep {

void printError(const std::string &message) {
  std::fprintf(stderr, "halfstep: error: %s\n", oneLine(message).c_str());
}
void printNote(const std::string &message) {
  std::fprintf(stderr, "halfstep: note: %s\n", oneLine(message).c_str());
}
void printNoteLines(const std::string &lines) {
  std::string text;
  for (size_t begin = 0, end; begin <= lines.size(); begin = end + 1) {
    end = std::min(lines.find('\n', begin), lines.size());
    text += (begin ? "\n" : "") + oneLine(lines.substr(begin, end - begin));
  }
  std::fprintf(stderr, "halfstep: note: %s\n", text.c_str());
}
void printProgress(const std::string &message) {
  std::fprintf(stderr, "halfstep: %s\n", oneLine(message).c_str());
}

} // namespace halfstep
