// One operand's tile of a product by the tensor cores: where its 16-byte chunks lie in shared memory, how
// they get there and how a warp takes fragments from it.
#ifndef HALFSTEP_CODEGEN_CUDA_MATRIXTILE_H
#define HALFSTEP_CODEGEN_CUDA_MATRIXTILE_H

#include "codegen/cuda/ThreadBuilder.h"

namespace halfstep {

/// Elements of k in a tile, elements in a chunk, and bytes of an element.
inline constexpr int64_t kTileDepth = 32, kChunk = 8, kHalfBytes = 2;

/// A tile of `side` rows of a, or columns of b, by kTileDepth. Its rows in shared memory are those of global
/// memory. Chunks are permuted within a row, so that the eight rows that an ldmatrix reads at a time lie in
/// different banks.
struct MatrixTile {
  int64_t side;    ///< along m or n
  int64_t extent;  ///< of the whole matrix along m or n
  int64_t depth;   ///< of the whole matrix along k
  bool alongK;     ///< k is the contiguous index
  int64_t threads; ///< of the block

  int64_t rows() const { return alongK ? side : kTileDepth; }
  int64_t chunks() const { return (alongK ? kTileDepth : side) / kChunk; }
  int64_t bytes() const { return side * kTileDepth * kHalfBytes; }
  bool isCutExactly() const { return extent % side == 0 && depth % kTileDepth == 0; }

  /// Byte offset of a chunk in the tile.
  Value place(KernelBuilder &b, Value row, Value chunk) const;

  /// Starts the copies of the thread's chunks. `matrix`: global pointer to the matrix; `tile`: shared
  /// pointer; `first`: the tile's begin along m or n; `k`: along k. What lies outside the matrix becomes 0.
  void copy(KernelBuilder &b, Value matrix, Value tile, Value first, Value k) const;

  /// Fragments of 16 x 16 elements from (inSide, inK) of the tile on, as four registers of two elements.
  /// `columnsFirst`: in the order of b's fragments, whose halves along k lie together.
  Values fragments(KernelBuilder &b, Value tile, Value lane, Value inSide, int64_t inK,
                   bool columnsFirst) const;
};

/// base + offset bytes.
Value offsetPointer(KernelBuilder &b, Value base, Value bytes);

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_CUDA_MATRIXTILE_H
