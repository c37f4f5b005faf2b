// See IrText.h.
#include "report/IrText.h"

#include "report/Provenance.h"

#include "mlir/IR/AsmState.h"

#include <algorithm>

using namespace mlir;

namespace halfstep {

/// Prints `module` and ends its last line. `state` was made with printingFlags().
static std::string print(ModuleOp module, AsmState &state) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module.print(stream, state);
  return text + "\n";
}

static OpPrintingFlags printingFlags() { return OpPrintingFlags().elideLargeElementsAttrs(16); }

std::string irText(ModuleOp module) {
  AsmState state(module, printingFlags());
  return print(module, state);
}

IrReport irReport(ModuleOp module, const std::string &stage) {
  AsmState::LocationMap places;
  AsmState state(module, printingFlags(), &places);
  IrReport report{stage, print(module, state), {}};
  report.layers.resize(size_t(std::count(report.text.begin(), report.text.end(), '\n')));
  for (auto [op, place] : places) {
    size_t line = place.first - 1;
    if (line < report.layers.size() && !isa<ModuleOp>(op))
      report.layers[line] = originOf(op);
  }
  return report;
}

} // namespace halfstep
