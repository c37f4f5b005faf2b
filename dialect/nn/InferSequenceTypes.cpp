// Result types of the ops on sequences: embedding and attention.
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

/// Checks the operands of attention; `columns` is that of its result.
static LogicalResult checkProjections(std::optional<Location> loc, ValueRange projections, int64_t heads,
                                      int64_t &columns) {
  if (projections.size() != 1 && projections.size() != 3)
    return fail(loc, "attention of ", static_cast<int64_t>(projections.size()),
                " tensors, expected query, key and value, or one that holds the three side by side");
  for (Value projection : projections)
    if (failed(expectRank(loc, "an operand of attention", projection, 3)) ||
        failed(expectElements(loc, "an operand of attention", projection)))
      return failure();
  RankedTensorType query = tensorType(projections.front());
  int64_t parts = projections.size() == 1 ? 3 : 1;
  columns = query.getDimSize(2) / parts;
  if (heads < 1 || heads > columns || query.getDimSize(2) % (parts * heads) != 0)
    return fail(loc, "attention of ", query, " in ", heads, " heads, expected columns for ", parts,
                " times as many equal parts");
  for (Value projection : projections.drop_front()) {
    if (elementType(projection) != query.getElementType())
      return fail(loc, "attention of ", query, " and ", projection.getType(), ", expected one element type");
    if (failed(expectShape(loc, "key and value", projection,
                           {query.getDimSize(0), tensorType(projections[1]).getDimSize(1), columns})))
      return failure();
  }
  return success();
}

HS_INFER(AttentionOp) {
  int64_t heads = adaptor.getHeads(), columns = 0;
  ValueRange projections = adaptor.getProjections();
  if (failed(checkProjections(loc, projections, heads, columns)))
    return failure();
  RankedTensorType query = tensorType(projections.front());
  int64_t batch = query.getDimSize(0), length = query.getDimSize(1);
  types.assign({makeTensor({batch, length, columns}, query.getElementType()),
                makeTensor({batch, heads, length}, statisticsType(projections.front()))});
  return success();
}

HS_INFER(AttentionBackwardOp) {
  int64_t heads = adaptor.getHeads(), columns = 0;
  ValueRange projections = adaptor.getProjections();
  if (failed(checkProjections(loc, projections, heads, columns)))
    return failure();
  int64_t batch = tensorType(projections.front()).getDimSize(0);
  int64_t length = tensorType(projections.front()).getDimSize(1);
  llvm::append_range(types, projections.getTypes());
  return success(
      succeeded(expectShape(loc, "grad", adaptor.getGrad(), {batch, length, columns})) &&
      succeeded(expectShape(loc, "the saved result", adaptor.getResult(), {batch, length, columns})) &&
      succeeded(expectShape(loc, "lse", adaptor.getLse(), {batch, heads, length})));
}

} // namespace halfstep::nn
