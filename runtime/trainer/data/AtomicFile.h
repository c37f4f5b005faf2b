// A file that appears under its name only when it is complete and on disk.
#ifndef HALFSTEP_RUNTIME_TRAINER_DATA_ATOMICFILE_H
#define HALFSTEP_RUNTIME_TRAINER_DATA_ATOMICFILE_H

#include "runtime/trainer/data/FileDescriptor.h"

#include <cstddef>
#include <string>

namespace halfstep {

/// Written beside `path` under a temporary name. Every failure is a Diagnostic Io, and the temporary file is
/// removed. A path that exists and is no regular file (a device, a pipe) is written to directly.
class AtomicFile {
public:
  explicit AtomicFile(const std::string &path);
  ~AtomicFile();

  void write(const void *data, size_t bytes);

  /// fsync, rename, fsync of the folder. Without it nothing is left behind.
  void commit();

private:
  [[noreturn]] void fail(int error) const;

  std::string path;      ///< as given, for messages
  std::string target;    ///< symbolic links resolved
  std::string temporary; ///< empty when writing directly, and after commit
  FileDescriptor file;
};

} // namespace halfstep

#endif // HALFSTEP_RUNTIME_TRAINER_DATA_ATOMICFILE_H
