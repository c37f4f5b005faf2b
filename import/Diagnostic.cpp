// See Diagnostic.h.
#include "import/Diagnostic.h"

namespace halfstep {

std::string oneLine(const std::string &text) {
  constexpr char hex[] = "0123456789abcdef";
  std::string line;
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '\n')
      line += "\\n";
    else if (byte < 0x20 || byte == 0x7f)
      line += {'\\', 'x', hex[byte >> 4], hex[byte & 15]};
    else
      line += c;
  }
  return line;
}

} // namespace halfstep
