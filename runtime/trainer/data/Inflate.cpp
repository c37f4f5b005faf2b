// See Inflate.h. Codes are decoded bit by bit with canonical Huffman counts: slow, small, easy to check.
#include "runtime/trainer/data/Inflate.h"

#include <array>
#include <cstring>

namespace halfstep {
namespace {

constexpr int longestCode = 15;
constexpr int literalCodes = 288, distanceCodes = 32, lengthCodes = 19;
constexpr int endOfBlock = 256, firstLength = 257;

/// Thrown inside this file for every fault of the stream.
struct Malformed {};

/// The stream as bits, lowest first.
class BitReader {
public:
  explicit BitReader(std::span<const std::byte> bytes) : bytes(bytes) {}

  uint32_t take(int count) {
    while (held < count) {
      if (at == bytes.size())
        throw Malformed();
      bits |= uint32_t(bytes[at++]) << held;
      held += 8;
    }
    uint32_t value = bits & ((uint32_t(1) << count) - 1);
    bits >>= count;
    held -= count;
    return value;
  }

  /// Drops the rest of a byte, and returns the next `count` whole bytes. take holds less than a byte between
  /// calls.
  std::span<const std::byte> takeBytes(size_t count) {
    bits = 0;
    held = 0;
    if (count > bytes.size() - at)
      throw Malformed();
    std::span<const std::byte> taken = bytes.subspan(at, count);
    at += count;
    return taken;
  }

private:
  std::span<const std::byte> bytes;
  size_t at = 0;
  uint32_t bits = 0;
  int held = 0;
};

/// A canonical Huffman code, from the code lengths of its symbols.
class Huffman {
public:
  explicit Huffman(std::span<const uint8_t> lengths) {
    for (uint8_t length : lengths)
      ++counts[length];
    counts[0] = 0;
    int left = 1; // codes of the present length that are still free
    std::array<uint16_t, longestCode + 2> first{};
    for (int length = 1; length <= longestCode; ++length) {
      left = 2 * left - counts[size_t(length)];
      if (left < 0)
        throw Malformed();
      first[size_t(length) + 1] = uint16_t(first[size_t(length)] + counts[size_t(length)]);
    }
    for (size_t symbol = 0; symbol < lengths.size(); ++symbol)
      if (lengths[symbol])
        symbols[first[lengths[symbol]]++] = uint16_t(symbol);
  }

  int decode(BitReader &in) const {
    int code = 0, first = 0, index = 0;
    for (int length = 1; length <= longestCode; ++length) {
      code |= int(in.take(1));
      int count = counts[size_t(length)];
      if (code - first < count)
        return symbols[size_t(index + code - first)];
      index += count;
      first = (first + count) << 1;
      code <<= 1;
    }
    throw Malformed();
  }

private:
  std::array<uint16_t, longestCode + 1> counts{};
  std::array<uint16_t, literalCodes> symbols{};
};

class Inflater {
public:
  Inflater(std::span<const std::byte> in, std::span<std::byte> out) : in(in), out(out) {}

  void run() {
    bool last = false;
    while (!last) {
      last = in.take(1);
      switch (in.take(2)) {
      case 0:
        copyStored();
        break;
      case 1:
        fixedBlock();
        break;
      case 2:
        dynamicBlock();
        break;
      default:
        throw Malformed();
      }
    }
    if (at != out.size())
      throw Malformed();
  }

private:
  void copyStored() {
    auto header = in.takeBytes(4);
    size_t size = size_t(header[0]) | size_t(header[1]) << 8;
    size_t check = size_t(header[2]) | size_t(header[3]) << 8;
    if ((size ^ check) != 0xffff || size > out.size() - at)
      throw Malformed();
    auto bytes = in.takeBytes(size);
    if (size)
      std::memcpy(out.data() + at, bytes.data(), size);
    at += size;
  }

