// See Provenance.h.
#include "report/Provenance.h"

#include "passes/Pipeline.h"

#include "dialect/train/TrainDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Location.h"

using namespace mlir;

namespace halfstep {

static void mark(Operation *op, Attribute mark) {
  op->setLoc(FusedLoc::get({op->getLoc()}, mark, op->getContext()));
}

static void markPhase(Operation *op, bool backward) {
  mark(op, Builder(op->getContext()).getBoolAttr(backward));
}

LogicalResult differentiateAndMark(ModuleOp module) {
  Block &step = module.lookupSymbol<func::FuncOp>(train::kTrainStep).getBody().front();
  DenseSet<Operation *> forward;
  for (Operation &op : step)
    forward.insert(&op);
  if (failed(runPipeline(module, "differentiate", /*verifyEach=*/true, "place-casts")))
    return failure();
  for (Operation &op : step)
    markPhase(&op, /*backward=*/!forward.contains(&op));
  return success();
}

static bool isInPhase(Operation *op, bool backward) {
  auto phase = op->getLoc()->findInstanceOf<FusedLocWith<BoolAttr>>();
  return phase && phase.getMetadata().getValue() == backward;
}

bool isForward(Operation *op) { return isInPhase(op, false); }
bool isBackward(Operation *op) { return isInPhase(op, true); }

void markNumber(Operation *op, int64_t id) { mark(op, Builder(op->getContext()).getI64IntegerAttr(id)); }

std::optional<int64_t> numberOf(Operation *op) {
  std::optional<int64_t> number;
  op->getLoc()->walk([&](Location loc) {
    // A BoolAttr is an IntegerAttr too.
    if (auto marked = dyn_cast<FusedLocWith<IntegerAttr>>(loc);
        marked && marked.getMetadata().getType().isInteger(64))
      number = marked.getMetadata().getInt();
    return number ? WalkResult::interrupt() : WalkResult::advance();
  });
  return number;
}

std::string filePlaceOf(Location loc) {
  auto file = loc->findInstanceOf<FileLineColLoc>();
  if (!file)
    return "";
  std::string place = file.getFilename().str();
  for (unsigned number : {file.getLine(), file.getColumn()})
    if (number)
      place += ":" + std::to_string(number);
  return place;
}

std::string originOf(Operation *op) {
  auto name = op->getLoc()->findInstanceOf<NameLoc>();
  return name ? name.getName().str() : "";
}

} // namespace halfstep
