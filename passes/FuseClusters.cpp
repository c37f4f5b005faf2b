// Greedy clustering in program order: each op looks at the clusters that made its operands.
#include "passes/FuseClusters.h"

#include "passes/FuseRules.h"

#include "dialect/nn/NNDialect.h"
#include "dialect/train/TrainDialect.h"

using namespace mlir;

namespace halfstep {

/// Calls `visit` with each op that reads a result of `op`, behind casts that readers make for themselves.
static void forEachReader(Operation *op, function_ref<void(Operation *)> visit) {
  for (Operation *user : op->getUsers())
    isRecomputed(user) ? forEachReader(user, visit) : visit(user);
}

SmallVector<Value> Cluster::results() const {
  SmallVector<Value> found;
  for (Operation *op : ops)
    for (Value result : op->getResults()) {
      bool isRead = ops.size() == 1;
      for (Operation *user : result.getUsers()) {
        auto note = [&](Operation *reader) { isRead |= !llvm::is_contained(ops, reader); };
        isRecomputed(user) ? forEachReader(user, note) : note(user);
      }
      if (isRead)
        found.push_back(result);
    }
  return found;
}

namespace {

class ClusterFinder {
public:
  explicit ClusterFinder(Block &block) {
    for (Operation &op : block)
      order[&op] = order.size();
  }

  SmallVector<Cluster> run(Block &block) {
    for (Operation &op : block) {
      if (isa<train::ReadOp, train::ScalarOp, nn::ReshapeOp>(op) || op.hasTrait<OpTrait::IsTerminator>() ||
          isInlined(&op) || isRecomputed(&op))
        continue;
      add(&op);
    }
    SmallVector<Cluster> found;
    for (Cluster &cluster : clusters)
      if (!cluster.ops.empty()) {
        llvm::sort(cluster.ops, [&](Operation *a, Operation *b) { return order[a] < order[b]; });
        found.push_back(std::move(cluster));
      }
    llvm::sort(found,
               [&](const Cluster &a, const Cluster &b) { return order[a.ops.back()] < order[b.ops.back()]; });
    return found;
  }

private:
  DenseMap<Operation *, size_t> order;
  /// Clusters that were joined into another are empty.
  SmallVector<Cluster> clusters;
  DenseMap<Operation *, size_t> clusterOf;

  void add(Operation *op) {
    size_t own = clusters.size();
    clusters.push_back({{op}, isa<ElementwiseOpInterface>(op) ? nullptr : op});
    clusterOf[op] = own;
    if (isKeptApart(op))
      return;
    for (size_t candidate : candidates(op))
      if (canJoin(clusters[candidate], clusters[own]))
        join(candidate, own);
  }

  /// Clusters that made operands which `op` reads element by element.
  SmallVector<size_t> candidates(Operation *op) {
    SmallVector<size_t> found;
    for (OpOperand &operand : op->getOpOperands()) {
      Value read = operand.get();
      while (read.getDefiningOp() && isRecomputed(read.getDefiningOp()))
        read = read.getDefiningOp()->getOperand(0);
      Operation *producer = read.getDefiningOp();
      if (!producer || !clusterOf.contains(producer))
        continue;
      bool isElementwise = isa<ElementwiseOpInterface>(producer) && readsAligned(operand);
      bool isAfterCore = isStoredRounding(op) || (isRowResult(read) && isPlain(op) && readsAligned(operand));
      if (size_t cluster = clusterOf[producer];
          (isElementwise || isAfterCore) && !llvm::is_contained(found, cluster))
        found.push_back(cluster);
    }
    return found;
  }

  bool canJoin(const Cluster &earlier, const Cluster &later) {
    if (earlier.core && later.core)
      return false;
    if (Operation *core = earlier.core ? earlier.core : later.core; core && isRowOp(core))
      return areRows(core, earlier) && areRows(core, later) && isReadInTime(earlier, later);
    if (earlier.core)
      return isStoredRounding(later.ops.back()) && later.ops.size() == 1;
    return later.core ? isReadByOnly(earlier, later) : isReadInTime(earlier, later);
  }

  /// True when a row kernel can compute the element-wise ops of a cluster: on whole rows, in its precision.
  static bool areRows(Operation *core, const Cluster &cluster) {
    auto rows = cast<RankedTensorType>(core->getOperand(0).getType());
    for (OpOperand &operand : core->getOpOperands())
      if (isRowOperand(operand))
        rows = cast<RankedTensorType>(operand.get().getType());
    return llvm::all_of(cluster.ops, [&](Operation *op) {
      if (op == core)
        return true;
      auto type = cast<RankedTensorType>(op->getResult(0).getType());
      bool readsRows = llvm::all_of(op->getOperands(), [&](Value value) {
        return value.getDefiningOp() != core || isRowResult(value);
      });
      return isPlain(op) && readsRows && type.getShape() == rows.getShape() &&
             type.getElementType().isF64() == rows.getElementType().isF64();
    });
  }

  /// The joined kernel stands where the later cluster ends: nothing before that may need the earlier one.
  bool isReadInTime(const Cluster &earlier, const Cluster &later) {
    Operation *last = later.ops.back();
    bool inTime = true;
    for (Operation *member : earlier.ops)
      forEachReader(member, [&](Operation *reader) {
        inTime &= order[reader] >= order[last] || llvm::is_contained(earlier.ops, reader) ||
                  llvm::is_contained(later.ops, reader);
      });
    return inTime;
  }

  static bool isReadByOnly(const Cluster &earlier, const Cluster &later) {
    bool only = true;
    for (Operation *member : earlier.ops)
      forEachReader(member, [&](Operation *reader) {
        only &= llvm::is_contained(earlier.ops, reader) || llvm::is_contained(later.ops, reader);
      });
    return only;
  }

  void join(size_t from, size_t into) {
    Cluster &earlier = clusters[from], &later = clusters[into];
    for (Operation *member : earlier.ops)
      clusterOf[member] = into;
    // The newest op stays last: canJoin looks at it.
    later.ops.insert(later.ops.begin(), earlier.ops.begin(), earlier.ops.end());
    later.core = later.core ? later.core : earlier.core;
    earlier.ops.clear();
  }
};

} // namespace

SmallVector<Cluster> findClusters(func::FuncOp function) {
  Block &block = function.getBody().front();
  return ClusterFinder(block).run(block);
}

} // namespace halfstep
