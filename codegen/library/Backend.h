// LLVM's part of making a library: IR of the kernels and of the embedded runtime in, one object out. Backends
// are independent of each other, so that threads may have one each.
#ifndef HALFSTEP_CODEGEN_LIBRARY_BACKEND_H
#define HALFSTEP_CODEGEN_LIBRARY_BACKEND_H

#include "mlir/IR/BuiltinOps.h"

#include "llvm/ADT/StringSet.h"
#include "llvm/IR/Module.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Target/TargetMachine.h"

#include <functional>
#include <memory>
#include <string>

namespace halfstep {

/// One module of a library under construction. The baseline is x86-64 and position independent; functions of
/// kernels carry their own instruction level.
class Backend {
public:
  /// `name` becomes the object's only mention of where it came from.
  explicit Backend(const std::string &name);
  ~Backend();

  llvm::Module &module() { return *linked; }

  /// Adds the functions of another Backend's bitcode().
  void add(llvm::StringRef bitcode);
  /// Adds the functions of a module in the LLVM dialect. Throws Internal when it cannot be translated.
  void add(mlir::ModuleOp lowered);
  /// Adds the runtime that every library embeds, and the parts that run primitives or a GPU if asked for.
  void addRuntime(bool primitives, bool cuda);

  /// Makes everything but `kept` local and optimises all that was added so far. The runtime comes optimised,
  /// so it is added later.
  void optimize(const llvm::StringSet<> &kept);
  /// Makes everything but `exported` local and drops what is then unused.
  void hide(const llvm::StringSet<> &exported);

  std::string bitcode() const;
  std::string ir() const;
  std::string assembly();
  /// Writes the object to a new file.
  void writeObject(const std::string &path);

private:
  void link(std::unique_ptr<llvm::Module> part);
  void run(const std::function<llvm::ModulePassManager(llvm::PassBuilder &)> &pipeline);
  void emit(llvm::CodeGenFileType kind, llvm::raw_pwrite_stream &stream);

  std::string error; ///< the first that LLVM reported
  std::unique_ptr<llvm::LLVMContext> context;
  std::unique_ptr<llvm::TargetMachine> machine;
  std::unique_ptr<llvm::Module> linked;
};

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_LIBRARY_BACKEND_H
