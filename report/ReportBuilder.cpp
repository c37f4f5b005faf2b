// The way of one training step through the passes, with a look at it wherever the report needs one. The
// passes are those of every compilation, in the same order: what is reported is what is compiled.
#include "report/ReportBuilder.h"

#include "passes/Pipeline.h"
#include "passes/PlaceCasts.h"
#include "report/MemoryByKind.h"
#include "report/Provenance.h"

#include "dialect/amp/AmpDialect.h"
#include "dialect/nn/NNDialect.h"
#include "dialect/train/TrainDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Verifier.h"

using namespace mlir;

namespace halfstep {

namespace {

class ReportBuilder {
public:
  ReportBuilder(ModuleOp module, PrecisionReport &report) : module(module), report(report) {}

  LogicalResult run() {
    if (failed(placeAndObserve()) || failed(differentiateAndMark(module)) ||
        failed(runTo("differentiate", "optimizer")))
      return failure();
    report.castsBefore = int64_t(casts().size());
    if (failed(runTo("optimizer", "minimize-casts")))
      return failure();
    listCasts();
    if (failed(runTo("minimize-casts", "plan-memory")))
      return failure();
    locateCasts();
    report.weights = weightsOf(module);
    report.memory = memoryByKind(module);
    report.activations = activationsOf(module);
    return success();
  }

private:
  ModuleOp module;
  PrecisionReport &report;
  /// Of each listed cast the parameter that it casts; null for all others.
  SmallVector<StringAttr> castParameters;

  func::FuncOp step() { return module.lookupSymbol<func::FuncOp>(train::kTrainStep); }

  LogicalResult runTo(StringRef after, StringRef last) {
    return runPipeline(module, last, /*verifyEach=*/true, after);
  }

  SmallVector<amp::CastOp> casts() { return llvm::to_vector(step().getOps<amp::CastOp>()); }

  LogicalResult placeAndObserve() {
    auto observe = [&](Operation *op, const PrecisionDecision &decision) {
      if (op->getParentOp() == step())
        addOp(op, decision);
    };
    if (failed(placeCasts(module, observe)))
      return failure();
    return verify(module);
  }

  void addOp(Operation *op, const PrecisionDecision &decision) {
    auto keyed = dyn_cast<PrecisionClassOpInterface>(op);
    auto shape = op->getNumResults() ? cast<RankedTensorType>(op->getResult(0).getType()).getShape()
                                     : ArrayRef<int64_t>();
    report.ops.push_back({originOf(op), op->getName().getStringRef().str(),
                          keyed ? keyed.getPrecisionKey().str() : "",
                          classNameOf(decision.precisionClass).str(),
                          decision.type ? typeName(decision.type) : "", decision.reason, shape.vec()});
  }

  void listCasts() {
    for (amp::CastOp cast : casts()) {
      auto type = llvm::cast<RankedTensorType>(cast.getType());
      auto read = cast.getInput().getDefiningOp<train::ReadOp>();
      castParameters.push_back(read ? read.getParamAttr().getAttr() : StringAttr());
      markNumber(cast, int64_t(report.casts.size()));
      report.casts.push_back(
          {typeName(getElementTypeOrSelf(cast.getInput())), typeName(type.getElementType()), originOf(cast),
           isBackward(cast), type.getShape().vec(),
           tensorBytes(cast.getInput().getType()) + tensorBytes(type), CastPlace::Dropped, "", 0});
    }
  }

  /// Where each listed cast ended up: in a kernel, in the way that a parameter is stored, or nowhere.
  void locateCasts() {
    for (auto [cast, parameter] : llvm::zip_equal(report.casts, castParameters))
      if (parameter)
        locateInParameter(cast, module.lookupSymbol<train::ParamOp>(parameter));
    for (auto kernel : step().getOps<train::KernelOp>())
      for (auto cast : kernel.getBlock().getOps<amp::CastOp>())
        if (std::optional<int64_t> number = numberOf(cast))
          locateInKernel(report.casts[size_t(*number)], kernel);
  }

  static void locateInParameter(CastReport &cast, train::ParamOp param) {
    RankedTensorType type = param.getTensorType();
    if (std::optional<Type> copy = param.getCopyType(); copy && typeName(*copy) == cast.to) {
      cast.place = CastPlace::Copy;
      cast.cost = tensorBytes(type.clone(*copy));
    } else if (typeName(type.getElementType()) == cast.to) {
      cast.place = CastPlace::Stored;
    }
  }

  static void locateInKernel(CastReport &cast, train::KernelOp kernel) {
    bool alone = llvm::all_of(kernel.getBlock().without_terminator(), llvm::IsaPred<amp::CastOp>);
    cast.place = alone ? CastPlace::Kernel : CastPlace::Folded;
    cast.kernel = kernel.getKind().str();
    cast.cost = alone ? cast.bytes : 0;
  }
};

} // namespace

LogicalResult buildReport(ModuleOp module, PrecisionReport &report) {
  return ReportBuilder(module, report).run();
}

} // namespace halfstep
