// See MatrixProduct.h.
#include "codegen/cuda/MatrixProduct.h"
#include "codegen/cuda/MatrixTile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace halfstep {

/// Extents of one mma instruction, and tiles in shared memory: one is multiplied while two are on their way.
static constexpr int64_t kMmaRows = 16, kMmaColumns = 8, kMmaDepth = 16, kStages = 3;
static constexpr unsigned kSharedSpace = 3, kGlobalSpace = 1;

LaunchShape MatrixPlan::launch(const ProductShape &shape) const {
  LaunchShape launch;
  launch.block[0] = warps() * kWarp;
  launch.grid = {int64_t(llvm::divideCeil(shape.n, side)), int64_t(llvm::divideCeil(shape.m, side)),
                 shape.batch};
  return launch;
}

std::optional<MatrixPlan> planMatrixProduct(const ProductShape &shape, const MatrixOperands &operands) {
  if (operands.element.getIntOrFloatBitWidth() != 16)
    return std::nullopt;
  constexpr int64_t least = 16, enoughBlocks = 128;
  int64_t rowOfA = operands.transposeA ? shape.m : shape.k, rowOfB = operands.transposeB ? shape.k : shape.n;
  if (rowOfA % kChunk != 0 || rowOfB % kChunk != 0 || std::min({shape.m, shape.n, shape.k}) < least)
    return std::nullopt;
  const MatrixPlan large{128, 64, 32}, small{64, 32, 32};
  LaunchShape launch = large.launch(shape);
  return launch.grid[0] * launch.grid[1] * launch.grid[2] >= enoughBlocks ? large : small;
}

namespace {

class MatrixThreads {
public:
  MatrixThreads(KernelBuilder &b, const ProductShape &shape, const MatrixOperands &operands, MatrixPlan plan)
      : b(b), shape(shape), operands(operands), plan(plan),
        aTile{plan.side, shape.m, shape.k, !operands.transposeA, plan.warps() * kWarp},
        bTile{plan.side, shape.n, shape.k, operands.transposeB, plan.warps() * kWarp} {}

  void emit(Value left, Value right, function_ref<void(Value, Value, Value, Value)> store) {
    Value thread = threadInBlock(b), warp = b.quotient(thread, kWarp);
    lane = b.remainder(thread, kWarp);
    batch = blockNumber(b, gpu::Dimension::z);
    firstRow = b.times(blockNumber(b, gpu::Dimension::y), plan.side);
    firstColumn = b.times(blockNumber(b, gpu::Dimension::x), plan.side);
    int64_t warpsInRow = plan.side / plan.warpColumns;
    warpRow = b.times(b.quotient(warp, warpsInRow), plan.warpRows);
    warpColumn = b.times(b.remainder(warp, warpsInRow), plan.warpColumns);
    aMatrix = globalPointer(left, shape.m * shape.k);
    bMatrix = globalPointer(right, shape.k * shape.n);
    stages = sharedTiles();

    for (int64_t stage = 0; stage + 1 < kStages; ++stage)
      copyTiles(b.index(stage));
    int64_t steps = llvm::divideCeil(shape.k, kTileDepth);
    Values zeros(rowsOfMma() * columnsOfMma() * 4, b.number(0, b.getF32Type()));
    Values sums = b.carry(b.index(0), b.index(steps), 1, zeros, [&](Value step, ValueRange old) {
      NVVM::CpAsyncWaitGroupOp::create(b, uint32_t(kStages - 2));
      barrier(b);
      // Into the stage that all warps have left before the barrier.
      copyTiles(b.plus(step, kStages - 1));
      return multiply(step, old);
    });
    keepRolled(sums);
    NVVM::CpAsyncWaitGroupOp::create(b, 0u);
    storeAll(sums, store);
  }

private:
  KernelBuilder &b;
  const ProductShape &shape;
  const MatrixOperands &operands;
  const MatrixPlan plan;
  const MatrixTile aTile, bTile;
  Value lane, batch, firstRow, firstColumn, warpRow, warpColumn, aMatrix, bMatrix, stages;

  int64_t rowsOfMma() const { return plan.warpRows / kMmaRows; }
  int64_t columnsOfMma() const { return plan.warpColumns / kMmaColumns; }

  /// Where the matrix of the block's batch begins.
  Value globalPointer(Value flat, int64_t elements) {
    Value address = memref::ExtractAlignedPointerAsIndexOp::create(b, flat);
    address = arith::IndexCastOp::create(b, b.getI64Type(), address);
    Value generic = LLVM::IntToPtrOp::create(b, LLVM::LLVMPointerType::get(b.getContext()), address);
    Value global =
        LLVM::AddrSpaceCastOp::create(b, LLVM::LLVMPointerType::get(b.getContext(), kGlobalSpace), generic);
    return shape.batch == 1 ? global : offsetPointer(b, global, b.times(batch, elements * kHalfBytes));
  }

  /// The memory of all stages.
  Value sharedTiles() {
    constexpr int64_t alignment = 128;
    FunctionOpInterface function = b.function();
    std::string name = function.getName().str() + "_tiles";
    auto type = LLVM::LLVMArrayType::get(b.getI8Type(), uint64_t(kStages * (aTile.bytes() + bTile.bytes())));
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPoint(function);
      LLVM::GlobalOp::create(b, type, /*isConstant=*/false, LLVM::Linkage::Internal, name, Attribute(),
                             alignment, kSharedSpace);
    }
    return LLVM::AddressOfOp::create(b, LLVM::LLVMPointerType::get(b.getContext(), kSharedSpace), name);
  }

