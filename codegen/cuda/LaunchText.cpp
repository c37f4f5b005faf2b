// See LaunchText.h.
#include "codegen/cuda/LaunchText.h"

#include "dialect/train/TrainDialect.h"

#include "llvm/Support/raw_ostream.h"

namespace halfstep {

std::string launchText(const CudaProgram &program) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  auto addStep = [&](llvm::StringRef name, const std::vector<CudaLaunch> &step) {
    stream << "// " << name << ": " << step.size() << " launches\n";
    for (const CudaLaunch &launch : step) {
      const auto &[x, y, z] = launch.shape.grid;
      stream << "//   " << program.kernels[launch.kernel] << " grid " << x << "x" << y << "x" << z
             << " block " << launch.shape.threads() << " read " << launch.bytesRead << " written "
             << launch.bytesWritten << ": " << launch.source << "\n";
    }
  };
  const CudaVariant &variant = program.variants.front();
  addStep(train::kTrainStep, variant.train);
  addStep(train::kEvalStep, variant.eval);
  addStep(train::kForward, variant.forward);
  return text;
}

} // namespace halfstep
