// See ModelOptions.h.
#include "tools/halfstep/ModelOptions.h"

#include "import/Mangle.h"
#include "import/SpecReader.h"
#include "tools/halfstep/Compiler.h"
#include "tools/halfstep/Report.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace fs = std::filesystem;

namespace halfstep {

bool isLibrary(const std::string &path) {
  std::error_code error;
  if (fs::is_directory(path, error))
    return true;
  if (!fs::is_regular_file(path, error))
    return path.ends_with(".so");
  char magic[4] = {};
  std::ifstream(path, std::ios::binary).read(magic, sizeof magic);
  return path.ends_with(".so") || std::memcmp(magic, "\177ELF", sizeof magic) == 0;
}

void requireFile(const std::string &path) {
  std::error_code error;
  fs::file_status status = fs::status(path, error);
  if (!fs::exists(status))
    throw Diagnostic(ExitCode::Io, path + ": no such file");
  if (fs::is_directory(status))
    throw Diagnostic(ExitCode::Io, path + ": is a folder, expected a file");
  if (!std::ifstream(path, std::ios::binary))
    throw Diagnostic(ExitCode::Io, path + ": cannot be opened: " + std::strerror(errno));
}

std::string libraryName(const std::string &name, const std::string &model) {
  std::string mangled = mangleIdentifier(name.empty() ? fs::path(model).stem().string() : name);
  // File names end at 255 bytes; the longest suffix is ".manifest.json.tmp" with a process number.
  constexpr size_t maxName = 200;
  if (mangled.size() > maxName)
    throw Diagnostic(ExitCode::Usage,
                     "the library's name is " + std::to_string(mangled.size()) +
                         " bytes long, expected at most 200; give a shorter one with --name");
  return mangled;
}

CompileRequest compileRequest(const std::string &model, const std::string &name, const Recipe &recipe) {
  CompileRequest request;
  request.model = model;
  request.recipe = recipe;
  request.name = libraryName(name, model);
  request.note = printNote;
  return request;
}

std::vector<std::string> emittableStages() {
  std::vector<std::string> names = compiler().stageNames();
  names.insert(names.end(), {"linalg", "gpu", "nvvm", "llvm", "ptx", "asm"});
  return names;
}

void requireStage(const std::string &stage, const char *flag) {
  std::vector<std::string> names = emittableStages();
  if (std::find(names.begin(), names.end(), stage) == names.end())
    throw Diagnostic(ExitCode::Usage, std::string(flag) + ": unknown stage '" + stage + "'" +
                                          nearestHint(stage, names) + "; expected one of " +
                                          quotedList(names));
}

void notAvailable(const std::string &flag) {
  throw Diagnostic(ExitCode::Unsupported, flag + " is not available yet");
}

} // namespace halfstep
