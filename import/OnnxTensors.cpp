// Little-endian raw bytes, typed fields or external files: the three ways in which ONNX stores elements.
#include "import/OnnxTensors.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace halfstep {

namespace fs = std::filesystem;

std::vector<int64_t> KnownTensor::fixedIntegers(const Place &place) const {
  std::vector<int64_t> fixed;
  for (const Dim &dim : integers) {
    if (dim.perSample)
      place.badInput("a number that depends on the batch is used where a fixed one is needed");
    fixed.push_back(dim.size);
  }
  if (!integer)
    place.badInput("expected integers, got floating numbers");
  return fixed;
}

Shape fixedShape(const std::vector<int64_t> &extents) {
  Shape shape;
  for (int64_t extent : extents)
    shape.push_back({extent, false});
  return shape;
}

int64_t countElements(const onnx::TensorProto &tensor, const Place &place) {
  int64_t count = 1;
  for (int64_t extent : tensor.dims()) {
    if (extent < 0 || (extent > 0 && count > kMaxElements / extent))
      place.badInput("tensor '" + tensor.name() + "' has an extent of " + std::to_string(extent) +
                     ", which is out of range");
    count *= extent;
  }
  return count;
}

std::string onnxTypeName(int32_t type) {
  // Names as in the ONNX specification, by TensorProto.DataType.
  static constexpr const char *names[] = {
      "undefined", "float",   "uint8",  "int8",   "uint16", "int16",     "int32",      "int64",   "string",
      "bool",      "float16", "double", "uint32", "uint64", "complex64", "complex128", "bfloat16"};
  return type >= 0 && type < int32_t(std::size(names)) ? names[type] : "type " + std::to_string(type);
}

static size_t bytesOf(int32_t type) {
  switch (type) {
  case onnx::TensorProto::FLOAT:
  case onnx::TensorProto::INT32:
    return 4;
  case onnx::TensorProto::DOUBLE:
  case onnx::TensorProto::INT64:
    return 8;
  case onnx::TensorProto::BOOL:
    return 1;
  default:
    return 0;
  }
}

static int64_t parseOffset(const std::string &text, const Place &place) {
  int64_t value = -1;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0)
    place.badInput("external data: '" + text + "' is not an offset");
  return value;
}

/// The file of external data. A model must not reach outside its own folder.
static fs::path resolveExternal(const std::string &location, const std::string &folder, const Place &place) {
  fs::path relative(location);
  std::error_code error;
  fs::path base = fs::weakly_canonical(folder.empty() ? fs::path(".") : fs::path(folder), error);
  if (location.empty() || location.find('\0') != std::string::npos || relative.is_absolute() || error)
    place.badInput("external data: the location '" + location + "' is not a path inside the model's folder");
  fs::path target = fs::weakly_canonical(base / relative, error);
  auto [end, ignored] = std::mismatch(base.begin(), base.end(), target.begin(), target.end());
  bool dots = std::find(relative.begin(), relative.end(), "..") != relative.end();
  if (error || dots || end != base.end() || target == base)
    place.badInput("external data: the location '" + location + "' leaves the model's folder");
  if (!fs::is_regular_file(target, error))
    place.fail(ExitCode::Io, "external data: there is no file '" + location + "' beside the model");
  return target;
}

static std::string readExternal(const onnx::TensorProto &tensor, size_t bytes, const std::string &folder,
                                const Place &place) {
  std::string location;
  int64_t offset = 0, length = int64_t(bytes);
  for (const auto &entry : tensor.external_data()) {
    if (entry.key() == "location")
      location = entry.value();
    else if (entry.key() == "offset")
      offset = parseOffset(entry.value(), place);
    else if (entry.key() == "length")
      length = parseOffset(entry.value(), place);
  }
  fs::path path = resolveExternal(location, folder, place);
  if (length != int64_t(bytes))
    place.badInput("external data of '" + tensor.name() + "': expected " + std::to_string(bytes) +
                   " bytes, got " + std::to_string(length));
  std::error_code error;
  uintmax_t size = fs::file_size(path, error);
  if (error || uintmax_t(offset) > size || size - uintmax_t(offset) < bytes)
    place.badInput("external data of '" + tensor.name() + "': '" + location + "' ends before byte " +
                   std::to_string(offset) + " + " + std::to_string(bytes));
  std::string data(bytes, '\0');
  std::ifstream stream(path, std::ios::binary);
  stream.seekg(offset);
  if (!stream.read(data.data(), std::streamsize(bytes)))
    place.fail(ExitCode::Io, "external data: cannot read '" + location + "'");
  return data;
}

