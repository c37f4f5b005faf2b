// See Csv.h.
#include "runtime/trainer/data/Csv.h"

#include "halfstep/diagnostic.hpp"
#include "runtime/trainer/data/FileBytes.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstring>
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

std::vector<std::string> readNames(std::string_view line) {
  std::vector<std::string> names;
  for (;;) {
    bool last = line.find(',') == line.npos;
    std::string name(trim(takeUpTo(line, ',')));
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return char(std::tolower(c)); });
    names.push_back(name);
    if (last)
      return names;
  }
}

bool isNumber(const std::string &text) {
  double value;
  return std::from_chars(text.data(), text.data() + text.size(), value).ptr == text.data() + text.size();
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

TensorFile readCsv(const std::string &path) {
  std::shared_ptr<const FileBytes> contents = FileBytes::open(path);
  std::string_view text(reinterpret_cast<const char *>(contents->bytes().data()), contents->bytes().size());
  constexpr std::string_view byteOrderMark = "\xef\xbb\xbf";
  if (text.starts_with(byteOrderMark))
    text.remove_prefix(byteOrderMark.size());
  if (text.find('\0') != text.npos)
    throw Diagnostic(ExitCode::BadInput, path + ": not a text file");
  std::vector<std::string> names = readNames(takeUpTo(text, '\n'));
  if (std::all_of(names.begin(), names.end(), isNumber))
    throw Diagnostic(ExitCode::BadInput, path + ":1: expected the names of the columns, got numbers");
  auto values = std::make_shared<std::vector<double>>();
  for (size_t line = 2; !text.empty(); ++line) {
    std::string_view row = takeUpTo(text, '\n');
    if (!trim(row).empty())
      readLine(path + ":" + std::to_string(line), row, names.size(), *values);
  }
  TensorFile file;
  file.path = path;
  int64_t rows = int64_t(values->size() / names.size());
  file.tensors.push_back(asTensor(file, "table", {rows, int64_t(names.size())}, values));
  for (const char *target : {"y", "target", "label"}) {
    auto found = std::find(names.begin(), names.end(), target);
    if (found != names.end()) {
      file.metadata["target"] = std::to_string(found - names.begin());
      break;
    }
  }
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
