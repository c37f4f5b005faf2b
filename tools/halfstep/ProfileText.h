// What `bench --profile` prints.
#ifndef HALFSTEP_TOOLS_HALFSTEP_PROFILETEXT_H
#define HALFSTEP_TOOLS_HALFSTEP_PROFILETEXT_H

#include "runtime/trainer/Trainer.h"

#include <nlohmann/json.hpp>

#include <string>

namespace halfstep {

/// "F32,BF16,GBYTES", three positive numbers. Throws Diagnostic Usage.
MachineLimits parseLimits(const std::string &text);

/// {"limits": {...}, "kernels": [...]}, longest first.
nlohmann::ordered_json profileJson(const BenchResult &result);

/// A line for the limits, then a table with a line a kernel.
void printProfile(const BenchResult &result);

} // namespace halfstep

#endif // HALFSTEP_TOOLS_HALFSTEP_PROFILETEXT_H