  void fixedBlock() {
    std::array<uint8_t, literalCodes> literals;
    for (size_t i = 0; i < literals.size(); ++i)
      literals[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
    std::array<uint8_t, distanceCodes> distances;
    distances.fill(5);
    block(Huffman(literals), Huffman(distances));
  }

  void dynamicBlock() {
    size_t literalCount = in.take(5) + firstLength, distanceCount = in.take(5) + 1,
           lengthCount = in.take(4) + 4;
    constexpr uint8_t order[lengthCodes] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
    std::array<uint8_t, lengthCodes> lengthLengths{};
    for (size_t i = 0; i < lengthCount; ++i)
      lengthLengths[order[i]] = uint8_t(in.take(3));
    Huffman lengthCode(lengthLengths);
    std::array<uint8_t, literalCodes + distanceCodes> lengths{};
    size_t total = literalCount + distanceCount;
    if (literalCount > literalCodes)
      throw Malformed();
    for (size_t i = 0; i < total;)
      i = readLengths(lengthCode, lengths, i, total);
    if (lengths[endOfBlock] == 0)
      throw Malformed();
    std::span<const uint8_t> all(lengths);
    block(Huffman(all.first(literalCount)), Huffman(all.subspan(literalCount, distanceCount)));
  }

  /// One symbol of the code of code lengths: a length, or a run of lengths. Returns the next index.
  size_t readLengths(const Huffman &code, std::span<uint8_t> lengths, size_t i, size_t total) {
    int symbol = code.decode(in);
    if (symbol < 16) {
      lengths[i] = uint8_t(symbol);
      return i + 1;
    }
    uint8_t value = 0;
    size_t count;
    if (symbol == 16) {
      if (i == 0)
        throw Malformed();
      value = lengths[i - 1];
      count = 3 + in.take(2);
    } else {
      count = symbol == 17 ? 3 + in.take(3) : 11 + in.take(7);
    }
    if (count > total - i)
      throw Malformed();
    for (size_t end = i + count; i < end; ++i)
      lengths[i] = value;
    return i;
  }

  void block(const Huffman &literals, const Huffman &distances) {
    for (;;) {
      int symbol = literals.decode(in);
      if (symbol == endOfBlock)
        return;
      if (symbol > endOfBlock) {
        copyMatch(symbol - firstLength, distances);
        continue;
      }
      if (at == out.size())
        throw Malformed();
      out[at++] = std::byte(symbol);
    }
  }

  void copyMatch(int lengthSymbol, const Huffman &distances) {
    constexpr uint16_t lengthBase[] = {3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
                                       31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
    constexpr uint8_t lengthBits[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                      2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
    constexpr uint16_t distanceBase[] = {1,    2,    3,    4,    5,    7,    9,    13,    17,    25,
                                         33,   49,   65,   97,   129,  193,  257,  385,   513,   769,
                                         1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
    constexpr uint8_t distanceBits[] = {0, 0, 0, 0, 1, 1, 2, 2,  3,  3,  4,  4,  5,  5,  6,
                                        6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13};
    if (size_t(lengthSymbol) >= std::size(lengthBase))
      throw Malformed();
    size_t length = lengthBase[lengthSymbol] + in.take(lengthBits[lengthSymbol]);
    int symbol = distances.decode(in);
    if (size_t(symbol) >= std::size(distanceBase))
      throw Malformed();
    size_t distance = distanceBase[symbol] + in.take(distanceBits[symbol]);
    if (distance > at || length > out.size() - at)
      throw Malformed();
    // Source and target may overlap: a run repeats itself.
    for (size_t end = at + length; at < end; ++at)
      out[at] = out[at - distance];
  }

  BitReader in;
  std::span<std::byte> out;
  size_t at = 0;
};

} // namespace

bool inflate(std::span<const std::byte> in, std::span<std::byte> out) {
  try {
    Inflater(in, out).run();
    return true;
  } catch (const Malformed &) {
    return false;
  }
}

uint32_t crc32(std::span<const std::byte> bytes) {
  static const std::array<uint32_t, 256> table = [] {
    constexpr uint32_t polynomial = 0xedb88320;
    std::array<uint32_t, 256> entries;
    for (uint32_t i = 0; i < entries.size(); ++i) {
      uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit)
        value = value & 1 ? polynomial ^ (value >> 1) : value >> 1;
      entries[i] = value;
    }
    return entries;
  }();
  uint32_t crc = 0xffffffff;
  for (std::byte byte : bytes)
    crc = table[(crc ^ uint32_t(byte)) & 0xff] ^ (crc >> 8);
  return ~crc;
}

} // namespace halfstep
