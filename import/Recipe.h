// How a model is trained: loss, optimizer, precision, batch. The compiler reads it; the trainer reads the
// rest.
#ifndef HALFSTEP_IMPORT_RECIPE_H
#define HALFSTEP_IMPORT_RECIPE_H

#include "import/Diagnostic.h"
#include "import/LossTable.h"
#include "import/OptimizerReader.h"
#include "import/ScheduleReader.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace halfstep {

/// How a dynamic loss scale moves. The defaults are those of torch.amp.GradScaler.
struct ScalerSpec {
  std::string preset = "torch"; ///< torch, apex, deepspeed, megatron
  double init = 65536;
  double growth = 2;           ///< factor after `interval` steps without an overflow
  double backoff = 0.5;        ///< factor after a step with one
  int64_t interval = 2000;     ///< in [1, 2^31)
  int64_t hysteresis = 1;      ///< overflows that it takes to shrink the scale, in [1, 2^31)
  bool refillAtGrowth = false; ///< the count of those is full again when the scale grows; else: at any step
                               ///< without an overflow
  /// Under it the trainer gives up; presets other than torch also hold the scale there. Absent: the trainer's
  /// own least scale, and no bound in the library.
  std::optional<double> min;
  std::optional<double> max; ///< growth stops here
};

/// A row of the precision table (import/PrecisionTable.cpp) after overrides. Type names: f64 f32 bf16 f16.
struct PrecisionSpec {
  std::string name = "32-true";     ///< canonical: "bf16-mixed", never "bf16"
  std::string params = "f32";       ///< type of the parameters that the optimizer updates
  std::string compute = "f32";      ///< type of ops of class `lower`
  std::string output = "f32";       ///< type of the model's outputs, in which a converted model's loss runs
  bool casts = false;               ///< casts are placed by op class
  bool convert = false;             ///< the whole model runs in `compute`; neither: everything in `params`
  std::string keep;                 ///< normalisations that stay f32: none (empty), batch_norm, norms (all)
  std::string masters = "separate"; ///< of parameters that ops read in low precision: separate, split, none
  std::string update = "nearest";   ///< how the optimizer rounds what it stores: nearest, stochastic
  std::map<std::string, std::string> ops;    ///< key of an op list -> class that overrides the list's
  std::map<std::string, std::string> layers; ///< glob over layer names -> class; beats `ops`
  std::string lists = "cpu";                 ///< op lists: cpu, cuda, apex
  std::string rounding = "fused";            ///< fused, eager
  bool scaler = false;                       ///< dynamic loss scale
  double lossScale = 1;                      ///< initial or static
  ScalerSpec scaling;                        ///< how a dynamic loss scale moves
  std::vector<std::string> notes;            ///< to be printed once: "'bf16' means 'bf16-mixed'"
};

struct Recipe {
  LossSpec loss;
  OptimizerSpec optimizer;
  PrecisionSpec precision;
  int64_t batch = 32;
  int64_t tailBatch = 0;  ///< a second compiled batch size for a short last batch; 0: none
  double clipNorm = 0;    ///< of all gradients together; 0: no clipping
  double clipValue = 0;   ///< of each element of a gradient; 0: no clipping
  int64_t accumulate = 1; ///< batches whose gradients make one update
  ScheduleSpec schedule;
  uint64_t seed = 0;
  std::string target = "cpu";
  std::string cpuGemm = "auto"; ///< auto, onednn, generated
};

/// Reads recipe JSON text over `recipe` (keys that are absent keep their value). `file` is for messages.
void readRecipe(const std::string &text, const std::string &file, Recipe &recipe);

/// Checks values against each other and against their ranges; throws the first contradiction.
void validateRecipe(const Recipe &recipe);

/// The resolved recipe as JSON with sorted keys: the same recipe gives the same bytes.
std::string writeRecipe(const Recipe &recipe);

} // namespace halfstep

#endif // HALFSTEP_IMPORT_RECIPE_H
