// See OutputFolder.h.
#include "codegen/library/OutputFolder.h"

#include "import/Diagnostic.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace fs = std::filesystem;

namespace halfstep {

[[noreturn]] static void fail(const fs::path &path, const std::string &reason) {
  throw Diagnostic(ExitCode::Io, path.string() + ": " + reason);
}

[[noreturn]] static void failWithErrno(const fs::path &path) { fail(path, std::strerror(errno)); }

/// Without a final slash, so that its last part is its name.
static fs::path normalized(const std::string &path) {
  if (path.empty())
    fail("output folder", "the name is empty");
  fs::path normal = fs::path(path).lexically_normal();
  return normal.has_filename() ? normal : normal.parent_path();
}

static fs::path parentOf(const fs::path &path) {
  fs::path parent = path.parent_path();
  return parent.empty() ? fs::path(".") : parent;
}

static bool isThere(const fs::path &path) {
  std::error_code error;
  return fs::exists(fs::symlink_status(path, error));
}

void OutputFolder::requireUsable(const std::string &path) {
  fs::path at = normalized(path);
  std::error_code error;
  while (!isThere(at) && parentOf(at) != at)
    at = parentOf(at);
  if (!fs::is_directory(at, error))
    fail(at, "is not a folder, expected one to write '" + path + "'");
  if (::access(at.c_str(), W_OK | X_OK) != 0)
    failWithErrno(at);
}

OutputFolder::OutputFolder(const std::string &path) : folder(normalized(path)) {
  try {
    makeParents();
    makeStaging();
  } catch (...) {
    for (auto each = made.rbegin(); each != made.rend(); ++each)
      ::rmdir(each->c_str());
    throw;
  }
}

OutputFolder::~OutputFolder() {
  std::error_code error;
  fs::remove_all(staging, error);
  if (!committed)
    for (auto each = made.rbegin(); each != made.rend(); ++each)
      ::rmdir(each->c_str()); // only if it is empty
}

void OutputFolder::makeParents() {
  std::vector<fs::path> missing;
  for (fs::path at = parentOf(folder); !isThere(at) && parentOf(at) != at; at = parentOf(at))
    missing.push_back(at);
  for (auto each = missing.rbegin(); each != missing.rend(); ++each) {
    if (::mkdir(each->c_str(), 0777) == 0)
      made.push_back(*each);
    else if (errno != EEXIST)
      failWithErrno(*each);
  }
}

/// Beside the folder if that is to be made, so that it appears by one rename; else within it.
void OutputFolder::makeStaging() {
  std::error_code error;
  bool there = isThere(folder);
  if (there && !fs::is_directory(folder, error))
    fail(folder, "is not a folder");
  std::string process = std::to_string(::getpid());
  for (int i = 0; i < 100; ++i) {
    std::string suffix = ".tmp-" + process + "-" + std::to_string(i);
    staging = there ? folder / suffix : fs::path(folder.string() + suffix);
    if (::mkdir(staging.c_str(), 0777) == 0)
      return;
    if (errno != EEXIST)
      break;
  }
  int reason = errno;
  staging.clear();
  fail(folder, std::strerror(reason));
}

std::string OutputFolder::reserve(const std::string &name) {
  files.push_back(name);
  return (staging / name).string();
}

void OutputFolder::write(const std::string &name, const std::string &contents) {
  reserve(name);
  writeFile(name, contents);
}

void OutputFolder::writeFile(const std::string &name, const std::string &contents) const {
  const fs::path path = staging / name;
  int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (file < 0)
    failWithErrno(folder / name);
  const char *data = contents.data();
  size_t left = contents.size();
  while (left) {
    ssize_t written = ::write(file, data, left);
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0) {
      int reason = written ? errno : ENOSPC;
      ::close(file);
      errno = reason;
      failWithErrno(folder / name);
    }
    data += written;
    left -= size_t(written);
  }
  if (::close(file) != 0)
    failWithErrno(folder / name);
}

void OutputFolder::renameInto() {
  std::error_code error;
  for (const std::string &name : files)
    if (fs::is_directory(fs::symlink_status(folder / name, error)))
      fail(folder / name, "is a folder, expected a file to replace");
  for (const std::string &name : files)
    if (::rename((staging / name).c_str(), (folder / name).c_str()) != 0)
      failWithErrno(folder / name);
}

void OutputFolder::commit() {
  // Anything else in the temporary folder is not a result.
  std::error_code error;
  for (const fs::directory_entry &entry : fs::directory_iterator(staging, error))
    if (std::find(files.begin(), files.end(), entry.path().filename()) == files.end())
      fs::remove_all(entry.path(), error);
  bool within = staging.parent_path() == folder;
  // Another process may have made the folder in the meantime.
  if (within || ::rename(staging.c_str(), folder.c_str()) != 0)
    renameInto();
  committed = true;
}

} // namespace halfstep
