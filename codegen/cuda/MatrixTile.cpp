// See MatrixTile.h.
#include "codegen/cuda/MatrixTile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;

namespace halfstep {

static constexpr int64_t kChunkBytes = kChunk * kHalfBytes;

static Value asI64(KernelBuilder &b, Value index) {
  return arith::IndexCastOp::create(b, b.getI64Type(), index);
}

Value offsetPointer(KernelBuilder &b, Value base, Value bytes) {
  return LLVM::GEPOp::create(b, base.getType(), b.getI8Type(), base, ArrayRef<LLVM::GEPArg>{asI64(b, bytes)});
}

Value MatrixTile::place(KernelBuilder &b, Value row, Value chunk) const {
  // Rows of four chunks share the banks two by two.
  Value turn = alongK ? b.remainder(b.quotient(row, 2), 4) : b.remainder(row, 8);
  Value turned = arith::XOrIOp::create(b, chunk, turn);
  return b.times(b.plus(b.times(row, chunks()), turned), kChunkBytes);
}

void MatrixTile::copy(KernelBuilder &b, Value matrix, Value tile, Value first, Value k) const {
  Value thread = threadInBlock(b);
  int64_t width = alongK ? depth : extent;
  for (int64_t i = 0; i < rows() * chunks() / threads; ++i) {
    Value number = b.plus(thread, i * threads);
    Value row = b.quotient(number, chunks()), chunk = b.remainder(number, chunks());
    Value inRow = b.times(chunk, kChunk);
    Value globalRow = b.plus(alongK ? first : k, row), globalColumn = b.plus(alongK ? k : first, inRow);
    Value from = b.times(b.plus(b.times(globalRow, width), globalColumn), kHalfBytes), count;
    if (!isCutExactly()) {
      Value inside = arith::AndIOp::create(b, isBelow(b, globalRow, alongK ? extent : depth),
                                           isBelow(b, globalColumn, width));
      // A copy of 0 bytes fills with zeros; its address must be one all the same.
      from = arith::SelectOp::create(b, inside, from, b.index(0));
      count = arith::SelectOp::create(b, inside, b.integer(kChunkBytes, b.getI32Type()),
                                      b.integer(0, b.getI32Type()));
    }
    NVVM::CpAsyncOp::create(b, offsetPointer(b, tile, place(b, row, chunk)), offsetPointer(b, matrix, from),
                            uint32_t(kChunkBytes), NVVM::LoadCacheModifierKind::CG, count);
  }
}

Values MatrixTile::fragments(KernelBuilder &b, Value tile, Value lane, Value inSide, int64_t inK,
                             bool columnsFirst) const {
  // Lane l gives the address of row l % 8 of matrix l / 8. Matrices lie 8 apart along one index for odd
  // numbers and along the other from 2 on.
  Value inMatrix = b.remainder(lane, 8), odd = b.remainder(b.quotient(lane, 8), 2),
        high = b.quotient(lane, 16);
  Value alongSide = columnsFirst ? high : odd, alongDepth = columnsFirst ? odd : high;
  Value row, chunk;
  if (alongK) {
    row = b.plus(inSide, b.plus(inMatrix, b.times(alongSide, 8)));
    chunk = b.plus(alongDepth, inK / kChunk);
  } else {
    row = b.plus(b.plus(inMatrix, b.times(alongDepth, 8)), inK);
    chunk = b.plus(b.quotient(inSide, kChunk), alongSide);
  }
  Type word = b.getI32Type();
  auto type = LLVM::LLVMStructType::getLiteral(b.getContext(), {word, word, word, word});
  Value loaded = NVVM::LdMatrixOp::create(b, type, offsetPointer(b, tile, place(b, row, chunk)), 4u,
                                          alongK ? NVVM::MMALayout::row : NVVM::MMALayout::col,
                                          NVVM::LdStMatrixShapeAttr::get(b.getContext(), 8, 8),
                                          NVVM::LdStMatrixEltType::B16);
  Values words;
  for (int64_t i = 0; i < 4; ++i)
    words.push_back(LLVM::ExtractValueOp::create(b, loaded, i));
  return words;
}

} // namespace halfstep
