// See FileBytes.h.
#include "runtime/trainer/data/FileBytes.h"

#include "halfstep/diagnostic.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

namespace halfstep {
namespace {

constexpr size_t mapFrom = size_t(256) << 20; ///< bytes

[[noreturn]] void fail(const std::string &path, const char *reason) {
  throw Diagnostic(ExitCode::Io, path + ": " + reason);
}

void readAll(const FileDescriptor &file, const std::string &path, std::vector<std::byte> &out) {
  for (size_t done = 0; done < out.size();) {
    ssize_t got = ::read(file.get(), out.data() + done, out.size() - done);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      fail(path, std::strerror(errno));
    if (got == 0)
      fail(path, "the file became shorter while it was read");
    done += size_t(got);
  }
}

} // namespace

int openRegularFile(const std::string &path, size_t &size) {
  // O_NONBLOCK: a named pipe without a writer must not block before fstat refuses it.
  int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  FileDescriptor owner(file);
  struct stat status;
  if (file < 0 || fstat(file, &status) != 0)
    fail(path, errno == ENOENT ? "no such file" : std::strerror(errno));
  if (!S_ISREG(status.st_mode))
    fail(path, S_ISDIR(status.st_mode) ? "is a folder, expected a file" : "is not a regular file");
  size = size_t(status.st_size);
  return owner.release();
}

std::shared_ptr<const FileBytes> FileBytes::open(const std::string &path) {
  size_t size = 0;
  FileDescriptor file(openRegularFile(path, size));
  std::shared_ptr<FileBytes> bytes(new FileBytes);
  if (size < mapFrom) {
    bytes->copy.resize(size);
    readAll(file, path, bytes->copy);
    bytes->contents = bytes->copy;
    return bytes;
  }
  void *mapped = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (mapped == MAP_FAILED)
    fail(path, std::strerror(errno));
  bytes->mapped = mapped;
  bytes->contents = {static_cast<const std::byte *>(mapped), size};
  return bytes;
}

FileBytes::~FileBytes() {
  if (mapped)
    munmap(mapped, contents.size());
}

} // namespace halfstep
