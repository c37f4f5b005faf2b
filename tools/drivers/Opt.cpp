// halfstep-opt: runs passes on a file of IR, as the tests of dialects and passes do.
#include "tools/drivers/Dialects.h"

#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  halfstep::registerDialects(registry);
  halfstep::registerPasses();
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "halfstep optimizer driver\n", registry));
}
