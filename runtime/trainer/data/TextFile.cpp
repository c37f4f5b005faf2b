// See TextFile.h.
#include "runtime/trainer/data/TextFile.h"

#include "halfstep/diagnostic.hpp"
#include "runtime/trainer/data/FileBytes.h"
#include "runtime/trainer/data/Utf8.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <unistd.h>

namespace halfstep {
namespace {

constexpr size_t pieceBytes = size_t(1) << 20; ///< what scan() reads at a time
constexpr size_t markEvery = 1024;             ///< characters
constexpr size_t longestCharacter = 4;         ///< bytes
constexpr size_t codePoints = 0x110000;

} // namespace

TextFile::TextFile(const std::string &path, TextUnit unit)
    : name(path), unit(unit), file(openRegularFile(path, bytes)) {
  scan();
}

void TextFile::notUtf8(size_t at) const {
  throw Diagnostic(ExitCode::BadInput,
                   name + ": is not UTF-8 at byte " + std::to_string(at) +
                       "; convert the file, or use a model of 256 ids, which takes bytes");
}

/// Counts the characters, collects the different ones and the marks.
void TextFile::scan() {
  std::vector<bool> seen(unit == TextUnit::Byte ? 256 : codePoints);
  for (size_t begin = 0; begin < bytes;) {
    std::string piece = readBytes(begin, std::min(pieceBytes, bytes - begin));
    std::string_view rest = piece;
    while (!rest.empty()) {
      bool cut = false;
      Utf8Character next = {static_cast<unsigned char>(rest[0]), 1};
      if (unit == TextUnit::Character)
        next = firstCharacter(rest, cut);
      size_t at = begin + (piece.size() - rest.size());
      if (cut && begin + piece.size() < bytes)
        break; // it goes on in the next piece
      if (next.bytes == 0)
        notUtf8(at);
      if (count++ % markEvery == 0)
        marks.push_back(at);
      seen[next.code] = true;
      rest.remove_prefix(next.bytes);
    }
    begin += piece.size() - rest.size();
  }
  for (size_t code = 0; code < seen.size(); ++code)
    if (seen[code])
      distinct.push_back(char32_t(code));
}

std::string TextFile::readBytes(size_t begin, size_t size) const {
  std::string out(size, '\0');
  for (size_t done = 0; done < size;) {
    ssize_t got = pread(file.get(), out.data() + done, size - done, off_t(begin + done));
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      throw Diagnostic(ExitCode::Io,
                       name + ": " + (got < 0 ? std::strerror(errno) : "became shorter while it was read"));
    done += size_t(got);
  }
  return out;
}

void TextFile::read(size_t begin, std::span<char32_t> out) const {
  size_t skip = begin % markEvery, from = size_t(marks[begin / markEvery]);
  size_t most = (skip + out.size()) * (unit == TextUnit::Byte ? 1 : longestCharacter);
  std::string piece = readBytes(from, std::min(most, bytes - from));
  std::string_view rest = piece;
  for (size_t i = 0; i < skip + out.size(); ++i) {
    bool cut = false;
    Utf8Character next = {rest.empty() ? 0u : static_cast<unsigned char>(rest[0]), rest.empty() ? 0u : 1u};
    if (unit == TextUnit::Character)
      next = firstCharacter(rest, cut);
    if (next.bytes == 0)
      notUtf8(from + (piece.size() - rest.size()));
    if (i >= skip)
      out[i - skip] = next.code;
    rest.remove_prefix(next.bytes);
  }
}

} // namespace halfstep
