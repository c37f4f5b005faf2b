// See Glob.h.
#include "dialect/interfaces/Glob.h"

using llvm::StringRef;

namespace halfstep {

bool matchesGlob(StringRef pattern, StringRef name) {
  // After a mismatch the last star takes one character more; earlier stars need not be tried again.
  size_t p = 0, n = 0, star = StringRef::npos, taken = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      taken = n;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n])) {
      ++p;
      ++n;
    } else if (star != StringRef::npos) {
      p = star + 1;
      n = ++taken;
    } else {
      return false;
    }
  }
  return pattern.drop_front(p).find_first_not_of('*') == StringRef::npos;
}

} // namespace halfstep
