// The library that a verb runs: one that is there, or one compiled from a model for this run only.
#ifndef HALFSTEP_TOOLS_HALFSTEP_LIBRARYSOURCE_H
#define HALFSTEP_TOOLS_HALFSTEP_LIBRARYSOURCE_H

#include "import/Recipe.h"
#include "tools/halfstep/RecipeOptions.h"
#include "tools/halfstep/TemporaryDirectory.h"

#include <memory>
#include <string>

namespace halfstep {

/// A library's folder or .so, kept as long as this object lives.
class LibrarySource {
public:
  /// The library at `path`. Io when there is none; Usage when flags were given that are settled when a
  /// library is compiled.
  static LibrarySource existing(const std::string &path, const RecipeOptions &options);

  /// `model` compiled for this CPU's instruction set only, into a temporary folder; with `separateOps` and
  /// `profile`, as CompileRequest says. Throws Diagnostic.
  static LibrarySource compiled(const std::string &model, const Recipe &recipe, bool separateOps = false,
                                bool profile = false);

  const std::string &path() const { return library; }

private:
  std::string library;
  std::unique_ptr<TemporaryDirectory> folder;
};

} // namespace halfstep

#endif // HALFSTEP_TOOLS_HALFSTEP_LIBRARYSOURCE_H
