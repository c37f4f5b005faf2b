// See Npz.h. Sizes and offsets come from the central directory; local headers only say where the data begins.
#include "runtime/trainer/data/Npz.h"

#include "halfstep/diagnostic.hpp"
#include "runtime/trainer/data/FileBytes.h"
#include "runtime/trainer/data/Inflate.h"
#include "runtime/trainer/data/Npy.h"

#include <algorithm>

namespace halfstep {
namespace {

using Bytes = std::span<const std::byte>;

constexpr uint32_t localSignature = 0x04034b50, memberSignature = 0x02014b50, endSignature = 0x06054b50;
constexpr size_t localBytes = 30, memberBytes = 46, endBytes = 22; ///< without their variable parts
constexpr uint32_t zip64 = 0xffffffff;                             ///< "see elsewhere", for sizes and offsets

[[noreturn]] void refuse(const std::string &path, const std::string &what) {
  throw Diagnostic(ExitCode::BadInput, path + ": not a valid .npz file: " + what);
}

/// A little-endian number; the caller has checked the range.
uint32_t number(Bytes bytes, size_t at, int size) {
  uint32_t value = 0;
  for (int i = 0; i < size; ++i)
    value |= uint32_t(bytes[at + size_t(i)]) << (8 * i);
  return value;
}
uint32_t u16(Bytes bytes, size_t at) { return number(bytes, at, 2); }
uint32_t u32(Bytes bytes, size_t at) { return number(bytes, at, 4); }

/// Where the record of the end begins; only a comment may follow it.
size_t findEnd(const std::string &path, Bytes bytes) {
  constexpr size_t longestComment = 0xffff;
  if (bytes.size() >= endBytes)
    for (size_t back = endBytes; back <= std::min(bytes.size(), endBytes + longestComment); ++back) {
      size_t at = bytes.size() - back;
      if (u32(bytes, at) == endSignature && u16(bytes, at + 20) == back - endBytes)
        return at;
    }
  refuse(path, "its directory is missing; the file is truncated or of another kind");
}

struct Member {
  std::string name;
  uint32_t flags, method, crc;
  size_t packed, size, header;
};

Member readMember(const std::string &path, Bytes bytes, size_t &at) {
  if (at > bytes.size() || bytes.size() - at < memberBytes || u32(bytes, at) != memberSignature)
    refuse(path, "its directory is malformed");
  size_t nameSize = u16(bytes, at + 28), extra = u16(bytes, at + 30), comment = u16(bytes, at + 32);
  if (nameSize > bytes.size() - at - memberBytes)
    refuse(path, "its directory is malformed");
  Member member = {std::string(reinterpret_cast<const char *>(bytes.data()) + at + memberBytes, nameSize),
                   u16(bytes, at + 8),
                   u16(bytes, at + 10),
                   u32(bytes, at + 16),
                   u32(bytes, at + 20),
                   u32(bytes, at + 24),
                   u32(bytes, at + 42)};
  at += memberBytes + nameSize + extra + comment;
  if (member.packed == zip64 || member.size == zip64 || member.header == zip64)
    throw Diagnostic(ExitCode::BadInput,
                     path + ": '" + member.name + "' is 4 GiB or larger; use .safetensors or .npy");
  return member;
}

/// The compressed bytes of a member.
Bytes packedBytes(const std::string &path, Bytes bytes, const Member &member) {
  std::string where = "'" + member.name + "' ";
  if (member.header > bytes.size() || bytes.size() - member.header < localBytes ||
      u32(bytes, member.header) != localSignature)
    refuse(path, where + "has a malformed header");
  constexpr uint32_t encrypted = 1;
  if (member.flags & encrypted)
    refuse(path, where + "is encrypted");
  size_t begin = member.header + localBytes + u16(bytes, member.header + 26) + u16(bytes, member.header + 28);
  if (begin > bytes.size() || member.packed > bytes.size() - begin)
    refuse(path, where + "reaches past the end of the file");
  return bytes.subspan(begin, member.packed);
}

/// A member's array; what it points into is added to `file.owners` unless it is the file itself.
TensorView readArray(TensorFile &file, Bytes bytes, const Member &member) {
  std::string where = "'" + member.name + "' ";
  Bytes packed = packedBytes(file.path, bytes, member), contents = packed;
  constexpr uint32_t stored = 0, deflated = 8;
  if (member.method == deflated) {
    if (member.size > member.packed * largestDeflateRatio)
      refuse(file.path, where + "claims an impossible size");
    auto unpacked = std::make_shared<std::vector<std::byte>>(member.size);
    if (!inflate(packed, *unpacked))
      refuse(file.path, where + "is not a valid compressed stream");
    contents = *unpacked;
    file.owners.push_back(unpacked);
  } else if (member.method != stored || member.size != member.packed) {
    refuse(file.path, where + "is compressed by an unsupported method; use numpy.savez or savez_compressed");
  }
  if (crc32(contents) != member.crc)
    refuse(file.path, where + "has a wrong checksum");
  TensorView tensor = parseNpy(file.path + ": " + member.name, contents);
  tensor.name = member.name.substr(0, member.name.size() - 4);
  return tensor;
}

} // namespace

TensorFile readNpz(const std::string &path) {
  std::shared_ptr<const FileBytes> contents = FileBytes::open(path);
  Bytes bytes = contents->bytes();
  TensorFile file;
  file.path = path;
  file.owners.push_back(contents);
  size_t end = findEnd(path, bytes), count = u16(bytes, end + 10), at = u32(bytes, end + 16);
  for (size_t i = 0; i < count; ++i) {
    Member member = readMember(path, bytes, at);
    if (!member.name.ends_with(".npy"))
      continue;
    TensorView tensor = readArray(file, bytes, member);
    if (file.find(tensor.name))
      refuse(path, "'" + tensor.name + "' occurs twice");
    file.tensors.push_back(tensor);
  }
  return file;
}

} // namespace halfstep
