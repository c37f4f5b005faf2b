// See Compiler.h.
#include "tools/halfstep/Compiler.h"

#include <dlfcn.h>

#include <filesystem>

namespace fs = std::filesystem;

namespace halfstep {

static constexpr const char *kFileName = "libhalfstep_compiler.so";

/// The file beside this program, as built or as installed; the bare name where it is in neither place.
static std::string libraryFile() {
  std::error_code error;
  fs::path prefix = fs::read_symlink("/proc/self/exe", error).parent_path().parent_path();
  for (const char *folder : {"lib", HALFSTEP_LIBRARY_FOLDER}) {
    fs::path file = prefix / folder / kFileName;
    if (!error && fs::exists(file, error))
      return file.string();
  }
  return kFileName;
}

static const CompilerEntry &open() {
  void *handle = dlopen(libraryFile().c_str(), RTLD_NOW | RTLD_LOCAL);
  using Entry = const CompilerEntry *();
  auto *entry = handle ? reinterpret_cast<Entry *>(dlsym(handle, kCompilerEntrySymbol)) : nullptr;
  if (!entry)
    throw Diagnostic(ExitCode::Internal, std::string("cannot open the compiler: ") + dlerror() +
                                             "; it belongs in the folder lib beside this program's bin");
  return *entry();
}

const CompilerEntry &compiler() {
  static const CompilerEntry &entry = open();
  return entry;
}

} // namespace halfstep
