// The `scaler` object of a precision spec.
#ifndef HALFSTEP_IMPORT_SCALERREADER_H
#define HALFSTEP_IMPORT_SCALERREADER_H

#include "import/Recipe.h"

#include <nlohmann/json_fwd.hpp>

namespace halfstep {

class SpecReader;

/// Reads `reader`'s settings over those of the preset that it or `preset` names. Values out of range throw
/// BadInput.
ScalerSpec readScaler(const SpecReader &reader, const std::string &preset);

/// True for what can be a loss scale: libraries hold it as f32.
bool isScale(double value);

/// The default settings of "torch", "apex", "deepspeed" or "megatron".
ScalerSpec scalerPreset(const std::string &preset);

/// `scaler` with every value written out, as readScaler() reads it back.
nlohmann::json scalerToJson(const ScalerSpec &scaler);

} // namespace halfstep

#endif // HALFSTEP_IMPORT_SCALERREADER_H
