// A text file as characters that can be read from any place, without holding the text in memory.
#ifndef HALFSTEP_RUNTIME_TRAINER_DATA_TEXTFILE_H
#define HALFSTEP_RUNTIME_TRAINER_DATA_TEXTFILE_H

#include "runtime/trainer/data/FileDescriptor.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace halfstep {

/// What one character is.
enum class TextUnit {
  Byte,     ///< any file
  Character ///< of UTF-8
};

class TextFile {
public:
  /// Reads the file once, a piece at a time. Throws Diagnostic Io, or BadInput with the place of what is not
  /// UTF-8.
  TextFile(const std::string &path, TextUnit unit);

  const std::string &path() const { return name; }
  size_t size() const { return count; } ///< in characters

  /// The different characters, ascending.
  const std::u32string &alphabet() const { return distinct; }

  /// Fills `out` with the characters from number `begin` on, which must all be there. Throws Diagnostic Io
  /// when the file has changed since it was opened.
  void read(size_t begin, std::span<char32_t> out) const;

private:
  void scan();
  std::string readBytes(size_t begin, size_t size) const;
  [[noreturn]] void notUtf8(size_t at) const;

  std::string name;
  TextUnit unit;
  size_t bytes = 0, count = 0;
  FileDescriptor file;
  std::u32string distinct;
  std::vector<uint64_t> marks; ///< the byte where every markEvery-th character begins
};

} // namespace halfstep

#endif // HALFSTEP_RUNTIME_TRAINER_DATA_TEXTFILE_H
