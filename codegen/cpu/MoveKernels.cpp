// Kernels of kind "move": nn.transpose, nn.split and nn.concat, as strided copies.
#include "codegen/cpu/KernelEmitters.h"
#include "codegen/cpu/StridedDomain.h"

#include "dialect/nn/NNDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace halfstep {

static ArrayRef<int64_t> shapeOf(Value value) { return cast<RankedTensorType>(value.getType()).getShape(); }

//===----------------------------------------------------------------------===//
// Transposition
//===----------------------------------------------------------------------===//

namespace {

/// Extent of a tile along the input's contiguous dimension. Along the result's it is a cache line.
constexpr int64_t kTile = 16;

/// result[i0, i1, ...] = input[i0 * strides[0] + i1 * strides[1] + ...], dimensions merged.
struct Transposition {
  explicit Transposition(nn::TransposeOp op) {
    Strides source = rowMajorStrides(shapeOf(op.getInput()));
    for (int64_t dim : op.getPerm())
      reads.push_back(source[dim]);
    writes = rowMajorStrides(shapeOf(op.getResult()));
    extents = mergeDimensions(shapeOf(op.getResult()), {&reads, &writes});
    const auto *place = llvm::find(reads, 1);
    contiguous = size_t(place - reads.begin());
  }

  SmallVector<int64_t> extents;
  Strides reads, writes;
  /// The dimension along which the input is contiguous.
  size_t contiguous;

  bool isCopy() const { return contiguous + 1 >= extents.size(); }
  /// Indices of the first dimension that an item covers.
  int64_t block() const { return contiguous == 0 && !isCopy() ? kTile : 1; }
  int64_t items() const { return extents.empty() ? 1 : int64_t(llvm::divideCeil(extents[0], block())); }
};

} // namespace

namespace {

/// Transposes tile by tile through a small buffer, so that memory is read and written in whole lines: the
/// lines of a column often share a set of the cache and would push each other out.
class TiledTranspose {
public:
  TiledTranspose(KernelBuilder &b, const KernelCall &call, const Transposition &move)
      : b(b), call(call), move(move) {}

  void run(Value in, Value out) {
    Type element = cast<MemRefType>(in.getType()).getElementType();
    width = 64 * 8 / element.getIntOrFloatBitWidth();
    buffer = b.stackBuffer({kTile, width}, element);
    visit(in, out, 0, 0);
  }

private:
  KernelBuilder &b;
  const KernelCall &call;
  const Transposition &move;
  Value buffer;
  int64_t width = 0;

  /// Loops over all dimensions but the two that are contiguous on one side, from `dim` on; the views have
  /// `kept` dimensions before it.
  void visit(Value in, Value out, size_t dim, int64_t kept) {
    if (dim == move.extents.size())
      return emitTiles(in, out);
    if (dim == move.contiguous || dim + 1 == move.extents.size())
      return visit(in, out, dim + 1, kept + 1);
    Value lo = dim == 0 ? call.lo : b.index(0), hi = dim == 0 ? call.hi : b.index(move.extents[dim]);
    b.loop(lo, hi, 1, [&](Value at) { visit(b.slice(in, kept, at), b.slice(out, kept, at), dim + 1, kept); });
  }

  /// in[i, j] with contiguous i to out[i, j] with contiguous j.
  void emitTiles(Value in, Value out) {
    int64_t extent = move.extents[move.contiguous];
    bool isCut = move.contiguous == 0;
    Value lo = isCut ? call.lo : b.index(0);
    Value hi = isCut ? call.hi : b.index(int64_t(llvm::divideCeil(extent, kTile)));
    b.loop(lo, hi, 1, [&](Value i) {
      b.loop(int64_t(llvm::divideCeil(move.extents.back(), width)), [&](Value j) {
        auto part = [&](Value view) {
          return tile(tile(view, 0, i, extent, kTile), 1, j, move.extents.back(), width);
        };
        copyTile(part(in), part(out));
      });
    });
  }

  /// Tile `number` of a dimension.
  Value tile(Value view, int64_t dim, Value number, int64_t extent, int64_t size) {
    Value begin = b.times(number, size), end = b.smaller(b.plus(begin, size), b.index(extent));
    return b.slice(view, dim, begin, end, extent % size == 0 ? size : ShapedType::kDynamic);
  }

  void copyTile(Value in, Value out) {
    Value held = buffer;
    for (int64_t dim : {0, 1})
      held =
          b.slice(held, dim, b.index(0), b.extent(in, dim), cast<MemRefType>(in.getType()).getDimSize(dim));
    AffineExpr i = b.getAffineDimExpr(1), j = b.getAffineDimExpr(0);
    b.copy(in, held, AffineMap::get(2, 0, {i, j}, b.getContext()));
    b.copy(held, out);
  }
};

} // namespace

