// The order of the lowering to the LLVM dialect, and the attributes that only LLVM reads.
#include "codegen/cpu/LowerToLlvm.h"

#include "codegen/cpu/ExpandNumbers.h"
#include "codegen/cpu/LinalgLoops.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace halfstep {

static LogicalResult simplify(ModuleOp module) {
  PassManager passes(module.getContext());
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createCSEPass());
  return passes.run(module);
}

static LogicalResult convert(ModuleOp module) {
  PassManager passes(module.getContext());
  // Slices become one index computation an access.
  passes.addPass(memref::createExpandStridedMetadataPass());
  passes.addPass(createLowerAffinePass());
  passes.addPass(createSCFToControlFlowPass());
  ConvertVectorToLLVMPassOptions vectorOptions;
  vectorOptions.x86Vector = true;
  passes.addPass(createConvertVectorToLLVMPass(vectorOptions));
  // Intrinsics where LLVM has them, libm for the rest.
  passes.addPass(createConvertMathToLLVMPass());
  passes.addPass(createConvertMathToLibmPass());
  ConvertFuncToLLVMPassOptions functionOptions;
  functionOptions.useBarePtrCallConv = true;
  passes.addPass(createConvertFuncToLLVMPass(functionOptions));
  passes.addPass(createFinalizeMemRefToLLVMConversionPass());
  passes.addPass(createArithToLLVMConversionPass());
  passes.addPass(createConvertIndexToLLVMPass());
  passes.addPass(createConvertControlFlowToLLVMPass());
  passes.addPass(createUBToLLVMConversionPass());
  passes.addPass(createReconcileUnrealizedCastsPass());
  return passes.run(module);
}

static void setTarget(LLVM::LLVMFuncOp function, const CpuLevel &level) {
  MLIRContext *context = function.getContext();
  function.setTargetCpu(level.targetCpu);
  if (!level.targetFeatures.empty())
    function.setTargetFeaturesAttr(LLVM::TargetFeaturesAttr::get(context, level.targetFeatures));
  function.setPreferVectorWidth(std::to_string(level.vectorBits));
  function.setNoUnwind(true);
}

/// What the function says to LLVM beyond its types: a private one is called in this module only, and memref
/// arguments that do not alias are there.
static void setFunctionAttributes(func::FuncOp function) {
  MLIRContext *context = function.getContext();
  if (function.isPrivate() && !function.isExternal())
    function->setAttr("llvm.linkage", LLVM::LinkageAttr::get(context, LLVM::Linkage::Internal));
  for (unsigned i = 0; i < function.getNumArguments(); ++i)
    if (function.getArgAttr(i, LLVM::LLVMDialect::getNoAliasAttrName()))
      function.setArgAttr(i, LLVM::LLVMDialect::getNonNullAttrName(), UnitAttr::get(context));
}

LogicalResult lowerToLlvm(ModuleOp module, const CpuLevel &level) {
  // Pairs of conversions vanish before they are expanded into bits.
  if (failed(lowerLinalgToLoops(module, level)) || failed(simplify(module)) ||
      failed(expandNumbers(module, level)))
    return failure();
  for (auto function : module.getOps<func::FuncOp>())
    setFunctionAttributes(function);
  if (failed(convert(module)))
    return failure();
  for (auto function : module.getOps<LLVM::LLVMFuncOp>())
    if (!function.isExternal())
      setTarget(function, level);
  return success();
}

} // namespace halfstep
