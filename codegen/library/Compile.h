// Entry of the compiler: a model file and a recipe in, IR at a stage or an output directory out.
#ifndef HALFSTEP_CODEGEN_LIBRARY_COMPILE_H
#define HALFSTEP_CODEGEN_LIBRARY_COMPILE_H

#include "import/Recipe.h"
#include "report/PrecisionReport.h"

#include <string>
#include <vector>

namespace halfstep {

struct CompileRequest {
  std::string model; ///< path
  Recipe recipe;
  std::string name;      ///< identifier of the library (already mangled)
  std::string outputDir; ///< made when absent; files appear by rename, all or none
  bool hostOnly = false; ///< only this CPU's ISA level: faster to compile, for `train MODEL`
  bool profile = false;  ///< the training step times its kernels, as Profile.h says
  /// Each op a kernel of its own whose results stay in the arena to the end of the step, and
  /// NAME.values.json, which says where (ValueTable.h): slower, for looking into a step.
  bool separateOps = false;
  NoteSink note = [](const std::string &) {};
  std::function<void(const std::string &stage)> progress = [](const std::string &) {};

  /// The request for another look at the model, whose notes have been reported.
  CompileRequest silent() const {
    CompileRequest request = *this;
    request.note = [](const std::string &) {};
    return request;
  }
};

/// Names of interfaces.md, in order: import place-casts differentiate ... kernels.
const std::vector<std::string> &stageNames();

/// IR after `stage` as text; or, for "linalg", "llvm", "asm", "ptx", that form of the kernels. Throws
/// Diagnostic.
std::string printStage(const CompileRequest &request, const std::string &stage);

/// Writes libID.a, libID.so, ID.h, ID.manifest.json, ID.recipe.json, IDConfig.cmake, ID.pc, example.c;
/// ID.profile.json if `profile` is set. The same request writes the same bytes. Throws Diagnostic.
void compileLibrary(const CompileRequest &request);

/// A line for each op or gradient of the model that is not supported; empty: all are. Throws Diagnostic
/// when the file cannot be read at all.
std::vector<std::string> checkModel(const CompileRequest &request);

/// What the request's precision spec does to the model, and the IR after each of `stages` (names of
/// stageNames()). Throws Diagnostic.
PrecisionReport reportPrecision(const CompileRequest &request, const std::vector<std::string> &stages);

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_LIBRARY_COMPILE_H
