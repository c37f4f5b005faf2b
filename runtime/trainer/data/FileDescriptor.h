// Owner of a POSIX file descriptor.
#ifndef HALFSTEP_RUNTIME_TRAINER_DATA_FILEDESCRIPTOR_H
#define HALFSTEP_RUNTIME_TRAINER_DATA_FILEDESCRIPTOR_H

#include <unistd.h>

#include <utility>

namespace halfstep {

/// Closes its descriptor; -1 is none.
class FileDescriptor {
public:
  explicit FileDescriptor(int file = -1) : file(file) {}
  FileDescriptor(const FileDescriptor &) = delete;
  FileDescriptor &operator=(const FileDescriptor &) = delete;
  ~FileDescriptor() { close(); }

  int get() const { return file; }

  /// Gives the descriptor up.
  int release() { return std::exchange(file, -1); }

  /// What ::close returns; a second call returns 0.
  int close() {
    int old = std::exchange(file, -1);
    return old < 0 ? 0 : ::close(old);
  }

private:
  int file;
};

} // namespace halfstep

#endif // HALFSTEP_RUNTIME_TRAINER_DATA_FILEDESCRIPTOR_H
