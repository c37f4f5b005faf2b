// See LibrarySource.h.
#include "tools/halfstep/LibrarySource.h"

#include "tools/halfstep/Compiler.h"
#include "tools/halfstep/ModelOptions.h"
#include "tools/halfstep/Report.h"

#include <filesystem>

namespace fs = std::filesystem;

namespace halfstep {

LibrarySource LibrarySource::existing(const std::string &path, const RecipeOptions &options) {
  std::error_code error;
  if (!fs::exists(path, error))
    throw Diagnostic(ExitCode::Io, path + ": no such file or folder");
  for (const auto &[key, value] : options.document().items())
    if (key != "data" && key != "epochs" && key != "steps" && key != "seed" && key != "$schema")
      throw Diagnostic(ExitCode::Usage,
                       path + ": '" + key +
                           "' was settled when this library was compiled; remove it, or give the model");
  LibrarySource source;
  source.library = path;
  return source;
}

LibrarySource LibrarySource::compiled(const std::string &model, const Recipe &recipe, bool separateOps,
                                      bool profile) {
  LibrarySource source;
  source.folder = std::make_unique<TemporaryDirectory>();
  CompileRequest request = compileRequest(model, "", recipe);
  request.outputDir = (source.folder->path() / request.name).string();
  request.hostOnly = true;
  request.separateOps = separateOps;
  request.profile = profile;
  printProgress("compiling " + model + (separateOps ? " with each op on its own" : ""));
  compiler().compileLibrary(request);
  source.library = request.outputDir;
  return source;
}

} // namespace halfstep
