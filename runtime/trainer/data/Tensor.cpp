// See Tensor.h.
#include "runtime/trainer/data/Tensor.h"

namespace halfstep {

bool countElements(std::span<const int64_t> shape, DataType type, size_t &count) {
  constexpr size_t most = size_t(1) << 62; // bytes; a sum of two still fits
  size_t limit = most / byteSize(type);
  bool empty = false;
  count = 1;
  for (int64_t extent : shape) {
    if (extent < 0)
      return false;
    empty = empty || extent == 0;
    if (!empty && __builtin_mul_overflow(count, size_t(extent), &count))
      return false;
    if (!empty && count > limit)
      return false;
  }
  if (empty)
    count = 0;
  return true;
}

std::string toText(std::span<const int64_t> shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

std::string quotedNames(const std::vector<std::string> &names, size_t most) {
  std::string text;
  for (size_t i = 0; i < names.size() && i < most; ++i)
    text += (i ? ", '" : "'") + names[i] + "'";
  if (names.size() > most)
    text += " and " + std::to_string(names.size() - most) + " more";
  return text;
}

} // namespace halfstep
