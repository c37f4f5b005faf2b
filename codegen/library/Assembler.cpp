// See Assembler.h.
#include "codegen/library/Assembler.h"

#include "import/Diagnostic.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdlib>

namespace halfstep {

std::optional<std::string> findPtxas() {
  if (const char *given = std::getenv("HALFSTEP_PTXAS"); given && *given)
    return given;
  if (llvm::ErrorOr<std::string> found = llvm::sys::findProgramByName("ptxas"))
    return *found;
  if (llvm::ErrorOr<std::string> found = llvm::sys::findProgramByName("ptxas", {"/usr/local/cuda/bin"}))
    return *found;
  return std::nullopt;
}

namespace {

/// A file that goes when this does.
class TemporaryFile {
public:
  explicit TemporaryFile(llvm::StringRef suffix) : remover("") {
    if (std::error_code error = llvm::sys::fs::createTemporaryFile("halfstep", suffix, path))
      throw Diagnostic(ExitCode::Io, "cannot make a temporary file: " + error.message());
    remover.setFile(path);
  }

  void write(const std::string &text) const {
    std::error_code error;
    llvm::raw_fd_ostream stream(path, error);
    stream << text;
    stream.close();
    if (error || stream.has_error())
      throw Diagnostic(ExitCode::Io, name() + ": cannot be written");
  }
  std::string read() const {
    auto buffer = llvm::MemoryBuffer::getFile(path);
    return buffer ? (*buffer)->getBuffer().str() : "";
  }
  std::string name() const { return path.str().str(); }
  llvm::StringRef ref() const { return path; }

private:
  llvm::SmallString<128> path;
  llvm::FileRemover remover;
};

} // namespace

Assembly assemble(const std::string &ptxas, const std::string &ptx, int architecture) {
  TemporaryFile input("ptx"), output("cubin"), log("log");
  input.write(ptx);
  const std::string target = "-arch=sm_" + std::to_string(architecture);
  const llvm::SmallVector<llvm::StringRef> arguments = {ptxas, target, "-v", input.ref(), "-o", output.ref()};
  const std::optional<llvm::StringRef> redirects[] = {llvm::StringRef(), log.ref(), log.ref()};
  std::string reason;
  int status = llvm::sys::ExecuteAndWait(ptxas, arguments, std::nullopt, redirects, 0, 0, &reason);
  if (status < 0)
    throw Diagnostic(ExitCode::Io, ptxas + ": cannot be run: " + reason);
  Assembly assembly{output.read(), log.read()};
  if (status != 0)
    throw Diagnostic(ExitCode::Internal, "ptxas refuses the kernels for sm_" + std::to_string(architecture) +
                                             ": " + llvm::StringRef(assembly.log).split('\n').first.str());
  return assembly;
}

} // namespace halfstep
