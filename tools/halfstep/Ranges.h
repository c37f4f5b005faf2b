// halfstep inspect --ranges: what values a model's tensors take, against the ranges of narrower types.
#ifndef HALFSTEP_TOOLS_HALFSTEP_RANGES_H
#define HALFSTEP_TOOLS_HALFSTEP_RANGES_H

#include "tools/halfstep/RecipeOptions.h"

#include <CLI/App.hpp>

namespace halfstep {

class RangeOptions {
public:
  /// --ranges and the flags that need it.
  void addTo(CLI::App &verb);

  bool isRequested() const { return requested; }

  /// Trains `model` for some steps in f32 and prints the report. `recipe` must have been resolved by
  /// `options`. Throws Diagnostic.
  void print(const std::string &model, const Recipe &recipe, const RecipeOptions &options, bool asJson) const;

private:
  bool requested = false;
  std::string data, weights;
  int64_t steps = 10;
};

} // namespace halfstep

#endif // HALFSTEP_TOOLS_HALFSTEP_RANGES_H
