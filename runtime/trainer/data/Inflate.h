// Decompression of raw DEFLATE streams (RFC 1951), which compressed .npz files hold.
#ifndef HALFSTEP_RUNTIME_TRAINER_DATA_INFLATE_H
#define HALFSTEP_RUNTIME_TRAINER_DATA_INFLATE_H

#include <cstddef>
#include <cstdint>
#include <span>

namespace halfstep {

/// No stream is larger when decompressed than this times its size (a length code of 258 bytes in 2 bits).
constexpr size_t largestDeflateRatio = 1032;

/// Decompresses `in`, which must fill `out` exactly. False for a malformed stream; never reads or writes
/// outside.
bool inflate(std::span<const std::byte> in, std::span<std::byte> out);

/// CRC-32 as zip files use it.
uint32_t crc32(std::span<const std::byte> bytes);

} // namespace halfstep

#endif // HALFSTEP_RUNTIME_TRAINER_DATA_INFLATE_H
