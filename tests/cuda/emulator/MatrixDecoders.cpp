// ldmatrix and mma.sync. Fragments after the PTX ISA description, chapters 9.7.14.5.8 and 9.7.14.5.15. How a
// matrix unit rounds its sums is left open there; here every product is added in f32, which is less exact
// than devices are.
#include "Decoder.h"
#include "Finding.h"
#include "HalfFormats.h"
#include "Warp.h"

namespace halfstep::emulator {
namespace {

void requireWholeWarp(Warp &warp, uint32_t mask) {
  if (mask != kAllLanes)
    throw Finding(warp.threads() == kAllLanes ? "divergent: some lanes of the warp do not come to it"
                                              : "needs all 32 lanes of the warp");
}

// --- ldmatrix ---

/// The rows of 8x8 matrices of 16-bit elements: lane 8 * m + r has the address of row r of matrix m.
template <bool transposed>
void loadMatrices(Warp &warp, const Op &op, uint32_t mask) {
  requireWholeWarp(warp, mask);
  const auto &results = op.detail->results;
  for (size_t matrix = 0; matrix < results.size(); ++matrix) {
    uint16_t elements[8][8];
    for (unsigned row = 0; row < 8; ++row) {
      const unsigned lane = static_cast<unsigned>(matrix) * 8 + row;
      warp.faultLane = lane;
      const uint64_t address = (op.detail->sharedIsWide ? warp.lanes<uint64_t>(op.sources[0])[lane]
                                                        : warp.lanes<uint32_t>(op.sources[0])[lane]) +
                               static_cast<uint64_t>(op.immediate);
      if (address % 16)
        throw Finding("reads a row of a matrix at an address that is not aligned to 16 bytes");
      if (address > warp.block->shared->size() || warp.block->shared->size() - address < 16)
        throw Finding("reads a row of a matrix at " + std::to_string(address) + " of " +
                      std::to_string(warp.block->shared->size()) + " bytes of shared memory");
      warp.block->shared->checkRead(address, 16, warp.stamp(lane));
      std::memcpy(elements[row], warp.block->shared->data() + address, 16);
    }
    for (unsigned lane = 0; lane < kLanes; ++lane) {
      const unsigned row = lane / 4, column = lane % 4 * 2;
      const uint32_t low = transposed ? elements[column][row] : elements[row][column];
      const uint32_t high = transposed ? elements[column + 1][row] : elements[row][column + 1];
      warp.lanes<uint32_t>(results[matrix])[lane] = high << 16 | low;
    }
    warp.setWritten(results[matrix], mask);
  }
}

void decodeLoadMatrix(Decoder &decoder, Modifiers &modifiers) {
  const size_t count = modifiers.take("x4") ? 4 : modifiers.take("x2") ? 2 : modifiers.take("x1") ? 1 : 0;
  const bool transposed = modifiers.take("trans");
  for (const char *word : {"sync", "aligned", "m8n8", "shared", "b16"})
    if (!modifiers.take(word))
      decoder.refuse();
  decoder.expectOperands(2);
  const Operand &to = decoder.in().operands[0];
  if (to.kind != Operand::Kind::Vector || to.parts.size() != count)
    decoder.refuse();
  std::vector<Slot> results;
  for (const Operand &part : to.parts)
    results.push_back(decoder.result(part, 32));
  const Decoder::Address address = decoder.address(decoder.in().operands[1]);
  Op &op = decoder.emit(transposed ? loadMatrices<true> : loadMatrices<false>);
  op.sources[0] = address.base;
  op.immediate = address.offset;
  op.convergent = true;
  Detail &detail = decoder.detail(op);
  detail.results = results;
  detail.sharedIsWide = address.bits == 64;
}

// --- mma ---

/// Fills rows x 16 elements from fragments of `count` registers: register i holds, for lane l, the elements
/// (l / 4 + 8 * rowBlock, 2 * (l % 4) + 8 * columnBlock) and the one behind it.
template <typename T>
void spread(Warp &warp, Slot slot, float (*matrix)[16], unsigned rowBlock, unsigned columnBlock) {
  const uint32_t *lanes = warp.lanes<uint32_t>(slot);
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    float *to = &matrix[lane / 4 + 8 * rowBlock][lane % 4 * 2 + 8 * columnBlock];
    to[0] = toFloat(T{static_cast<uint16_t>(lanes[lane])});
    to[1] = toFloat(T{static_cast<uint16_t>(lanes[lane] >> 16)});
  }
}

/// D[16][8] = A[16][16] * B[16][8] + C; detail->sources: a0-a3, b0-b1, c0-c3; detail->results: d0-d3.
template <typename T>
void multiplyMatrices(Warp &warp, const Op &op, uint32_t mask) {
  requireWholeWarp(warp, mask);
  const auto &in = op.detail->sources;
  for (Slot slot : in)
    warp.requireWritten(slot, mask);
  float a[16][16], columns[8][16], b[16][8], c[16][8];
  for (unsigned i = 0; i < 4; ++i)
    spread<T>(warp, in[i], a, i % 2, i / 2);
  for (unsigned i = 0; i < 2; ++i)
    spread<T>(warp, in[4 + i], columns, 0, i);
  for (unsigned k = 0; k < 16; ++k)
    for (unsigned n = 0; n < 8; ++n)
      b[k][n] = columns[n][k];
  for (unsigned i = 0; i < 4; ++i)
    for (unsigned lane = 0; lane < kLanes; ++lane)
      c[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2] = warp.lanes<float>(in[6 + i])[lane];
  for (unsigned m = 0; m < 16; ++m)
    for (unsigned k = 0; k < 16; ++k)
      for (unsigned n = 0; n < 8; ++n)
        c[m][n] += a[m][k] * b[k][n];
  for (unsigned i = 0; i < 4; ++i) {
    for (unsigned lane = 0; lane < kLanes; ++lane)
      warp.lanes<float>(op.detail->results[i])[lane] =
          canonical(c[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2]);
    warp.setWritten(op.detail->results[i], mask);
  }
}

void decodeMultiply(Decoder &decoder, Modifiers &modifiers) {
  const bool half = modifiers.take("f16");
  for (const char *word : {"sync", "aligned", "m16n8k16", "row", "col", half ? "f16" : "bf16", "f32", "f32"})
    if (!modifiers.take(word))
      decoder.refuse();
  if (!half && !modifiers.take("bf16"))
    decoder.refuse();
  decoder.expectOperands(4);
  const auto &operands = decoder.in().operands;
  std::vector<Slot> slots[4];
  const size_t counts[4] = {4, 4, 2, 4};
  for (size_t i = 0; i < 4; ++i) {
    if (operands[i].parts.size() != counts[i])
      decoder.refuse();
    for (const Operand &part : operands[i].parts)
      slots[i].push_back(i == 0 ? decoder.result(part, 32) : decoder.source(part, 32));
  }
  Op &op = decoder.emit(half ? multiplyMatrices<F16> : multiplyMatrices<BF16>);
  op.convergent = true;
  Detail &detail = decoder.detail(op);
  detail.results = slots[0];
  for (size_t i = 1; i < 4; ++i)
    detail.sources.insert(detail.sources.end(), slots[i].begin(), slots[i].end());
}

} // namespace

void addMatrixDecoders(InstructionDecoders &decoders) {
  decoders["ldmatrix"] = decodeLoadMatrix;
  decoders["mma"] = decodeMultiply;
}

} // namespace halfstep::emulator