/// `count` elements of type T from raw bytes, as `convert` makes them.
template <typename T, typename Out>
static void unpack(const std::string &raw, std::vector<Out> &out) {
  out.reserve(raw.size() / sizeof(T));
  for (size_t at = 0; at + sizeof(T) <= raw.size(); at += sizeof(T)) {
    T value;
    std::memcpy(&value, raw.data() + at, sizeof(T));
    if constexpr (std::is_same_v<Out, Dim>)
      out.push_back({int64_t(value), false});
    else
      out.push_back(value);
  }
}

static void unpackRaw(int32_t type, const std::string &raw, KnownTensor &known) {
  switch (type) {
  case onnx::TensorProto::FLOAT:
    return unpack<float>(raw, known.numbers);
  case onnx::TensorProto::DOUBLE:
    return unpack<double>(raw, known.numbers);
  case onnx::TensorProto::INT32:
    return unpack<int32_t>(raw, known.integers);
  case onnx::TensorProto::INT64:
    return unpack<int64_t>(raw, known.integers);
  default:
    return unpack<uint8_t>(raw, known.integers);
  }
}

static void unpackFields(const onnx::TensorProto &tensor, KnownTensor &known) {
  switch (tensor.data_type()) {
  case onnx::TensorProto::FLOAT:
    known.numbers.assign(tensor.float_data().begin(), tensor.float_data().end());
    break;
  case onnx::TensorProto::DOUBLE:
    known.numbers.assign(tensor.double_data().begin(), tensor.double_data().end());
    break;
  case onnx::TensorProto::INT64:
    for (int64_t value : tensor.int64_data())
      known.integers.push_back({value, false});
    break;
  default:
    for (int32_t value : tensor.int32_data())
      known.integers.push_back({value, false});
  }
}

KnownTensor readTensor(const onnx::TensorProto &tensor, const std::string &folder, const Place &place) {
  int32_t type = tensor.data_type();
  size_t width = bytesOf(type);
  if (width == 0)
    place.fail(ExitCode::Unsupported, "tensor '" + tensor.name() + "' has element type " +
                                          onnxTypeName(type) +
                                          "; supported are float, double, int32, int64 and bool");
  KnownTensor known;
  known.integer = type != onnx::TensorProto::FLOAT && type != onnx::TensorProto::DOUBLE;
  known.shape.assign(tensor.dims().begin(), tensor.dims().end());
  size_t count = size_t(countElements(tensor, place));
  bool external = tensor.data_location() == onnx::TensorProto::EXTERNAL;
  if (external)
    unpackRaw(type, readExternal(tensor, count * width, folder, place), known);
  else if (tensor.has_raw_data() && tensor.raw_data().size() != count * width)
    place.badInput("tensor '" + tensor.name() + "' has " + std::to_string(tensor.raw_data().size()) +
                   " bytes, its shape needs " + std::to_string(count * width));
  else if (tensor.has_raw_data())
    unpackRaw(type, tensor.raw_data(), known);
  else
    unpackFields(tensor, known);
  if (known.size() != count)
    place.badInput("tensor '" + tensor.name() + "' has " + std::to_string(known.size()) +
                   " elements, its shape needs " + std::to_string(count));
  return known;
}

void takeInside(onnx::TensorProto &tensor, const std::string &folder, const Place &place) {
  if (tensor.data_location() != onnx::TensorProto::EXTERNAL)
    return;
  size_t width = bytesOf(tensor.data_type());
  if (width == 0)
    place.fail(ExitCode::Unsupported,
               "external data of element type " + onnxTypeName(tensor.data_type()) +
                   " cannot be copied; supported are float, double, int32, int64 and bool");
  std::string bytes = readExternal(tensor, size_t(countElements(tensor, place)) * width, folder, place);
  tensor.clear_external_data();
  tensor.clear_data_location();
  tensor.set_raw_data(std::move(bytes));
}

} // namespace halfstep
