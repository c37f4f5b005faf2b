// The rewrites that come before kernels are formed.
#include "passes/FusePrepare.h"

#include "passes/ArenaOffsets.h"
#include "passes/EraseDead.h"
#include "passes/FuseRules.h"

#include "dialect/amp/AmpDialect.h"
#include "dialect/nn/NNDialect.h"
#include "dialect/train/TrainDialect.h"

using namespace mlir;

namespace halfstep {

static void splitBatchNorm(nn::BatchNormOp op) {
  OpBuilder builder(op);
  auto stats = nn::BatchNormStatsOp::create(builder, op.getLoc(), op.getInput(), op.getRunningMean(),
                                            op.getRunningVar(), op.getEpsAttr(), op.getMomentumAttr());
  auto apply = nn::BatchNormApplyOp::create(builder, op.getLoc(), op.getInput(), stats.getMean(),
                                            stats.getRstd(), op.getScale(), op.getShift());
  op.replaceAllUsesWith(
      ValueRange{apply, stats.getMean(), stats.getRstd(), stats.getNewMean(), stats.getNewVar()});
  op.erase();
}

//===----------------------------------------------------------------------===//
// Updates
//===----------------------------------------------------------------------===//

namespace {

/// What one sweep over flat memory must have in common.
struct SweepTypes {
  Type gradient, param, stored, copy;
  bool operator==(const SweepTypes &other) const = default;
};

struct Sweep {
  SweepTypes types;
  SmallVector<Attribute> params;
  SmallVector<Value> gradients;
};

} // namespace

static SmallVector<Sweep> findSweeps(ArrayAttr params, OperandRange gradients, Operation *from) {
  SmallVector<Sweep> sweeps;
  for (auto [name, gradient] : llvm::zip_equal(params.getAsRange<FlatSymbolRefAttr>(), gradients)) {
    auto param = SymbolTable::lookupNearestSymbolFrom<train::ParamOp>(from, name);
    SweepTypes types{getElementTypeOrSelf(gradient), param.getTensorType().getElementType(),
                     param.getStoredElementType(), param.getCopyType().value_or(Type())};
    Sweep *sweep = llvm::find_if(sweeps, [&](const Sweep &each) { return each.types == types; });
    if (sweep == sweeps.end()) {
      sweeps.push_back({types, {}, {}});
      sweep = &sweeps.back();
    }
    sweep->params.push_back(name);
    sweep->gradients.push_back(gradient);
  }
  return sweeps;
}

/// True when a kernel writes the memory behind `value`: it is no argument, parameter or number.
static bool isStored(Value value) {
  Operation *root = rootOf(value).getDefiningOp();
  return root && !isa<train::ReadOp, train::ScalarOp>(root) && !isInlined(root);
}

static Value copyOf(Value value, Operation *before) {
  OpBuilder builder(before);
  return nn::CopyOp::create(builder, before->getLoc(), value);
}

/// Gives each gradient a place that it shares with no other.
static void separateGradients(SmallVector<Sweep> &sweeps, Operation *before) {
  llvm::SmallPtrSet<Value, 16> taken;
  for (Sweep &sweep : sweeps)
    for (Value &gradient : sweep.gradients)
      if (!isStored(gradient) || !taken.insert(rootOf(gradient)).second)
        gradient = copyOf(gradient, before);
}

/// One check of its gradients and one update a sweep, and one verdict for all.
template <typename Update>
static void splitUpdate(Update update) {
  auto check = update.getFoundInf().template getDefiningOp<amp::CheckFiniteOp>();
  SmallVector<Sweep> sweeps = findSweeps(update.getParams(), update.getGradients(), update);
  separateGradients(sweeps, update);
  OpBuilder builder(update);
  SmallVector<Value> found, norms;
  for (const Sweep &sweep : sweeps) {
    auto partials = amp::FinitePartialsOp::create(builder, check.getLoc(), sweep.gradients);
    found.push_back(partials.getFound());
    norms.push_back(partials.getSqnorm());
  }
  auto verdict = amp::FiniteCombineOp::create(builder, check.getLoc(), found, norms);
  int64_t element = 0;
  for (const Sweep &sweep : sweeps) {
    SmallVector<Value> operands(sweep.gradients);
    operands.append({verdict.getFoundInf(), verdict.getSqnorm()});
    auto part = cast<Update>(builder.insert(update->cloneWithoutRegions()));
    part->setOperands(operands);
    part.setParamsAttr(builder.getArrayAttr(sweep.params));
    if (part.getStochastic())
      part.setStochastic(sweep.types.param.getIntOrFloatBitWidth() == 16 ? std::optional(element)
                                                                         : std::nullopt);
    element += amp::groupElements(ValueRange(sweep.gradients).getTypes());
  }
  check.replaceAllUsesWith(ValueRange{verdict.getFoundInf(), verdict.getSqnorm()});
  update.erase();
  check.erase();
}

//===----------------------------------------------------------------------===//
// The function
//===----------------------------------------------------------------------===//

/// Numbers that are inlined into element-wise kernels must be stored for all other users.
static void storeInlined(func::FuncOp function) {
  for (Operation &op : function.getBody().front()) {
    if (isa<ElementwiseOpInterface, nn::ReshapeOp>(op))
      continue;
    for (OpOperand &operand : op.getOpOperands())
      // Ids that the model fixes lie in the kernels that read them.
      if (Operation *root = rootOf(operand.get()).getDefiningOp();
          root && isInlined(root) && isa<FloatType>(getElementTypeOrSelf(operand.get())))
        operand.set(copyOf(operand.get(), &op));
  }
}

/// What a function returns lies where the caller looks for results: in the arena's work region.
static void storeReturned(Operation *terminator) {
  for (OpOperand &operand : terminator->getOpOperands())
    if (!isStored(operand.get()))
      operand.set(copyOf(operand.get(), terminator));
}

template <typename Op>
static void rewriteAll(func::FuncOp function, void (*rewrite)(Op)) {
  for (Op op : llvm::make_early_inc_range(function.getOps<Op>()))
    rewrite(op);
}

void prepareForFusion(func::FuncOp function) {
  eraseDead(function);
  rewriteAll<nn::BatchNormOp>(function, splitBatchNorm);
  // The parts stand before the op that they replace, so they are not visited again.
  rewriteAll<train::SgdUpdateOp>(function, splitUpdate<train::SgdUpdateOp>);
  rewriteAll<train::AdamwUpdateOp>(function, splitUpdate<train::AdamwUpdateOp>);
  storeReturned(function.getBody().front().getTerminator());
  storeInlined(function);
}

} // namespace halfstep
