// See ElfFile.h. The layout is that of the System V ABI, chapters 4 and 5.
#include "runtime/trainer/ElfFile.h"

#include "runtime/trainer/data/FileBytes.h"

#include "halfstep/diagnostic.hpp"

#include <elf.h>

#include <cstring>

namespace halfstep {
namespace {

/// Whether `count` entries of `size` bytes, or with size 1 that many bytes, lie within a file of `length`.
bool fits(uint64_t length, uint64_t offset, uint64_t count, uint64_t size) {
  uint64_t bytes = 0;
  return !__builtin_mul_overflow(count, size, &bytes) && offset <= length && bytes <= length - offset;
}

bool isLibraryHeader(const Elf64_Ehdr &header) {
  return std::memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 && header.e_ident[EI_CLASS] == ELFCLASS64 &&
         header.e_ident[EI_DATA] == ELFDATA2LSB && header.e_type == ET_DYN && header.e_machine == EM_X86_64 &&
         header.e_phentsize == sizeof(Elf64_Phdr) && header.e_phnum > 0;
}

} // namespace

void requireWholeLibrary(const std::string &path) {
  std::shared_ptr<const FileBytes> file = FileBytes::open(path);
  std::span<const std::byte> bytes = file->bytes();
  Elf64_Ehdr header;
  if (bytes.size() < sizeof header)
    throw Diagnostic(ExitCode::BadInput, path + ": is no shared library");
  std::memcpy(&header, bytes.data(), sizeof header);
  if (!isLibraryHeader(header))
    throw Diagnostic(ExitCode::BadInput, path + ": is no shared library for x86-64");
  bool whole = fits(bytes.size(), header.e_phoff, header.e_phnum, sizeof(Elf64_Phdr)) &&
               fits(bytes.size(), header.e_shoff, header.e_shnum, header.e_shentsize);
  for (uint64_t i = 0; whole && i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    std::memcpy(&segment, bytes.data() + header.e_phoff + i * sizeof segment, sizeof segment);
    whole = fits(bytes.size(), segment.p_offset, segment.p_filesz, 1);
  }
  if (!whole)
    throw Diagnostic(ExitCode::BadInput, path + ": is cut: its headers name parts beyond its " +
                                             std::to_string(bytes.size()) + " bytes");
}

} // namespace halfstep
