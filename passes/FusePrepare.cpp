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

static void splitGroupNorm(nn::GroupNormOp op) {
  OpBuilder builder(op);
  auto stats =
      nn::GroupNormStatsOp::create(builder, op.getLoc(), op.getInput(), op.getGroupsAttr(), op.getEpsAttr());
  auto apply = nn::GroupNormApplyOp::create(builder, op.getLoc(), op.getInput(), stats.getMean(),
                                            stats.getRstd(), op.getScale(), op.getShift());
  op.replaceAllUsesWith(ValueRange{apply, stats.getMean(), stats.getRstd()});
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

/// A part of an update. Gradients that are summed over batches are those of the step, before they are added.
struct Sweep {
  train::UpdateOp update;
  SweepTypes types;
  SmallVector<Attribute> params;
  SmallVector<Value> gradients;
};

} // namespace

/// What the step adds to `gradient`, where that is a sum over batches; `gradient` itself where it is not.
static Value addend(Value gradient) {
  auto sums = gradient.getDefiningOp<train::AccumulateOp>();
  return sums ? sums.getGradients()[cast<OpResult>(gradient).getResultNumber()] : gradient;
}

static void findSweeps(train::UpdateOp update, SmallVector<Sweep> &sweeps) {
  size_t first = sweeps.size();
  for (auto [name, sum] :
       llvm::zip_equal(update.getParams().getAsRange<FlatSymbolRefAttr>(), update.getGradients())) {
    auto param = SymbolTable::lookupNearestSymbolFrom<train::ParamOp>(update, name);
    Value gradient = addend(sum);
    SweepTypes types{getElementTypeOrSelf(gradient), param.getTensorType().getElementType(),
                     param.getStoredElementType(), param.getCopyType().value_or(Type())};
    auto sweep = std::find_if(sweeps.begin() + first, sweeps.end(),
                              [&](const Sweep &each) { return each.types == types; });
    if (sweep == sweeps.end()) {
      sweeps.push_back({update, types, {}, {}});
      sweep = std::prev(sweeps.end());
    }
    sweep->params.push_back(name);
    sweep->gradients.push_back(gradient);
  }
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

/// Replaces the gradients of each sweep by their sums over batches.
static void accumulateSweeps(OpBuilder &builder, train::AccumulateOp whole, SmallVector<Sweep> &sweeps) {
  for (Sweep &sweep : sweeps) {
    auto sums = train::AccumulateOp::create(builder, whole.getLoc(), sweep.gradients, whole.getWeight());
    sweep.gradients.assign(sums.getSums().begin(), sums.getSums().end());
  }
}

static void emitSweep(OpBuilder &builder, const Sweep &sweep, amp::FiniteCombineOp verdict, int64_t element) {
  train::UpdateOp whole = sweep.update;
  std::optional<uint64_t> stochastic = whole.getStochastic();
  bool isRandom = stochastic && sweep.types.param.getIntOrFloatBitWidth() == 16;
  train::UpdateOp::create(builder, whole.getLoc(), builder.getArrayAttr(sweep.params), sweep.gradients,
                          verdict.getFoundInf(), verdict.getSqnorm(), whole.getWeights(),
                          whole.getOptimizer(),
                          isRandom ? builder.getI64IntegerAttr(element) : IntegerAttr());
}

/// One check of its gradients and one update a sweep, and one verdict for all.
static void splitUpdates(amp::CheckFiniteOp check) {
  SmallVector<train::UpdateOp> updates;
  for (Operation *user : check->getUsers())
    if (auto update = dyn_cast<train::UpdateOp>(user); update && !llvm::is_contained(updates, update))
      updates.push_back(update);
  llvm::sort(updates, [](train::UpdateOp a, train::UpdateOp b) { return a->isBeforeInBlock(b); });
  SmallVector<Sweep> sweeps;
  for (train::UpdateOp update : updates)
    findSweeps(update, sweeps);
  separateGradients(sweeps, check);
  OpBuilder builder(check);
  auto whole = check.getGradients().front().getDefiningOp<train::AccumulateOp>();
  if (whole)
    accumulateSweeps(builder, whole, sweeps);
  SmallVector<Value> found, norms;
  for (const Sweep &sweep : sweeps) {
    auto partials = amp::FinitePartialsOp::create(builder, check.getLoc(), sweep.gradients);
    found.push_back(partials.getFound());
    norms.push_back(partials.getSqnorm());
  }
  auto verdict = amp::FiniteCombineOp::create(builder, check.getLoc(), found, norms);
  int64_t element = 0;
  for (const Sweep &sweep : sweeps) {
    emitSweep(builder, sweep, verdict, element);
    element += amp::groupElements(ValueRange(sweep.gradients).getTypes());
  }
  check.replaceAllUsesWith(ValueRange{verdict.getFoundInf(), verdict.getSqnorm()});
  for (train::UpdateOp update : updates)
    update.erase();
  check.erase();
  if (whole)
    whole.erase();
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
  rewriteAll<nn::GroupNormOp>(function, splitGroupNorm);
  rewriteAll<amp::CheckFiniteOp>(function, splitUpdates);
  storeReturned(function.getBody().front().getTerminator());
  storeInlined(function);
}

} // namespace halfstep
