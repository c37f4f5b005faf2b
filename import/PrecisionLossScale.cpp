// The rules of precision specs for the loss scale: who has one, static or moving.
#include "import/PrecisionResolver.h"
#include "import/ScalerReader.h"

#include <cstdlib>

using json = nlohmann::json;

namespace halfstep {

/// A loss scale as a number; 0 when `value` is none that f32 can hold.
static double staticScale(const json &value) {
  double scale = 0;
  if (value.is_number()) {
    scale = value.get<double>();
  } else if (value.is_string()) {
    const std::string text = value.get<std::string>();
    char *end = nullptr;
    scale = std::strtod(text.c_str(), &end);
    if (end == text.c_str() || *end)
      scale = 0;
  }
  return isScale(scale) ? scale : 0;
}

/// Why the mode has no use for a loss scale; empty where it has.
std::string PrecisionResolver::noScaleReason() const {
  if (row.mode == PrecisionMode::Uniform)
    return "-true modes take no loss scale; use '16-mixed' or remove it";
  if (spec.compute == "bf16")
    return "bf16 has the range of f32 and takes no loss scale; use '16-mixed' or remove it";
  if (row.mode == PrecisionMode::Policy && spec.compute != "f16")
    return "only a policy that computes in f16 takes a loss scale; remove it";
  return "";
}

void PrecisionResolver::applyLossScale() {
  double scale = 1;
  if (reader.has("loss_scale")) {
    const json &value = reader.at("loss_scale");
    spec.scaler = value.is_string() && value.get<std::string>() == "dynamic";
    scale = spec.scaler ? 1 : staticScale(value);
    if (scale == 0)
      reader.expected("loss_scale", "'dynamic' or a number > 0 that f32 can hold");
    if (std::string reason = noScaleReason(); !reason.empty() && (spec.scaler || scale != 1))
      contradiction("loss_scale", reason);
  }
  applyScaler();
  spec.lossScale = spec.scaler ? spec.scaling.init : scale;
}

void PrecisionResolver::applyScaler() {
  // The levels are Apex's, and so is their scaler.
  const std::string preset = isLevel() ? "apex" : "torch";
  if (spec.scaler)
    spec.scaling = scalerPreset(preset);
  if (!reader.has("scaler"))
    return;
  spec.scaling = readScaler(reader.child("scaler"), preset);
  if (std::string reason = noScaleReason(); !reason.empty())
    contradiction("scaler", reason);
  if (!spec.scaler && reader.has("loss_scale"))
    reader.fail(ExitCode::BadInput, "scaler",
                "scaler contradicts loss_scale " + reader.at("loss_scale").dump() +
                    ": it moves a 'dynamic' loss scale; remove one of the two");
  if (!spec.scaler)
    contradiction("scaler", "its loss scale is static; add loss_scale 'dynamic' or remove it");
}

} // namespace halfstep