  Value stageOf(Value step) {
    return offsetPointer(b, stages, b.times(b.remainder(step, kStages), aTile.bytes() + bTile.bytes()));
  }
  Value bTileOf(Value stage) { return offsetPointer(b, stage, b.index(aTile.bytes())); }

  /// Starts the copies of a step's tiles; steps behind the last one copy zeros.
  void copyTiles(Value step) {
    Value stage = stageOf(step), k = b.times(step, kTileDepth);
    auto copy = [&] {
      aTile.copy(b, aMatrix, stage, firstRow, k);
      bTile.copy(b, bMatrix, bTileOf(stage), firstColumn, k);
    };
    bool isGuarded = !aTile.isCutExactly() && !bTile.isCutExactly();
    isGuarded ? copy() : b.when(isBelow(b, k, shape.k), copy);
    NVVM::CpAsyncCommitGroupOp::create(b);
  }

  Values multiply(Value step, ValueRange old) {
    Values sums(old);
    Value stage = stageOf(step);
    for (int64_t inK = 0; inK < kTileDepth; inK += kMmaDepth) {
      SmallVector<Values> rows, columns;
      for (int64_t i = 0; i < rowsOfMma(); ++i)
        rows.push_back(aTile.fragments(b, stage, lane, b.plus(warpRow, i * kMmaRows), inK, false));
      for (int64_t j = 0; j < columnsOfMma(); j += 2) {
        Values pair = bPair(stage, j, inK);
        columns.push_back({pair[0], pair[1]});
        columns.push_back({pair[2], pair[3]});
      }
      for (int64_t i = 0; i < rowsOfMma(); ++i)
        for (int64_t j = 0; j < columnsOfMma(); ++j)
          multiplyAdd(rows[i], columns[j], MutableArrayRef(sums).slice((i * columnsOfMma() + j) * 4, 4));
    }
    return sums;
  }

  /// Fragments of b for two neighbouring blocks of columns.
  Values bPair(Value stage, int64_t j, int64_t inK) {
    return bTile.fragments(b, bTileOf(stage), lane, b.plus(warpColumn, j * kMmaColumns), inK, true);
  }

  /// sums += rows x columns.
  void multiplyAdd(ArrayRef<Value> rows, ArrayRef<Value> columns, MutableArrayRef<Value> sums) {
    bool isBf16 = operands.element.isBF16();
    auto typed = [&](ArrayRef<Value> words) {
      return llvm::map_to_vector(words, [&](Value word) -> Value {
        return isBf16 ? word : Value(LLVM::BitcastOp::create(b, VectorType::get(2, b.getF16Type()), word));
      });
    };
    Type f32 = b.getF32Type();
    auto type = LLVM::LLVMStructType::getLiteral(b.getContext(), {f32, f32, f32, f32});
    NVVM::MMATypes element = isBf16 ? NVVM::MMATypes::bf16 : NVVM::MMATypes::f16;
    Value product =
        NVVM::MmaOp::create(b, type, ValueRange(typed(rows)), ValueRange(typed(columns)), ValueRange(sums),
                            ArrayRef<int64_t>{kMmaRows, kMmaColumns, kMmaDepth}, std::nullopt, std::nullopt,
                            std::array<NVVM::MMATypes, 2>{element, element},
                            std::array<NVVM::MMALayout, 2>{NVVM::MMALayout::row, NVVM::MMALayout::col});
    for (auto [i, sum] : llvm::enumerate(sums))
      sum = LLVM::ExtractValueOp::create(b, product, int64_t(i));
  }

  /// A lane has two neighbouring columns of rows lane / 4 and lane / 4 + 8 of each product.
  void storeAll(ValueRange sums, function_ref<void(Value, Value, Value, Value)> store) {
    Value row = b.plus(b.plus(firstRow, warpRow), b.quotient(lane, 4));
    Value column = b.plus(b.plus(firstColumn, warpColumn), b.times(b.remainder(lane, 4), 2));
    for (int64_t i = 0; i < rowsOfMma(); ++i)
      for (int64_t j = 0; j < columnsOfMma(); ++j)
        for (int64_t half = 0; half < 2; ++half) {
          Value atRow = b.plus(row, i * kMmaRows + half * 8), atColumn = b.plus(column, j * kMmaColumns);
          int64_t number = (i * columnsOfMma() + j) * 4 + half * 2;
          storePair(atRow, atColumn, sums[number], sums[number + 1], store);
        }
  }

  void storePair(Value row, Value column, Value first, Value second,
                 function_ref<void(Value, Value, Value, Value)> store) {
    Value inside;
    if (shape.m % plan.side != 0)
      inside = isBelow(b, row, shape.m);
    if (shape.n % plan.side != 0) {
      Value below = isBelow(b, column, shape.n);
      inside = inside ? Value(arith::AndIOp::create(b, inside, below)) : below;
    }
    auto write = [&] {
      store(batch, row, column, first);
      Value next = b.plus(column, 1);
      auto writeNext = [&] { store(batch, row, next, second); };
      shape.n % 2 == 0 ? writeNext() : b.when(isBelow(b, next, shape.n), writeNext);
    };
    inside ? b.when(inside, write) : write();
  }
};

} // namespace

void emitMatrixProduct(KernelBuilder &b, const ProductShape &shape, const MatrixOperands &operands,
                       Value left, Value right, function_ref<void(Value, Value, Value, Value)> store) {
  MatrixThreads(b, shape, operands, *planMatrixProduct(shape, operands)).emit(left, right, store);
}

} // namespace halfstep
