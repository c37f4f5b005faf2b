// Typed operands in memory for the tests of kernels.
#include "Jit.h"

#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/APInt.h"

#include <cstring>
#include <random>
#include <stdexcept>

namespace halfstep::test {

static int64_t bytesOf(const std::string &type) {
  if (type == "f64" || type == "i64")
    return 8;
  if (type == "f32" || type == "i32")
    return 4;
  if (type == "bf16" || type == "f16" || type == "i16")
    return 2;
  if (type == "i8" || type == "i1")
    return 1;
  throw std::runtime_error("buffer of unknown type " + type);
}

static const llvm::fltSemantics &semanticsOf(const std::string &type) {
  return type == "bf16" ? llvm::APFloat::BFloat() : llvm::APFloat::IEEEhalf();
}

Buffer::Buffer(const std::string &type, int64_t count)
    : element(type), count(count), elementBytes(bytesOf(type)), bytes(count * elementBytes + 2 * guardBytes) {
  memory.reset(static_cast<char *>(std::aligned_alloc(64, size_t(bytes + 63) / 64 * 64)));
  std::memset(memory.get(), 0xff, size_t(bytes));
}

template <typename T>
static T loadAs(const void *data, int64_t i) {
  T value;
  std::memcpy(&value, static_cast<const char *>(data) + i * int64_t(sizeof(T)), sizeof(T));
  return value;
}

template <typename T>
static void storeAs(void *data, int64_t i, T value) {
  std::memcpy(static_cast<char *>(data) + i * int64_t(sizeof(T)), &value, sizeof(T));
}

double Buffer::get(int64_t i) const {
  if (element == "f64")
    return loadAs<double>(data(), i);
  if (element == "f32")
    return loadAs<float>(data(), i);
  if (element == "i64")
    return double(loadAs<int64_t>(data(), i));
  if (element == "i32")
    return loadAs<int32_t>(data(), i);
  if (element == "i16")
    return loadAs<int16_t>(data(), i);
  if (elementBytes == 1)
    return loadAs<int8_t>(data(), i);
  llvm::APFloat value(semanticsOf(element), llvm::APInt(16, loadAs<uint16_t>(data(), i)));
  return value.convertToDouble();
}

void Buffer::set(int64_t i, double value) {
  if (element == "f64")
    return storeAs(data(), i, value);
  if (element == "f32")
    return storeAs(data(), i, float(value));
  if (element == "i64")
    return storeAs(data(), i, int64_t(value));
  if (element == "i32")
    return storeAs(data(), i, int32_t(value));
  if (element == "i16")
    return storeAs(data(), i, int16_t(value));
  if (elementBytes == 1)
    return storeAs(data(), i, int8_t(value));
  llvm::APFloat rounded(value);
  bool losesInfo;
  rounded.convert(semanticsOf(element), llvm::APFloat::rmNearestTiesToEven, &losesInfo);
  storeAs(data(), i, uint16_t(rounded.bitcastToAPInt().getZExtValue()));
}

void Buffer::fill(const std::function<double(int64_t)> &value) {
  for (int64_t i = 0; i < count; ++i)
    set(i, value(i));
}

void Buffer::fillRandom(unsigned seed, double range) {
  std::mt19937 generator(seed);
  for (int64_t i = 0; i < count; ++i)
    set(i, range * (double(generator()) / double(1u << 31) - 1.0));
}

bool Buffer::guardsIntact() const {
  for (int64_t i = 0; i < guardBytes; ++i)
    if (memory.get()[i] != char(0xff) || memory.get()[bytes - 1 - i] != char(0xff))
      return false;
  return true;
}

bool Buffer::sameBits(const Buffer &other) const {
  return element == other.element && count == other.count &&
         std::memcmp(data(), other.data(), size_t(count * elementBytes)) == 0;
}

double unitRoundoff(const std::string &type) {
  if (type == "f64")
    return 0x1p-53;
  if (type == "f32")
    return 0x1p-24;
  return type == "f16" ? 0x1p-11 : 0x1p-8;
}

} // namespace halfstep::test
