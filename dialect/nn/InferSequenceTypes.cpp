// Result types of the ops on sequences: embedding, attention, rotary positions and root mean square
// normalisation.
#include "dialect/nn/InferTypes.h"

#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace halfstep::nn {

static LogicalResult expectElements(std::optional<Location> loc, StringRef what, Value value) {
  if (!llvm::is_contained(tensorType(value).getShape(), 0))
    return success();
  return fail(loc, what, " has type ", value.getType(), ", expected no extent of 0");
}

/// Ids that a model fixes are checked here; the runtime checks those that it is given.
static LogicalResult checkKnownIds(std::optional<Location> loc, Value ids, int64_t rows) {
  while (isa_and_present<ReshapeOp, SliceOp>(ids.getDefiningOp()))
    ids = ids.getDefiningOp()->getOperand(0);
  DenseIntElementsAttr known;
  if (!matchPattern(ids, m_Constant(&known)))
    return success();
  for (const APInt &id : known.getValues<APInt>())
    if (id.isNegative() || id.sge(rows))
      return fail(loc, "id ", id.getSExtValue(), " is outside a table of ", rows, " rows");
  return success();
}

HS_INFER(EmbeddingOp) {
  if (failed(expectRank(loc, "table", adaptor.getTable(), 2)) ||
      failed(expectElements(loc, "table", adaptor.getTable())) ||
      failed(expectElements(loc, "ids", adaptor.getIds())) ||
      failed(checkKnownIds(loc, adaptor.getIds(), tensorType(adaptor.getTable()).getDimSize(0))))
    return failure();
  SmallVector<int64_t> shape(tensorType(adaptor.getIds()).getShape());
  shape.push_back(tensorType(adaptor.getTable()).getDimSize(1));
  types.push_back(makeTensor(shape, elementType(adaptor.getTable())));
  return success();
}

HS_INFER(EmbeddingBackwardOp) {
  RankedTensorType grad = tensorType(adaptor.getGrad());
  SmallVector<int64_t> shape(tensorType(adaptor.getIds()).getShape());
  int64_t rows = adaptor.getRowsAttr().getInt();
  if (grad.getRank() < 1)
    return fail(loc, "grad has type ", grad, ", expected a row for each id");
  if (failed(expectElements(loc, "grad", adaptor.getGrad())))
    return failure();
  if (rows < 1)
    return fail(loc, "rows is ", rows, ", expected at least 1");
  shape.push_back(grad.getShape().back());
  types.push_back(makeTensor({rows, shape.back()}, grad.getElementType()));
  return expectShape(loc, "grad", adaptor.getGrad(), shape);
}

namespace {

/// The operands of attention, checked, and its extents.
struct Projections {
  ValueRange tensors; ///< query, key and value, or one that holds them
  int64_t batch = 0, heads = 0, queries = 0, keys = 0, columns = 0;
};

} // namespace

static LogicalResult checkMask(std::optional<Location> loc, const Projections &p, Value mask) {
  RankedTensorType type = tensorType(mask);
  if (!isa<FloatType>(type.getElementType()))
    return expectShape(loc, "the mask", mask, {p.batch, p.keys});
  int64_t wanted[] = {p.batch, p.heads, p.queries, p.keys};
  bool fits = type.getRank() == 4 && type.getDimSize(3) == p.keys;
  for (int64_t i = 0; i < 3 && fits; ++i)
    fits = type.getDimSize(i) == 1 || type.getDimSize(i) == wanted[i];
  if (!fits)
    return fail(loc, "the mask has type ", type, ", expected extents of 1 or those of ",
                makeTensor(wanted, type.getElementType()), ", the last whole");
  if (type.getElementType() != elementType(p.tensors.front()))
    return fail(loc, "attention of ", p.tensors.front().getType(), " with a mask of ", type,
                ", expected one element type");
  return success();
}

