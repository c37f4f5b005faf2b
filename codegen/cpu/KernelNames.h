// Names of kernel functions, of which kernels that compute the same share one.
#ifndef HALFSTEP_CODEGEN_CPU_KERNELNAMES_H
#define HALFSTEP_CODEGEN_CPU_KERNELNAMES_H

#include "dialect/train/TrainDialect.h"

#include "llvm/ADT/StringMap.h"

#include <string>

namespace halfstep {

/// Gives kernels that compute the same the same name.
class KernelNames {
public:
  explicit KernelNames(std::string prefix) : prefix(std::move(prefix)) {}

  /// The symbol of the kernel, and whether this is its first use.
  std::pair<std::string, bool> nameOf(train::KernelOp kernel) {
    auto [found, isNew] = names.try_emplace(textOf(kernel), "");
    if (isNew)
      found->second = prefix + "_" + kernel.getKind().str() + std::to_string(names.size() - 1);
    return {found->second, isNew};
  }

private:
  std::string prefix;
  llvm::StringMap<std::string> names;

  static std::string textOf(train::KernelOp kernel) {
    std::string text;
    llvm::raw_string_ostream stream(text);
    stream << kernel.getInputs().getTypes() << kernel.getResultTypes();
    // Printed in their own scope, values have numbers that do not depend on where the kernel stands.
    for (mlir::Operation &op : kernel.getBlock())
      op.print(stream, mlir::OpPrintingFlags().printGenericOpForm().useLocalScope());
    return text;
  }
};

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_CPU_KERNELNAMES_H
