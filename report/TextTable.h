// Columns of text, as wide as what is in them.
#ifndef HALFSTEP_REPORT_TEXTTABLE_H
#define HALFSTEP_REPORT_TEXTTABLE_H

#include <cstdint>
#include <string>
#include <vector>

namespace halfstep {

class TextTable {
public:
  /// A heading that begins with '>' aligns its column to the right.
  explicit TextTable(const std::vector<std::string> &headings);

  /// As many cells as there are headings. Control bytes are shown as escapes.
  void add(const std::vector<std::string> &cells);

  /// All lines, each ended; the first is that of the headings.
  std::string text() const;

private:
  std::vector<bool> right;
  std::vector<std::vector<std::string>> rows;
};

/// "512 B", "1.5 KiB", "3.0 MiB".
std::string bytesText(int64_t bytes);

/// "32x64"; "scalar" for none.
std::string shapeText(const std::vector<int64_t> &shape);

/// `format` as of printf, for one number.
std::string numberText(const char *format, double value);

} // namespace halfstep

#endif // HALFSTEP_REPORT_TEXTTABLE_H