static void emitTranspose(KernelBuilder &b, nn::TransposeOp op, const KernelCall &call) {
  Transposition move(op);
  Value in = b.strided(call.input(op.getInput()), move.extents, move.reads);
  Value out = b.strided(call.result(0), move.extents, move.writes);
  if (move.extents.empty())
    b.copy(in, out);
  else if (move.isCopy())
    b.copy(b.rows(in, call.lo, call.hi), b.rows(out, call.lo, call.hi));
  else
    TiledTranspose(b, call, move).run(in, out);
}

//===----------------------------------------------------------------------===//
// Pieces along an axis
//===----------------------------------------------------------------------===//

namespace {

/// nn.split and nn.concat: a whole and its pieces, which are consecutive along one axis. Seen as matrices, a
/// piece is `outer` rows of its own length in the longer rows of the whole.
struct Pieces {
  explicit Pieces(Operation *op) {
    llvm::TypeSwitch<Operation *>(op)
        .Case([&](nn::SplitOp split) { set(split.getInput(), split.getPieces(), split.getAxis()); })
        .Case([&](nn::ConcatOp concat) { set(concat.getResult(), concat.getPieces(), concat.getAxis()); });
  }

  Value whole;
  SmallVector<Value> parts;
  int64_t outer = 1;
  int64_t rowLength() const { return cast<RankedTensorType>(whole.getType()).getNumElements() / outer; }
  int64_t rowLength(Value part) const {
    return cast<RankedTensorType>(part.getType()).getNumElements() / outer;
  }
  /// Without rows, each piece is an item.
  int64_t items() const { return outer > 1 ? outer : int64_t(parts.size()); }

private:
  void set(Value value, ValueRange pieces, uint64_t axis) {
    whole = value;
    parts.assign(pieces.begin(), pieces.end());
    for (int64_t extent : shapeOf(value).take_front(axis))
      outer *= extent;
  }
};

} // namespace

static void emitPieces(KernelBuilder &b, Operation *op, const KernelCall &call) {
  Pieces pieces(op);
  bool isSplit = isa<nn::SplitOp>(op);
  auto bufferOf = [&](Value value, bool isInput) {
    return isInput ? call.input(value) : call.resultOf(value);
  };
  Value whole = bufferOf(pieces.whole, isSplit);
  int64_t offset = 0;
  for (auto [i, part] : llvm::enumerate(pieces.parts)) {
    int64_t length = pieces.rowLength(part), start = std::exchange(offset, offset + length);
    Value buffer = bufferOf(part, !isSplit);
    if (!buffer) // a piece that nobody reads
      continue;
    Value outside = b.strided(whole, {pieces.outer, length}, {pieces.rowLength(), 1}, start);
    Value piece = b.matrix(buffer, pieces.outer, length);
    auto move = [&](Value lo, Value hi) {
      Value from = b.rows(isSplit ? outside : piece, lo, hi), to = b.rows(isSplit ? piece : outside, lo, hi);
      b.copy(from, to);
    };
    if (pieces.outer > 1) {
      move(call.lo, call.hi);
      continue;
    }
    auto compare = [&](arith::CmpIPredicate predicate, Value bound) {
      return arith::CmpIOp::create(b, predicate, bound, b.index(int64_t(i)));
    };
    Value isMine = arith::AndIOp::create(b, compare(arith::CmpIPredicate::sle, call.lo),
                                         compare(arith::CmpIPredicate::sgt, call.hi));
    b.when(isMine, [&] { move(b.index(0), b.index(1)); });
  }
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

ContractionPlan planMove(train::KernelOp kernel, const CpuLevel &) {
  Operation *op = &kernel.getBlock().front();
  ContractionPlan plan;
  int64_t elements;
  if (auto transpose = dyn_cast<nn::TransposeOp>(op)) {
    plan.items = Transposition(transpose).items();
    elements = cast<RankedTensorType>(transpose.getType()).getNumElements();
  } else {
    Pieces pieces(op);
    plan.items = pieces.items();
    elements = cast<RankedTensorType>(pieces.whole.getType()).getNumElements();
  }
  int64_t bytes = 2 * elements * getElementTypeOrSelf(op->getResult(0).getType()).getIntOrFloatBitWidth() / 8;
  plan.grain = grainOf(bytes / plan.items, elements / plan.items);
  return plan;
}

LogicalResult emitMove(KernelBuilder &b, const KernelCall &call) {
  if (auto transpose = dyn_cast<nn::TransposeOp>(call.op()))
    emitTranspose(b, transpose, call);
  else
    emitPieces(b, call.op(), call);
  return success();
}

} // namespace halfstep
