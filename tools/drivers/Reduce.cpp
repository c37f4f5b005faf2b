// halfstep-reduce: cuts a file of IR down to what still shows a fault, as a script of the user's judges.
#include "tools/drivers/Dialects.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Tools/mlir-reduce/MlirReduceMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  halfstep::registerDialects(registry);
  halfstep::registerPasses();
  mlir::MLIRContext context(registry);
  return failed(mlir::mlirReduceMain(argc, argv, context));
}
