// See EraseDead.h.
#include "passes/EraseDead.h"

#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;

namespace halfstep {

void eraseDead(func::FuncOp function) {
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(function.getBody().front())))
    if (isOpTriviallyDead(&op))
      op.erase();
}

} // namespace halfstep
