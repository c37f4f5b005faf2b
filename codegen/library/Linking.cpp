// See Linking.h.
#include "codegen/library/Linking.h"

#include "import/Diagnostic.h"

#include "llvm/Object/ArchiveWriter.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"

#include <fstream>
#include <iterator>

namespace halfstep {

void writeArchive(OutputFolder &folder, const std::string &name, const std::string &object) {
  const std::string member = name + ".o", file = "lib" + name + ".a";
  llvm::ErrorOr<std::unique_ptr<llvm::MemoryBuffer>> content =
      llvm::MemoryBuffer::getFile(object, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!content)
    throw Diagnostic(ExitCode::Io, folder.finalName(file) + ": " + content.getError().message());
  llvm::NewArchiveMember entry(llvm::MemoryBufferRef((*content)->getBuffer(), member));
  entry.MemberName = member;
  llvm::Error error =
      llvm::writeArchive(folder.reserve(file), entry, llvm::SymtabWritingMode::NormalSymtab,
                         llvm::object::Archive::K_GNU, /*Deterministic=*/true, /*Thin=*/false);
  if (error)
    throw Diagnostic(ExitCode::Io, folder.finalName(file) + ": " + llvm::toString(std::move(error)));
}

namespace {
struct Driver {
  std::string path;
  bool lld = false; ///< takes -fuse-ld=lld
};
} // namespace

/// The C compiler that runs the linker, since it knows where libc is. clang-22 comes with what halfstep
/// itself needs.
static Driver findDriver() {
  for (const char *name : {"clang-22", "cc", "gcc", "clang"})
    if (llvm::ErrorOr<std::string> path = llvm::sys::findProgramByName(name))
      return {*path, std::string(name) == "clang-22" && bool(llvm::sys::findProgramByName("ld.lld-22"))};
  throw Diagnostic(ExitCode::Io, "no linker was found: looked for clang-22, cc, gcc and clang; install one");
}

static std::string firstLine(const std::string &path) {
  std::ifstream stream(path, std::ios::binary);
  std::string line;
  while (std::getline(stream, line))
    if (!line.empty())
      return line;
  return "no message";
}

/// A path that no program takes for an option.
static std::string asArgument(const std::string &path) { return path.starts_with("/") ? path : "./" + path; }

void linkShared(OutputFolder &folder, const std::string &name, const std::string &object) {
  const Driver driver = findDriver();
  const std::string file = "lib" + name + ".so", input = asArgument(object);
  const std::string output = asArgument(folder.reserve(file)), log = folder.scratch("link.log");
  const std::string soname = "-Wl,-soname," + file;
  // No start files: the library has no globals to set up. Of the libraries only those that are used are named
  // in it; -z defs refuses whatever they do not define.
  llvm::SmallVector<llvm::StringRef> arguments = {driver.path,
                                                  "-shared",
                                                  "-nostdlib",
                                                  soname,
                                                  "-Wl,-z,defs",
                                                  "-Wl,-z,now",
                                                  "-Wl,-z,relro",
                                                  "-Wl,-z,noexecstack",
                                                  "-Wl,--hash-style=gnu",
                                                  "-Wl,--build-id=none",
                                                  "-Wl,--gc-sections",
                                                  "-Wl,--as-needed",
                                                  "-o",
                                                  output,
                                                  input,
                                                  "-lm",
                                                  "-lpthread",
                                                  "-ldl",
                                                  "-lc"};
  if (driver.lld)
    arguments.push_back("-fuse-ld=lld");
  std::optional<llvm::StringRef> redirects[] = {llvm::StringRef(), llvm::StringRef(log),
                                                llvm::StringRef(log)};
  std::string reason;
  int status = llvm::sys::ExecuteAndWait(driver.path, arguments, std::nullopt, redirects, 0, 0, &reason);
  if (status == 0)
    return;
  std::string line = reason.empty() ? firstLine(log) : reason;
  // Linkers write through mapped memory: a full disk may end them by a signal, without a message.
  std::error_code error;
  if (std::filesystem::space(folder.scratch(""), error).available <
          std::filesystem::file_size(object, error) &&
      !error)
    line = "no space left on the device";
  bool undefined = line.find("undefined") != std::string::npos;
  throw Diagnostic(undefined ? ExitCode::Internal : ExitCode::Io,
                   folder.finalName(file) + ": the linker failed: " + line);
}

} // namespace halfstep
