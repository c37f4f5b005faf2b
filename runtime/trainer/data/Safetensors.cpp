// See Safetensors.h.
#include "runtime/trainer/data/Safetensors.h"

#include "halfstep/diagnostic.hpp"
#include "runtime/trainer/data/AtomicFile.h"
#include "runtime/trainer/data/FileBytes.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstring>
#include <set>

using nlohmann::json;

namespace halfstep {
namespace {

constexpr uint64_t maxHeader = 100'000'000; ///< bytes; the format's own limit
constexpr size_t alignment = 8;             ///< of the data, as the format's own writer does

[[noreturn]] void refuse(const std::string &path, const std::string &what) {
  throw Diagnostic(ExitCode::BadInput, path + ": not a valid safetensors file: " + what);
}

/// Parses the header. Depth is bounded, and a name may occur once.
json parseHeader(const std::string &path, std::span<const std::byte> bytes) {
  constexpr int deepest = 3; // header, tensor, shape
  std::vector<std::set<std::string>> seen;
  auto watch = [&](int depth, json::parse_event_t event, json &value) {
    if (event == json::parse_event_t::object_start || event == json::parse_event_t::array_start) {
      if (depth >= deepest)
        refuse(path, "its header is nested too deeply");
      seen.resize(size_t(depth) + 1);
      seen.back().clear();
    }
    // The depth of a key is that of its object plus one.
    if (event == json::parse_event_t::key) {
      seen.resize(std::max(seen.size(), size_t(depth)));
      if (!seen[size_t(depth) - 1].insert(value.get_ref<const std::string &>()).second)
        refuse(path, "'" + value.get<std::string>() + "' occurs twice in its header");
    }
    return true;
  };
  const char *begin = reinterpret_cast<const char *>(bytes.data());
  try {
    return json::parse(begin, begin + bytes.size(), watch);
  } catch (const json::exception &error) {
    refuse(path,
           "its header is not JSON at byte " +
               std::to_string(error.id == 101 ? static_cast<const json::parse_error &>(error).byte : 0));
  }
}

/// A list of numbers in [0, 2^63).
bool readExtents(const json &list, std::vector<int64_t> &out) {
  if (!list.is_array())
    return false;
  for (const json &each : list) {
    if (!each.is_number_unsigned() || each.get<uint64_t>() > uint64_t(INT64_MAX))
      return false;
    out.push_back(each.get<int64_t>());
  }
  return true;
}

TensorView readEntry(const std::string &path, const std::string &name, const json &entry,
                     std::span<const std::byte> data) {
  std::string where = "tensor '" + name + "': ";
  if (!entry.is_object() || entry.size() != 3 || !entry.contains("dtype") || !entry.contains("shape") ||
      !entry.contains("data_offsets"))
    refuse(path, where + "expected dtype, shape and data_offsets");
  TensorView tensor;
  tensor.name = name;
  std::optional<DataType> type;
  if (entry["dtype"].is_string())
    type = dataTypeOf(entry["dtype"].get<std::string>());
  if (!type)
    refuse(path, where + "element type " + entry["dtype"].dump() + " is not supported");
  tensor.type = *type;
  std::vector<int64_t> range;
  if (!readExtents(entry["shape"], tensor.shape) || !countElements(tensor.shape, *type, tensor.count))
    refuse(path, where + "its shape is malformed or too large");
  if (!readExtents(entry["data_offsets"], range) || range.size() != 2 || range[0] > range[1] ||
      size_t(range[1]) > data.size())
    refuse(path, where + "its data_offsets are malformed or outside the file");
  if (size_t(range[1] - range[0]) != tensor.bytes())
    refuse(path, where + "has " + std::to_string(range[1] - range[0]) + " bytes, expected " +
                     std::to_string(tensor.bytes()) + " for " + std::string(halfstep::name(*type)) + " " +
                     toText(tensor.shape));
  tensor.data = data.data() + range[0];
  return tensor;
}

/// Tensors may neither overlap nor leave bytes unused.
void requireTiling(const std::string &path, const std::vector<TensorView> &tensors,
                   std::span<const std::byte> data) {
  std::vector<const TensorView *> order;
  order.reserve(tensors.size());
  for (const TensorView &tensor : tensors)
    order.push_back(&tensor);
  std::sort(order.begin(), order.end(), [](const TensorView *a, const TensorView *b) {
    return std::pair(a->data, a->bytes()) < std::pair(b->data, b->bytes());
  });
  const std::byte *end = data.data();
  for (const TensorView *tensor : order) {
    if (tensor->data != end)
      refuse(path, "tensor '" + tensor->name + "': its data overlaps another's or leaves a gap");
    end += tensor->bytes();
  }
  if (end != data.data() + data.size())
    refuse(path, std::to_string(data.data() + data.size() - end) + " bytes after the last tensor");
}

void readMetadata(const std::string &path, const json &object, TensorFile &file) {
  if (!object.is_object())
    refuse(path, "__metadata__ is not an object");
  for (const auto &[key, value] : object.items()) {
    if (!value.is_string())
      refuse(path, "__metadata__: '" + key + "' is not a string");
    file.metadata[key] = value.get<std::string>();
  }
}

} // namespace

TensorFile readSafetensors(const std::string &path) {
  std::shared_ptr<const FileBytes> contents = FileBytes::open(path);
  std::span<const std::byte> bytes = contents->bytes();
  uint64_t length = 0;
  if (bytes.size() < sizeof length)
    refuse(path, "it is too short");
  std::memcpy(&length, bytes.data(), sizeof length);
  bytes = bytes.subspan(sizeof length);
  if (length > maxHeader || length > bytes.size())
    refuse(path, "its header has " + std::to_string(length) + " bytes, and the file " +
                     std::to_string(bytes.size()) + " more; it is truncated or of another kind");
  json header = parseHeader(path, bytes.first(length));
  if (!header.is_object())
    refuse(path, "its header is not an object");
  TensorFile file;
  file.path = path;
  file.owners.push_back(contents);
  std::span<const std::byte> data = bytes.subspan(length);
  for (const auto &[name, entry] : header.items()) {
    if (name == "__metadata__")
      readMetadata(path, entry, file);
    else
      file.tensors.push_back(readEntry(path, name, entry, data));
  }
  requireTiling(path, file.tensors, data);
  return file;
}

void writeSafetensors(const std::string &path, const std::vector<TensorView> &tensors,
                      const std::map<std::string, std::string> &metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty())
    header["__metadata__"] = metadata;
  size_t begin = 0;
  for (const TensorView &tensor : tensors) {
    header[tensor.name] = {{"dtype", name(tensor.type)},
                           {"shape", tensor.shape},
                           {"data_offsets", {begin, begin + tensor.bytes()}}};
    begin += tensor.bytes();
  }
  std::string text = header.dump();
  text.append((alignment - text.size() % alignment) % alignment, ' ');
  uint64_t length = text.size();
  AtomicFile file(path);
  file.write(&length, sizeof length);
  file.write(text.data(), text.size());
  for (const TensorView &tensor : tensors)
    file.write(tensor.data, tensor.bytes());
  file.commit();
}

} // namespace halfstep
