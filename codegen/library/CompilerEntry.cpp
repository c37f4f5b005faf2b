// The one function that libhalfstep_compiler.so exports.
#include "codegen/library/CompilerEntry.h"

extern "C" __attribute__((visibility("default"))) const halfstep::CompilerEntry *halfstep_compiler_entry() {
  using namespace halfstep;
  static const CompilerEntry entry = {stageNames, printStage,      compileLibrary,
                                      checkModel, reportPrecision, exportOnnx};
  return &entry;
}
