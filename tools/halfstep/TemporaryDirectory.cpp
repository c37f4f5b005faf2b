// See TemporaryDirectory.h.
#include "tools/halfstep/TemporaryDirectory.h"

#include "import/Diagnostic.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <stdlib.h>
#include <string>
#include <system_error>

namespace halfstep {

TemporaryDirectory::TemporaryDirectory() {
  const char *root = std::getenv("TMPDIR");
  std::string pattern = std::string(root && *root ? root : "/tmp") + "/halfstep-XXXXXX";
  if (!mkdtemp(pattern.data()))
    throw Diagnostic(ExitCode::Io, pattern + ": no temporary folder can be made: " + std::strerror(errno) +
                                       "; set TMPDIR to a writable folder");
  folder = pattern;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored; // nothing can be done about it here, and nobody is harmed
  std::filesystem::remove_all(folder, ignored);
}

} // namespace halfstep
