// Greedy clustering in program order: each element-wise op looks at the clusters that made its operands.
#include "passes/FuseClusters.h"

#include "dialect/nn/NNDialect.h"
#include "dialect/train/TrainDialect.h"

using namespace mlir;

namespace halfstep {

/// One floating number, stored or computed.
static bool isNumber(Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  return type.getNumElements() == 1 && isa<FloatType>(type.getElementType());
}

bool isInlined(Operation *op) {
  if (isa<nn::ConstantOp>(op))
    return true;
  if (auto reshape = dyn_cast<nn::ReshapeOp>(op))
    return isNumber(reshape) && reshape.getInput().getDefiningOp() &&
           isInlined(reshape.getInput().getDefiningOp());
  // A copy is there to have memory of its own; dropout depends on the element's index.
  return isa<ElementwiseOpInterface>(op) && !isa<nn::CopyOp, nn::DropoutOp>(op) &&
         isNumber(op->getResult(0)) && llvm::all_of(op->getOperands(), isNumber);
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
          isInlined(&op))
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
    clusters.push_back({{op}});
    clusterOf[op] = own;
    for (size_t candidate : candidates(op))
      if (canJoin(candidate, own))
        join(candidate, own);
  }

  /// Clusters that made operands which `op` reads element by element.
  SmallVector<size_t> candidates(Operation *op) {
    SmallVector<size_t> found;
    for (OpOperand &operand : op->getOpOperands()) {
      Operation *producer = operand.get().getDefiningOp();
      if (!producer || !clusterOf.contains(producer) || !isa<ElementwiseOpInterface>(producer) ||
          !readsAligned(op, operand))
        continue;
      if (size_t cluster = clusterOf[producer]; !llvm::is_contained(found, cluster))
        found.push_back(cluster);
    }
    return found;
  }

  static bool readsAligned(Operation *op, OpOperand &operand) {
    if (isa<nn::ReduceSumOp, nn::ReduceMeanOp>(op))
      return true;
    auto elementwise = dyn_cast<ElementwiseOpInterface>(op);
    if (!elementwise)
      return false;
    auto domain = cast<RankedTensorType>(op->getResult(0).getType()).getShape();
    return cast<RankedTensorType>(operand.get().getType()).getShape() == domain &&
           elementwise.getOperandMap(operand.getOperandNumber()).isIdentity();
  }

  /// The joined kernel stands where the later cluster ends: nothing before that may need the earlier one. A
  /// reduction must be the only user, since its kernel yields nothing else.
  bool canJoin(size_t earlier, size_t later) {
    Operation *last = clusters[later].ops.back();
    bool reduction = !isa<ElementwiseOpInterface>(last);
    for (Operation *member : clusters[earlier].ops)
      for (Operation *user : member->getUsers()) {
        auto found = clusterOf.find(user);
        bool inside = found != clusterOf.end() && (found->second == earlier || found->second == later);
        if (!inside && (reduction || order[user] < order[last]))
          return false;
      }
    return true;
  }

  void join(size_t earlier, size_t later) {
    for (Operation *member : clusters[earlier].ops)
      clusterOf[member] = later;
    // The newest op stays last: canJoin looks at it.
    clusters[later].ops.insert(clusters[later].ops.begin(), clusters[earlier].ops.begin(),
                               clusters[earlier].ops.end());
    clusters[earlier].ops.clear();
  }
};

} // namespace

SmallVector<Cluster> findClusters(func::FuncOp function) {
  Block &block = function.getBody().front();
  return ClusterFinder(block).run(block);
}

} // namespace halfstep
