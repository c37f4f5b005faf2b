// The contents of a file as one span.
#ifndef HALFSTEP_RUNTIME_TRAINER_DATA_FILEBYTES_H
#define HALFSTEP_RUNTIME_TRAINER_DATA_FILEBYTES_H

#include "runtime/trainer/data/FileDescriptor.h"

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace halfstep {

/// Opens a file to read, and tells its size in bytes. Throws Diagnostic Io: no such file, a folder, a device.
int openRegularFile(const std::string &path, size_t &size);

/// Small files are copied, so that nothing that happens to them later matters; big ones are mapped.
class FileBytes {
public:
  /// Throws Diagnostic Io: no such file, a folder, not readable.
  static std::shared_ptr<const FileBytes> open(const std::string &path);

  FileBytes(const FileBytes &) = delete;
  ~FileBytes();

  std::span<const std::byte> bytes() const { return contents; }

private:
  FileBytes() = default;

  std::vector<std::byte> copy;
  void *mapped = nullptr;
  std::span<const std::byte> contents;
};

} // namespace halfstep

#endif // HALFSTEP_RUNTIME_TRAINER_DATA_FILEBYTES_H
