// See TextTable.h.
#include "report/TextTable.h"

#include "import/Diagnostic.h"

#include <algorithm>
#include <cstdio>

namespace halfstep {

/// Columns that UTF-8 text takes on a terminal, near enough: bytes that begin a character.
static size_t widthOf(const std::string &text) {
  return size_t(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

TextTable::TextTable(const std::vector<std::string> &headings) {
  std::vector<std::string> first;
  for (const std::string &heading : headings) {
    right.push_back(heading.starts_with(">"));
    first.push_back(right.back() ? heading.substr(1) : heading);
  }
  rows.push_back(first);
}

void TextTable::add(const std::vector<std::string> &cells) {
  std::vector<std::string> row;
  for (const std::string &cell : cells)
    row.push_back(oneLine(cell));
  rows.push_back(row);
}

std::string TextTable::text() const {
  std::vector<size_t> widths(right.size());
  for (const auto &row : rows)
    for (size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], widthOf(row[i]));
  std::string all;
  for (const auto &row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      std::string space(widths[i] - widthOf(row[i]), ' ');
      line += (i ? "  " : "") + (right[i] ? space + row[i] : row[i] + space);
    }
    all += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return all;
}

std::string numberText(const char *format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::string bytesText(int64_t bytes) {
  constexpr const char *units[] = {"KiB", "MiB", "GiB"};
  if (bytes < 1024)
    return std::to_string(bytes) + " B";
  double value = double(bytes) / 1024;
  size_t unit = 0;
  for (; value >= 1024 && unit < 2; ++unit)
    value /= 1024;
  return numberText("%.1f ", value) + units[unit];
}

std::string shapeText(const std::vector<int64_t> &shape) {
  std::string text;
  for (int64_t extent : shape)
    text += (text.empty() ? "" : "x") + std::to_string(extent);
  return shape.empty() ? "scalar" : text;
}

} // namespace halfstep
