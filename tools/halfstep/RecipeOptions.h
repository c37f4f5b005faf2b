// The flags that make a recipe: one table of flags over the recipe's JSON, shared by all verbs.
#ifndef HALFSTEP_TOOLS_HALFSTEP_RECIPEOPTIONS_H
#define HALFSTEP_TOOLS_HALFSTEP_RECIPEOPTIONS_H

#include "import/Recipe.h"

#include <CLI/App.hpp>
#include <nlohmann/json.hpp>

#include <string>

namespace halfstep {

/// --recipe FILE, the flags that override it, and --set a.b=c, which overrides those.
class RecipeOptions {
public:
  /// Adds the flags to `verb`. This object must outlive the parse.
  void addTo(CLI::App &verb);
  /// Adds --epochs, --steps, --data and --val-split, which recipes hold too.
  void addRunTo(CLI::App &verb);

  /// The recipe that file and flags give, notes printed. Throws Diagnostic: BadInput for the file, Usage for
  /// the flags. Afterwards document() holds the merged JSON.
  Recipe resolve();

  /// After resolve(): the same recipe under another precision spec, as --diff takes it; notes printed. Throws
  /// Diagnostic as resolve() does.
  Recipe resolveWith(const std::string &spec) const;

  const nlohmann::json &document() const { return merged; }

  /// Usage when `recipe` has no loss; lists the losses. A model in .mlir has its own.
  static void requireLoss(const Recipe &recipe, const std::string &model);
  /// Unsupported unless code can be generated for the recipe's target.
  static void requireCompilableTarget(const Recipe &recipe);

private:
  void addFlags(CLI::App &verb, bool run);
  /// Reads the file alone, so that its mistakes are reported as the file's.
  void readFile();
  void applyPrecision();

  std::string file, precision;
  std::vector<std::string> settings;
  nlohmann::json flags = nlohmann::json::object();
  nlohmann::json merged = nlohmann::json::object();
};

} // namespace halfstep

#endif // HALFSTEP_TOOLS_HALFSTEP_RECIPEOPTIONS_H
