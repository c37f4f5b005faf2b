// See Csv.h.
#include "runtime/trainer/data/Csv.h"

#include "halfstep/diagnostic.hpp"
#include "runtime/trainer/data/FileBytes.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>

namespace halfstep {
namespace {

std::string_view trim(std::string_view text) {
  constexpr std::string_view blanks = " \t\r";
  size_t begin = text.find_first_not_of(blanks);
  if (begin == text.npos)
    return {};
  text = text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"')
    text = text.substr(1, text.size() - 2);
  return text;
}

/// The text up to `separator`, which is removed from `rest` with it.
std::string_view takeUpTo(std::string_view &rest, char separator) {
  size_t end = rest.find(separator);
  std::string_view taken = rest.substr(0, end);
  rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
  return taken;
}

/// The cells of the first line.
std::vector<std::string> readNames(std::string_view line) {
  std::vector<std::string> names;
  for (bool last = false; !last;) {
    last = line.find(',') == line.npos;
    names.emplace_back(trim(takeUpTo(line, ',')));
  }
  return names;
}

bool isNumber(const std::string &text) {
  double value;
  const char *end = text.data() + text.size();
  return !text.empty() && std::from_chars(text.data() + text.starts_with('+'), end, value).ptr == end;
}

std::string lowerCase(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return char(std::tolower(c)); });
  return text;
}

/// The index of the column of this name, or `names.size()`.
size_t findColumn(const std::vector<std::string> &names, const std::string &wanted) {
  return size_t(std::find(names.begin(), names.end(), wanted) - names.begin());
}

/// The index of the column that `target` means. `names` is empty without a header.
std::optional<size_t> targetColumn(const std::string &path, const std::vector<std::string> &names,
                                   size_t width, const std::string &target, bool needed) {
  size_t index = findColumn(names, target);
  if (index < names.size())
    return index;
  size_t number = 0;
  const char *end = target.data() + target.size();
  bool isIndex = std::from_chars(target.data(), end, number).ptr == end;
  if (isIndex && number >= 1 && number <= width)
    return number - 1;
  if (!needed)
    return std::nullopt;
  throw Diagnostic(ExitCode::BadInput,
                   path + ": has no target column '" + target + "'; expected " +
                       (names.empty() ? "" : "one of its columns " + quotedNames(names) + ", or ") +
                       "a number from 1 to " + std::to_string(width) +
                       (names.empty() ? ": its first line holds numbers, not names" : ""));
}

/// The column that is the target by its name.
std::optional<size_t> namedTarget(std::vector<std::string> names) {
  std::transform(names.begin(), names.end(), names.begin(), lowerCase);
  for (const char *target : {"y", "target", "label"})
    if (size_t index = findColumn(names, target); index < names.size())
      return index;
  return std::nullopt;
}

double readNumber(const std::string &where, std::string_view cell) {
  std::string_view text = trim(cell);
  if (text.starts_with('+'))
    text.remove_prefix(1);
  double value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) {
    constexpr size_t longest = 40; // characters of a cell worth showing
    throw Diagnostic(ExitCode::BadInput,
                     where + ": '" + std::string(cell.substr(0, longest)) + "' is not a number");
  }
  return value;
}

void readLine(const std::string &where, std::string_view line, size_t columns, std::vector<double> &out) {
  size_t cells = size_t(std::count(line.begin(), line.end(), ',')) + 1;
  if (cells != columns)
    throw Diagnostic(ExitCode::BadInput, where + ": got " + std::to_string(cells) + " columns, expected " +
                                             std::to_string(columns) + " as in the first line");
  for (size_t column = 1; column <= columns; ++column)
    out.push_back(readNumber(where + ":" + std::to_string(column), takeUpTo(line, ',')));
}

TensorView asTensor(TensorFile &file, std::string name, std::vector<int64_t> shape,
                    std::shared_ptr<std::vector<double>> values) {
  TensorView tensor;
  tensor.name = std::move(name);
  tensor.type = DataType::F64;
  tensor.shape = std::move(shape);
  tensor.data = reinterpret_cast<const std::byte *>(values->data());
  tensor.count = values->size();
  file.owners.push_back(std::move(values));
  return tensor;
}

} // namespace

TensorFile readCsv(const std::string &path, const std::string &target, bool needed) {
  std::shared_ptr<const FileBytes> contents = FileBytes::open(path);
  std::string_view text(reinterpret_cast<const char *>(contents->bytes().data()), contents->bytes().size());
  constexpr std::string_view byteOrderMark = "\xef\xbb\xbf";
  if (text.starts_with(byteOrderMark))
    text.remove_prefix(byteOrderMark.size());
  if (text.find('\0') != text.npos)
    throw Diagnostic(ExitCode::BadInput, path + ": not a text file");
  std::string_view rows = text;
  std::vector<std::string> names = readNames(takeUpTo(rows, '\n'));
  size_t width = names.size(), line = 2;
  if (std::all_of(names.begin(), names.end(), isNumber)) { // no header
    names.clear();
    rows = text;
    line = 1;
  }
  auto values = std::make_shared<std::vector<double>>();
  for (; !rows.empty(); ++line) {
    std::string_view row = takeUpTo(rows, '\n');
    if (!trim(row).empty())
      readLine(path + ":" + std::to_string(line), row, width, *values);
  }
  TensorFile file;
  file.path = path;
  file.tensors.push_back(asTensor(file, "table", {int64_t(values->size() / width), int64_t(width)}, values));
  std::optional<size_t> column = namedTarget(names);
  if (!target.empty())
    column = targetColumn(path, names, width, target, needed);
  if (column)
    file.metadata["target"] = std::to_string(*column);
  return file;
}

TensorView csvColumns(TensorFile &file, const std::string &name, const std::vector<size_t> &columns,
                      bool flat) {
  const TensorView table = file.tensors.front();
  size_t rows = size_t(table.shape[0]), width = size_t(table.shape[1]);
  auto values = std::make_shared<std::vector<double>>();
  values->reserve(rows * columns.size());
  for (size_t row = 0; row < rows; ++row)
    for (size_t column : columns)
      values->push_back(loadElement(table.type, table.data + (row * width + column) * sizeof(double)));
  std::vector<int64_t> shape = {int64_t(rows)};
  if (!flat)
    shape.push_back(int64_t(columns.size()));
  return asTensor(file, name, shape, values);
}

} // namespace halfstep
