// The compiler as a library that tools open when they need it: whoever only trains a compiled library pays
// neither the time nor the memory that loading LLVM takes.
#ifndef HALFSTEP_CODEGEN_LIBRARY_COMPILERENTRY_H
#define HALFSTEP_CODEGEN_LIBRARY_COMPILERENTRY_H

#include "codegen/library/Compile.h"
#include "export/OnnxExport.h"

namespace halfstep {

/// The functions of Compile.h, and the export.
struct CompilerEntry {
  const std::vector<std::string> &(*stageNames)();
  std::string (*printStage)(const CompileRequest &request, const std::string &stage);
  void (*compileLibrary)(const CompileRequest &request);
  std::vector<std::string> (*checkModel)(const CompileRequest &request);
  PrecisionReport (*reportPrecision)(const CompileRequest &request, const std::vector<std::string> &stages);
  std::string (*exportOnnx)(const ExportRequest &request); ///< OnnxExport.h
};

/// Name of the function `const CompilerEntry *()` that libhalfstep_compiler.so exports.
inline constexpr const char *kCompilerEntrySymbol = "halfstep_compiler_entry";

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_LIBRARY_COMPILERENTRY_H
