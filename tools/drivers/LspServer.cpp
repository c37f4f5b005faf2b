// halfstep-lsp-server: diagnostics, completion and navigation in .mlir files for editors that speak the
// Language Server Protocol.
#include "tools/drivers/Dialects.h"

#include "mlir/Support/LogicalResult.h"
#include "mlir/Tools/mlir-lsp-server/MlirLspServerMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  halfstep::registerDialects(registry);
  return failed(mlir::MlirLspServerMain(argc, argv, registry));
}