template <typename Adaptor>
static LogicalResult checkProjections(std::optional<Location> loc, Adaptor adaptor, Projections &p) {
  bool masked = adaptor.getMasked();
  ValueRange all = adaptor.getTensors();
  if (all.size() < (masked ? 2 : 1))
    return fail(loc, "attention without tensors");
  p.tensors = all.drop_back(masked ? 1 : 0);
  if (p.tensors.size() != 1 && p.tensors.size() != 3)
    return fail(loc, "attention of ", static_cast<int64_t>(p.tensors.size()),
                " tensors, expected query, key and value, or one that holds the three side by side");
  for (Value tensor : p.tensors)
    if (failed(expectRank(loc, "an operand of attention", tensor, 3)) ||
        failed(expectElements(loc, "an operand of attention", tensor)))
      return failure();
  RankedTensorType query = tensorType(p.tensors.front());
  if (!isa<FloatType>(query.getElementType()))
    return fail(loc, "attention of ", query, ", expected a floating element type");
  bool packed = p.tensors.size() == 1;
  p.heads = static_cast<int64_t>(adaptor.getHeads());
  int64_t keyHeads = static_cast<int64_t>(adaptor.getKvHeads().value_or(p.heads));
  if (p.heads < 1 || keyHeads < 1 || p.heads % keyHeads != 0)
    return fail(loc, "attention in ", p.heads, " heads of queries and ", keyHeads,
                " of keys, expected a number of the first that the second divides");
  int64_t parts = p.heads + (packed ? 2 * keyHeads : 0), width = query.getDimSize(2);
  if (p.heads > width || width % parts != 0)
    return fail(loc, "attention of ", query, " in ", p.heads, " heads, expected columns for ", parts,
                " equal parts");
  p.batch = query.getDimSize(0);
  p.queries = query.getDimSize(1);
  p.keys = tensorType(p.tensors[packed ? 0 : 1]).getDimSize(1);
  p.columns = width / parts * p.heads;
  for (Value tensor : p.tensors.drop_front()) {
    if (elementType(tensor) != query.getElementType())
      return fail(loc, "attention of ", query, " and ", tensor.getType(), ", expected one element type");
    if (failed(expectShape(loc, "key and value", tensor, {p.batch, p.keys, width / parts * keyHeads})))
      return failure();
  }
  return masked ? checkMask(loc, p, all.back()) : success();
}

HS_INFER(AttentionOp) {
  Projections p;
  if (failed(checkProjections(loc, adaptor, p)))
    return failure();
  types.assign({makeTensor({p.batch, p.queries, p.columns}, elementType(p.tensors.front())),
                makeTensor({p.batch, p.heads, p.queries}, statisticsType(p.tensors.front()))});
  return success();
}

HS_INFER(AttentionBackwardOp) {
  Projections p;
  if (failed(checkProjections(loc, adaptor, p)))
    return failure();
  llvm::append_range(types, p.tensors.getTypes());
  int64_t result[] = {p.batch, p.queries, p.columns};
  return success(succeeded(expectShape(loc, "grad", adaptor.getGrad(), result)) &&
                 succeeded(expectShape(loc, "the saved result", adaptor.getResult(), result)) &&
                 succeeded(expectShape(loc, "lse", adaptor.getLse(), {p.batch, p.heads, p.queries})));
}

HS_INFER(RotaryOp) {
  RankedTensorType input = tensorType(adaptor.getInput()), table = tensorType(adaptor.getCos());
  if (failed(expectRank(loc, "input", adaptor.getInput(), 3)) ||
      failed(expectRank(loc, "cos", adaptor.getCos(), 2)))
    return failure();
  int64_t depth = table.getDimSize(1);
  if (depth < 2 || depth % 2 != 0 || input.getDimSize(2) % depth != 0)
    return fail(loc, "rotary positions of ", depth, " columns for ", input,
                ", expected an even number that divides the columns");
  if (failed(expectElements(loc, "input", adaptor.getInput())) ||
      failed(expectShape(loc, "cos", adaptor.getCos(), {input.getDimSize(1), depth})) ||
      failed(expectShape(loc, "sin", adaptor.getSin(), table.getShape())))
    return failure();
  types.push_back(input);
  return success();
}

//===----------------------------------------------------------------------===//
// Root mean square
//===----------------------------------------------------------------------===//

HS_INFER(RmsNormOp) {
  RankedTensorType input = tensorType(adaptor.getInput());
  int64_t axis = static_cast<int64_t>(adaptor.getAxis());
  if (axis < 0 || axis >= input.getRank())
    return fail(loc, "axis is ", axis, " for input of type ", input, ", expected 0 <= axis < ",
                input.getRank());
  if (failed(expectShape(loc, "scale", adaptor.getScale(), input.getShape().drop_front(axis))))
    return failure();
  types.assign({input, makeTensor(input.getShape().take_front(axis), statisticsType(adaptor.getInput()))});
  return success();
}

HS_INFER(RmsNormBackwardInputOp) {
  types.push_back(adaptor.getInput().getType());
  return success();
}

HS_INFER(RmsNormBackwardScaleOp) {
  types.push_back(makeTensor(tensorType(adaptor.getInput()).getShape().drop_front(adaptor.getAxis()),
                             elementType(adaptor.getRstd())));
  return success();
}

} // namespace halfstep::nn
