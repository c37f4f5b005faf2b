// Row by row: operands before the op, results after it, each in one loop over the row in the first-level
// cache.
#include "codegen/cpu/RowFusion.h"

#include "codegen/cpu/RegionFormulas.h"

#include "dialect/nn/NNDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace halfstep {

static OpOperand &yieldOf(train::KernelOp kernel, unsigned result) {
  return kernel.getYield()->getOpOperand(result);
}

/// The values that `value` is computed from, itself included, up to arguments and results of `core`.
static void collectSources(Value value, Operation *core, llvm::SetVector<Value> &sources) {
  Operation *op = value.getDefiningOp();
  if (!sources.insert(value) || !op || op == core)
    return;
  for (Value operand : op->getOperands())
    collectSources(operand, core, sources);
}

//===----------------------------------------------------------------------===//
// Plan
//===----------------------------------------------------------------------===//

RowFusion::RowFusion(train::KernelOp kernel) : kernel(kernel), core(coreOf(kernel)) {
  llvm::SmallSetVector<unsigned, 4> pending;
  for (unsigned i = 0; i < kernel.getNumResults(); ++i)
    if (Value yielded = yieldOf(kernel, i).get();
        yielded.getDefiningOp() != core || yielded == core->getResult(0))
      pending.insert(i);
  planOperands(pending);
  planResult(pending);
}

void RowFusion::planOperands(llvm::SmallSetVector<unsigned, 4> &pending) {
  bool isEager = roundsEagerly(kernel);
  for (OpOperand &operand : core->getOpOperands()) {
    Value value = operand.get();
    if (isa<BlockArgument>(narrowSource(value)))
      continue;
    llvm::SetVector<Value> sources;
    collectSources(value, core, sources);
    Computed made{operand.getOperandNumber(), {}, {}};
    for (unsigned i = 0; i < kernel.getNumResults(); ++i) {
      Value yielded = yieldOf(kernel, i).get();
      if (!sources.contains(yielded) || !pending.remove(i))
        continue;
      made.stored.push_back(i);
      // A stored value that was rounded only there is not what the op reads.
      Type element = getElementTypeOrSelf(value);
      if (yielded == value && (isEager || computeType(element) == element))
        made.holder = i;
    }
    operands.push_back(std::move(made));
  }
}

void RowFusion::planResult(llvm::SmallSetVector<unsigned, 4> &pending) {
  Value result = core->getResult(0);
  Type element = getElementTypeOrSelf(result);
  resultElement = roundsEagerly(kernel) ? element : computeType(element);
  for (unsigned i = 0; i < kernel.getNumResults(); ++i) {
    Value yielded = yieldOf(kernel, i).get();
    bool isOnlyReader = result.hasOneUse() && (yielded == result || yielded.hasOneUse());
    if (isOnlyReader && isStoredAs(result, yielded)) {
      resultElement = getElementTypeOrSelf(yielded);
      pending.remove(i);
    }
  }
  storedLast.assign(pending.begin(), pending.end());
  for (unsigned i : storedLast) {
    llvm::SetVector<Value> sources;
    collectSources(yieldOf(kernel, i).get(), core, sources);
    resultIsRead |= sources.contains(result);
  }
}

const RowFusion::Computed *RowFusion::find(unsigned operand) const {
  const auto *found = llvm::find_if(operands, [&](const Computed &each) { return each.operand == operand; });
  return found == operands.end() ? nullptr : found;
}

int64_t RowFusion::scratchBytes(int64_t length, Type compute) const {
  int64_t bytes = 0;
  for (const Computed &each : operands)
    if (!each.holder)
      bytes += KernelBuilder::carvedBytes({length}, compute);
  if (resultIsRead)
    bytes += KernelBuilder::carvedBytes({length}, resultElement);
  return bytes;
}

//===----------------------------------------------------------------------===//
// Emission
//===----------------------------------------------------------------------===//

FusedRows::FusedRows(SliceBuilder &b, const KernelCall &call, int64_t length)
    : b(b), call(call), length(length), fusion(call.kernel), operandScratch(call.op()->getNumOperands()) {
  for (const RowFusion::Computed &each : fusion.computed())
    if (!each.holder)
      operandScratch[each.operand] = b.carve(length, b.compute);
  if (fusion.isResultRead())
    resultScratch = b.carve(length, fusion.resultType());
}

Value FusedRows::rowOf(Value buffer, Value row) {
  return b.span(b.flat(buffer), b.times(row, length), length);
}

Value FusedRows::operand(unsigned number, Value row) {
  const RowFusion::Computed *made = fusion.find(number);
  if (!made)
    return rowOf(b.input(number), row);
  SmallVector<OpOperand *> wanted;
  SmallVector<Value> outs;
  for (unsigned result : made->stored) {
    wanted.push_back(&yieldOf(call.kernel, result));
    outs.push_back(rowOf(call.result(result), row));
  }
  if (!made->holder) {
    wanted.push_back(&call.op()->getOpOperand(number));
    outs.push_back(operandScratch[number]);
  }
  emit(wanted, outs, row);
  return made->holder ? rowOf(call.result(*made->holder), row) : operandScratch[number];
}

Value FusedRows::result(Value row) { return resultScratch ? resultScratch : rowOf(b.output(0), row); }

void FusedRows::finish(Value row) {
  SmallVector<OpOperand *> wanted;
  SmallVector<Value> outs;
  for (unsigned result : fusion.last()) {
    wanted.push_back(&yieldOf(call.kernel, result));
    outs.push_back(rowOf(call.result(result), row));
  }
  if (!wanted.empty())
    emit(wanted, outs, row);
}

/// Computes values of a row from the arguments of the region and the op's first result.
void FusedRows::emit(ArrayRef<OpOperand *> wanted, ArrayRef<Value> outs, Value row) {
  llvm::SetVector<Value> sources;
  for (OpOperand *operand : wanted)
    collectSources(operand->get(), call.op(), sources);
  SmallVector<Value> ins;
  DenseMap<Value, unsigned> elementOf;
  DenseMap<Value, Value> numbers;
  for (Value source : sources) {
    bool isResult = source.getDefiningOp() == call.op();
    if (!isResult && !isa<BlockArgument>(source))
      continue;
    if (!isResult && cast<RankedTensorType>(source.getType()).getNumElements() == 1) {
      numbers[source] = b.load(b.flat(call.input(source)), b.index(0));
      continue;
    }
    elementOf[source] = unsigned(ins.size());
    ins.push_back(isResult ? resultScratch : rowOf(call.input(source), row));
  }
  b.each(ins, outs, [&](ValueRange elements) {
    auto read = [&](OpOperand &operand) -> Value {
      if (auto found = elementOf.find(operand.get()); found != elementOf.end())
        return elements[found->second];
      return numbers.lookup(operand.get());
    };
    auto linearIndex = [&]() -> Value {
      Value index = b.plus(b.times(row, length), b.position());
      return arith::IndexCastOp::create(b, b.getI64Type(), index);
    };
    RegionFormulas formulas(b, b.compute, read, linearIndex);
    return llvm::map_to_vector(wanted, [&](OpOperand *operand) { return formulas.of(*operand); });
  });
}

} // namespace halfstep
