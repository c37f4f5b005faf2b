// A folder for what is compiled and used within one run.
#ifndef HALFSTEP_TOOLS_HALFSTEP_TEMPORARYDIRECTORY_H
#define HALFSTEP_TOOLS_HALFSTEP_TEMPORARYDIRECTORY_H

#include <filesystem>

namespace halfstep {

/// A new folder under TMPDIR (or /tmp), removed with all it holds at the end of its life.
class TemporaryDirectory {
public:
  /// Throws Diagnostic (Io) when none can be made.
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory &) = delete;
  TemporaryDirectory &operator=(const TemporaryDirectory &) = delete;

  const std::filesystem::path &path() const { return folder; }

private:
  std::filesystem::path folder;
};

} // namespace halfstep

#endif // HALFSTEP_TOOLS_HALFSTEP_TEMPORARYDIRECTORY_H
