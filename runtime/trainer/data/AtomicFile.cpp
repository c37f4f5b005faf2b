// See AtomicFile.h.
#include "runtime/trainer/data/AtomicFile.h"

#include "halfstep/diagnostic.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>

namespace fs = std::filesystem;

namespace halfstep {
namespace {

/// Whether `path` is there and must be written in place.
bool isSpecial(const std::string &path) {
  std::error_code error;
  fs::file_status status = fs::status(path, error);
  return fs::exists(status) && !fs::is_regular_file(status) && !fs::is_directory(status);
}

std::string resolveLinks(const std::string &path) {
  std::error_code error;
  fs::path resolved = fs::weakly_canonical(path, error);
  return error ? path : resolved.string();
}

int openFile(const std::string &target, const std::string &temporary) {
  if (temporary.empty())
    return ::open(target.c_str(), O_WRONLY | O_CLOEXEC);
  return ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
}

} // namespace

AtomicFile::AtomicFile(const std::string &path)
    : path(path), target(resolveLinks(path)),
      temporary(isSpecial(path) ? "" : target + ".tmp-" + std::to_string(getpid())),
      file(openFile(target, temporary)) {
  std::error_code error;
  if (file.get() < 0) {
    int reason = errno;
    temporary.clear();
    fail(reason);
  }
  if (fs::is_directory(target, error)) {
    unlink(temporary.c_str());
    fail(EISDIR);
  }
}

AtomicFile::~AtomicFile() {
  if (!temporary.empty())
    unlink(temporary.c_str());
}

void AtomicFile::fail(int error) const {
  throw Diagnostic(ExitCode::Io, path + ": cannot write: " + std::strerror(error));
}

void AtomicFile::write(const void *data, size_t bytes) {
  constexpr size_t most = size_t(1) << 30; // Linux writes at most 2 GiB a call
  const char *at = static_cast<const char *>(data);
  while (bytes) {
    ssize_t written = ::write(file.get(), at, std::min(bytes, most));
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      fail(written < 0 ? errno : EIO);
    at += written;
    bytes -= size_t(written);
  }
}

void AtomicFile::commit() {
  if (temporary.empty()) {
    if (file.close() != 0)
      fail(errno);
    return;
  }
  if (fsync(file.get()) != 0 || file.close() != 0 || rename(temporary.c_str(), target.c_str()) != 0)
    fail(errno);
  temporary.clear();
  fs::path folder = fs::path(target).parent_path();
  FileDescriptor parent(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // Some file systems cannot sync folders (EINVAL); that is not a failed write.
  if (parent.get() < 0 || (fsync(parent.get()) != 0 && errno != EINVAL))
    fail(errno);
}

} // namespace halfstep
