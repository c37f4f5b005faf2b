// See ValueTable.h.
#include "codegen/library/ValueTable.h"

#include "passes/ArenaOffsets.h"
#include "report/MemoryByKind.h"
#include "report/Provenance.h"

#include "dialect/nn/NNDialect.h"
#include "dialect/train/TrainDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;
using nlohmann::ordered_json;

namespace halfstep {
namespace {

ordered_json typeOf(Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  return {{"dtype", typeName(type.getElementType())}, {"shape", type.getShape().vec()}};
}

const char *phaseOf(Operation *op) {
  return isForward(op) ? "forward" : isBackward(op) ? "backward" : "update";
}

class TableBuilder {
public:
  TableBuilder(ModuleOp planned, int64_t batch)
      : step(planned.lookupSymbol<func::FuncOp>(train::kTrainStep)),
        inputs(planned.lookupSymbol<func::FuncOp>(train::kForward).getNumArguments()) {
    table = {{"batch", batch}};
  }

  ordered_json build() {
    table["ops"] = ordered_json::array();
    table["gradients"] = ordered_json::array();
    for (auto kernel : step.getOps<train::KernelOp>())
      addKernel(kernel);
    table["loss"] = operand(step.getBody().front().getTerminator()->getOperand(0));
    return std::move(table);
  }

private:
  func::FuncOp step;
  unsigned inputs;
  ordered_json table;
  /// Kernels in the table, by their places in it.
  DenseMap<Operation *, size_t> numbers;

  void addGradients(train::UpdateOp update, train::KernelOp kernel) {
    for (auto [name, gradient] :
         llvm::zip(update.getParams().getAsRange<FlatSymbolRefAttr>(), kernel.getInputs()))
      table["gradients"].push_back({{"param", name.getValue().str()}, {"value", operand(gradient)}});
  }

  void addKernel(train::KernelOp kernel) {
    // Constants come first: the op is the last one before the yield.
    Operation *op = kernel.getBody().front().getTerminator()->getPrevNode();
    if (auto update = dyn_cast<train::UpdateOp>(op))
      return addGradients(update, kernel);
    if (kernel.getKind() == "finite" || kernel.getKind() == "assign")
      return;
    ordered_json entry = {{"op", op->getName().getStringRef().str()}, {"layer", originOf(op)},
                          {"place", filePlaceOf(op->getLoc())},       {"phase", phaseOf(op)},
                          {"operands", ordered_json::array()},        {"results", ordered_json::array()}};
    for (Value value : op->getOperands())
      entry["operands"].push_back(operandInside(value, kernel));
    for (auto [result, offset] : llvm::zip_equal(kernel.getResults(), *kernel.getOffsets())) {
      entry["results"].push_back(typeOf(result));
      entry["results"].back()["offset"] = offset;
    }
    numbers[kernel] = table["ops"].size();
    table["ops"].push_back(std::move(entry));
  }

  /// `value` as an op in the kernel's body sees it: an argument of the body, or a constant.
  ordered_json operandInside(Value value, train::KernelOp kernel) {
    if (auto argument = dyn_cast<BlockArgument>(rootOf(value)))
      return operand(kernel.getInputs()[argument.getArgNumber()]);
    return constant(value);
  }

  static ordered_json constant(Value value) {
    ordered_json entry = typeOf(value);
    entry["kind"] = "constant";
    auto op = rootOf(value).getDefiningOp<nn::ConstantOp>();
    auto numbers = op ? dyn_cast<DenseFPElementsAttr>(op.getValue()) : DenseFPElementsAttr();
    if (!numbers || numbers.empty())
      return entry;
    SmallVector<double> finite;
    size_t infinite = 0, nan = 0;
    for (APFloat number : numbers.getValues<APFloat>()) {
      bool lost;
      infinite += number.isInfinity();
      nan += number.isNaN();
      if (!number.isFinite())
        continue;
      number.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &lost);
      finite.push_back(number.convertToDouble());
    }
    entry["infinite"] = infinite;
    entry["nan"] = nan;
    if (finite.empty())
      return entry;
    entry["min"] = *llvm::min_element(finite);
    entry["max"] = *llvm::max_element(finite);
    return entry;
  }

  /// `value` as an op of the step sees it.
  ordered_json operand(Value value) {
    ordered_json entry = typeOf(value);
    Value root = rootOf(value);
    if (auto argument = dyn_cast<BlockArgument>(root)) {
      bool input = argument.getArgNumber() < inputs;
      entry["kind"] = input ? "input" : "target";
      entry["index"] = argument.getArgNumber() - (input ? 0 : inputs);
      return entry;
    }
    Operation *op = root.getDefiningOp();
    if (auto found = numbers.find(op); found != numbers.end()) {
      entry["kind"] = "value";
      entry["op"] = found->second;
      entry["result"] = cast<OpResult>(root).getResultNumber();
      return entry;
    }
    auto read = dyn_cast<train::ReadOp>(op);
    entry["kind"] = read ? "parameter" : "scalar";
    entry["name"] = read ? read.getParam().str() : cast<train::ScalarOp>(op).getField().str();
    entry["offset"] = arenaOffset(root).value();
    return entry;
  }
};

} // namespace

ordered_json valueTable(ModuleOp planned, int64_t batch) { return TableBuilder(planned, batch).build(); }

} // namespace halfstep
