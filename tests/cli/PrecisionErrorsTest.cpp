// Wrong precision specs, each with the words that its message must have: both settings of a contradiction and
// the way out.
#include "tests/cli/ParsePrecision.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

using namespace halfstep;
using enum ExitCode;

namespace {

/// The exit code of reading a spec, and its message.
struct Failure {
  ExitCode code = Ok;
  std::string message;
};

Failure failureOf(const std::string &text, const std::string &target = "cpu") {
  try {
    if (target == "cpu")
      parsePrecision(text);
    else
      resolvePrecision(precisionSpecOf(text), {"precision", ""}, target);
  } catch (const Diagnostic &diagnostic) {
    return {diagnostic.code, diagnostic.what()};
  }
  return {};
}

struct Case {
  const char *spec;
  std::vector<const char *> parts; ///< of the message
};

void expectBadInput(const std::vector<Case> &cases) {
  for (const Case &row : cases) {
    Failure failure = failureOf(row.spec);
    EXPECT_EQ(int(failure.code), int(BadInput)) << row.spec << ": " << failure.message;
    for (const char *part : row.parts)
      EXPECT_NE(failure.message.find(part), std::string::npos)
          << row.spec << ": '" << part << "' in: " << failure.message;
  }
}

TEST(PrecisionErrors, KeysAndTypes) {
  expectBadInput({
      {R"({"precision": []})", {"/precision: expected a string"}},
      {R"({"precison": "32-true"})", {"unknown key", "did you mean 'precision'"}},
      {R"({"precision": "33-true"})", {"unknown precision '33-true'", "did you mean '32-true'"}},
      {R"({"precision": "32-true", "precision": "64-true"})", {"\"precision\" occurs twice"}},
      {R"({"precision": true})", {"/precision: expected a string, got true"}},
      {R"({"amp_level": "O4"})", {"/amp_level: expected one of 'O0', 'O1', 'O2', 'O3'"}},
      {R"({"amp_backend": "nvidia"})", {"/amp_backend: expected one of 'native', 'apex'"}},
      {R"({"amp_level": "O2", "half": "fp8"})", {"/half: expected one of 'fp16', 'bf16'"}},
      {R"({"params": "fp32"})", {"/params: expected one of 'f64', 'f32', 'bf16', 'f16'"}},
      {R"({"compute": 16})", {"/compute: expected a string"}},
      {R"({"amp_level": "O2", "output": "i8"})", {"/output: expected one of"}},
      {R"({"rounding": "up"})", {"/rounding: expected one of 'fused', 'eager'"}},
      {R"({"precision": "bf16-mixed", "lists": "tpu"})", {"/lists: expected one of 'cpu', 'cuda', 'apex'"}},
      {R"({"amp_level": "O2", "masters": "f32"})", {"/masters: expected one of 'separate', 'split', 'none'"}},
      {R"({"precision": "bf16-true", "update": "random"})",
       {"/update: expected one of 'nearest', 'stochastic'"}},
      {R"({"amp_level": "O2", "master_weights": "yes"})", {"/master_weights: expected true or false"}},
      {R"({"amp_level": "O2", "keep_batchnorm_fp32": "true"})",
       {"/keep_batchnorm_fp32: expected true or false"}},
      {R"({"amp_level": "O2", "keep_norms_fp32": 1})", {"/keep_norms_fp32: expected true or false, got 1"}},
      {R"({"precision": "bf16-mixed", "ops": {"softmax": "fp8"}})",
       {"/ops/softmax: expected one of 'lower'"}},
      {R"({"precision": "bf16-mixed", "layers": {"head.*": 32}})", {"/layers/head.*: expected a string"}},
      {R"({"precision": "bf16-mixed", "layers": {"": "fp32"}})", {"/layers: expected a name of 1 to 256"}},
      {R"({"precision": "bf16-mixed", "layers": []})", {"/layers: expected an object"}},
      {R"({"precision": "16-mixed", "loss_scale": "much"})", {"/loss_scale: expected 'dynamic' or a number"}},
      {R"({"precision": "16-mixed", "loss_scale": -2})", {"'dynamic' or a number > 0"}},
      {R"({"precision": "16-mixed", "loss_scale": 1e39})", {"that f32 can hold"}},
      {R"({"precision": "16-mixed", "loss_scale": "1e-60"})", {"that f32 can hold"}},
  });
}

TEST(PrecisionErrors, ScalerRanges) {
  expectBadInput({
      {R"({"precision": "16-mixed", "scaler": {"inti": 2}})", {"did you mean 'init'"}},
      {R"({"precision": "16-mixed", "scaler": {"init": 0}})", {"/scaler/init: expected a number > 0"}},
      {R"({"precision": "16-mixed", "scaler": {"init": 1e39}})", {"/scaler/init: expected"}},
      {R"({"precision": "16-mixed", "scaler": {"growth": 1}})",
       {"/scaler/growth: expected a finite number > 1"}},
      {R"({"precision": "16-mixed", "scaler": {"backoff": 1}})",
       {"/scaler/backoff: expected a number in (0, 1)"}},
      {R"({"precision": "16-mixed", "scaler": {"interval": 0}})", {"/scaler/interval: expected"}},
      {R"({"precision": "16-mixed", "scaler": {"interval": 2147483648}})", {"/scaler/interval"}},
      {R"({"precision": "16-mixed", "scaler": {"hysteresis": 0}})", {"/scaler/hysteresis: expected"}},
      {R"({"precision": "16-mixed", "scaler": {"min": -1}})", {"/scaler/min: expected"}},
      {R"({"precision": "16-mixed", "scaler": {"max": 0}})", {"/scaler/max: expected"}},
      {R"({"precision": "16-mixed", "scaler": {"init": 8, "max": 4}})", {"init 8", "contradicts max 4"}},
      {R"({"precision": "16-mixed", "scaler": {"init": 8, "min": 16}})", {"min 16", "contradicts init 8"}},
  });
}

TEST(PrecisionErrors, NamesThatContradictEachOther) {
  expectBadInput({
      {R"({"amp_level": "O1", "precision": "bf16"})",
       {"amp_level 'O1' contradicts precision 'bf16-mixed'", "remove one of the two"}},
      {R"({"amp_level": "O2", "precision": "O3"})", {"amp_level 'O2' contradicts precision 'O3'"}},
      {R"({"amp_level": "O1", "amp_backend": "native"})",
       {"amp_backend 'native' contradicts level 'O1'", "remove one of the two"}},
      {R"({"precision": "O2", "amp_backend": "native"})", {"amp_backend 'native' contradicts level 'O2'"}},
      {R"({"amp_backend": "apex", "precision": "bf16"})",
       {"amp_backend 'apex' contradicts precision 'bf16-mixed'", "O0 to O3"}},
      {R"({"precision": "bf16-mixed", "half": "fp16"})",
       {R"(half "fp16" contradicts precision 'bf16-mixed')", "use a level"}},
      {R"({"compute": "bf16", "half": "bf16"})", {R"(half "bf16" contradicts precision)", "use a level"}},
  });
}

TEST(PrecisionErrors, TypesThatContradictAMode) {
  expectBadInput({
      {R"({"precision": "bf16-mixed", "compute": "f16"})",
       {R"(compute "f16" contradicts precision 'bf16-mixed')", "it computes in bf16", "remove 'precision'"}},
      {R"({"precision": "16-true", "params": "f32"})",
       {R"(params "f32" contradicts precision '16-true')", "its weights are f16", "remove 'precision'"}},
      {R"({"precision": "bf16-true", "output": "f32"})",
       {R"(output "f32" contradicts precision 'bf16-true')", "its outputs are bf16", "remove 'precision'"}},
      {R"({"precision": "bf16-mixed", "output": "bf16"})",
       {R"(output "bf16" contradicts precision 'bf16-mixed')", "op lists decide", "remove it"}},
      {R"({"amp_level": "O1", "params": "f16"})",
       {R"(params "f16" contradicts precision 'O1')", "patches functions", "use O2 or O3"}},
      {R"({"amp_level": "O1", "compute": "f32"})",
       {R"(compute "f32" contradicts precision 'O1')", "use 'half' or another level"}},
      {R"({"amp_level": "O2", "compute": "bf16"})",
       {R"(compute "bf16" contradicts precision 'O2')", "use 'half'"}},
      {R"({"amp_level": "O2", "params": "f16"})",
       {R"(params "f16" contradicts precision 'O2')", "its weights are f32", "use 'masters'"}},
      {R"({"amp_level": "O3", "output": "bf16"})",
       {R"(output "bf16" contradicts precision 'O3')", "f32 and the type of 'half' are possible"}},
      {R"({"params": "f64", "compute": "bf16"})",
       {R"(params "f64" contradicts precision 'f64/bf16/f64')", "f64 does not mix"}},
      {R"({"params": "f32", "compute": "f64"})",
       {R"(compute "f64" contradicts precision)", "f64 does not mix"}},
      {R"({"compute": "bf16", "output": "f64"})",
       {R"(output "f64" contradicts precision)", "f64 does not mix"}},
      {R"({"params": "bf16", "compute": "f32"})",
       {"params 'bf16' contradicts compute 'f32'", "use params 'f32'"}},
      {R"({"params": "f16", "compute": "bf16"})",
       {"params 'f16' contradicts compute 'bf16'", "use params 'f32'"}},
  });
}

TEST(PrecisionErrors, LossScalesThatContradictAMode) {
  expectBadInput({
      {R"({"precision": "bf16-mixed", "scaler": {}})",
       {"scaler contradicts precision 'bf16-mixed'", "range of f32", "use '16-mixed' or remove it"}},
      {R"({"precision": "bf16-mixed", "loss_scale": "dynamic"})",
       {R"(loss_scale "dynamic" contradicts precision 'bf16-mixed')", "use '16-mixed'"}},
      {R"({"precision": "bf16-mixed", "loss_scale": 128})",
       {"loss_scale 128 contradicts precision 'bf16-mixed'"}},
      {R"({"precision": "32-true", "scaler": {}})",
       {"scaler contradicts precision '32-true'", "-true modes"}},
      {R"({"precision": "16-true", "loss_scale": "dynamic"})",
       {R"(loss_scale "dynamic" contradicts precision '16-true')", "use '16-mixed' or remove it"}},
      {R"({"precision": "16-true", "scaler": {}})", {"scaler contradicts precision '16-true'"}},
      {R"({"amp_level": "O1", "half": "bf16", "loss_scale": 128})",
       {"loss_scale 128 contradicts precision 'O1'", "bf16 has the range"}},
      {R"({"amp_level": "O1", "half": "bf16", "scaler": {}})", {"scaler contradicts precision 'O1'"}},
      {R"({"amp_level": "O2", "half": "bf16", "loss_scale": "dynamic"})",
       {R"(loss_scale "dynamic" contradicts precision 'O2')", "bf16 has the range"}},
      {R"({"params": "f32", "compute": "bf16", "loss_scale": "dynamic"})",
       {R"(loss_scale "dynamic" contradicts precision 'f32/bf16/f32')"}},
      {R"({"params": "f32", "scaler": {}})",
       {"scaler contradicts precision 'f32/f32/f32'", "computes in f16", "remove it"}},
      {R"({"params": "f16", "compute": "f16", "scaler": {}})",
       {"scaler contradicts precision 'f16/f16/f32'", "add loss_scale 'dynamic'"}},
      {R"({"precision": "16-mixed", "loss_scale": 128, "scaler": {}})",
       {"scaler contradicts loss_scale 128", "remove one of the two"}},
      {R"({"amp_level": "O0", "scaler": {}})",
       {"scaler contradicts precision 'O0'", "add loss_scale 'dynamic' or remove it"}},
      {R"({"amp_level": "O3", "scaler": {}})",
       {"scaler contradicts precision 'O3'", "add loss_scale 'dynamic'"}},
  });
}

TEST(PrecisionErrors, MastersThatContradictAMode) {
  expectBadInput({
      {R"({"amp_level": "O1", "masters": "separate"})",
       {R"(masters "separate" contradicts precision 'O1')", "nothing to be the master of", "remove it"}},
      {R"({"amp_level": "O1", "master_weights": false})",
       {"master_weights false contradicts precision 'O1'", "remove it"}},
      {R"({"precision": "bf16-mixed", "master_weights": true})",
       {"master_weights true contradicts precision 'bf16-mixed'", "'masters' is the general setting"}},
      {R"({"compute": "bf16", "master_weights": true})",
       {"master_weights true contradicts precision 'f32/bf16/f32'", "'masters' is the general setting"}},
      {R"({"amp_level": "O2", "master_weights": true, "masters": "none"})",
       {R"(masters "none" contradicts master_weights true)", "remove one of the two"}},
      {R"({"amp_level": "O3", "master_weights": false, "masters": "separate"})",
       {R"(masters "separate" contradicts master_weights false)"}},
      {R"({"precision": "32-true", "masters": "separate"})",
       {R"(masters "separate" contradicts precision '32-true')", "f32 already"}},
      {R"({"amp_level": "O0", "masters": "split"})", {R"(masters "split" contradicts precision 'O0')"}},
      {R"({"params": "f32", "masters": "split"})",
       {R"(masters "split" contradicts precision 'f32/f32/f32')"}},
      {R"({"precision": "bf16-true", "masters": "separate"})",
       {R"(masters "separate" contradicts precision 'bf16-true')", "params 'f32' and compute 'bf16'"}},
      {R"({"precision": "bf16-mixed", "masters": "none"})",
       {R"(masters "none" contradicts precision 'bf16-mixed')", "use a -true mode or level O3"}},
      {R"({"precision": "16-mixed", "masters": "split"})",
       {R"(masters "split" contradicts precision '16-mixed')", "bf16 weights", "use 'separate'"}},
      {R"({"amp_level": "O2", "masters": "split"})",
       {R"(masters "split" contradicts precision 'O2')", "a mode that computes in bf16"}},
      {R"({"params": "f32", "compute": "bf16", "masters": "none"})",
       {"masters 'none' contradicts params 'f32' with compute 'bf16'", "use params 'bf16'"}},
      {R"({"params": "bf16", "compute": "bf16", "masters": "separate"})",
       {"masters 'separate' contradicts params 'bf16' with compute 'bf16'", "use params 'f32'"}},
      {R"({"precision": "bf16-mixed", "update": "stochastic"})",
       {R"(update "stochastic" contradicts precision 'bf16-mixed')", "are f32", "as in 'bf16-true' and O3"}},
      {R"({"precision": "32-true", "update": "stochastic"})",
       {R"(update "stochastic" contradicts precision '32-true')"}},
      {R"({"amp_level": "O2", "half": "bf16", "update": "stochastic"})",
       {R"(update "stochastic" contradicts precision 'O2')"}},
  });
}

TEST(PrecisionErrors, WhatIsKeptAndListedInTheWrongMode) {
  expectBadInput({
      {R"({"amp_level": "O1", "keep_batchnorm_fp32": false})",
       {"keep_batchnorm_fp32 false contradicts precision 'O1'", "converts no module", "use 'ops'"}},
      {R"({"precision": "bf16-mixed", "keep_batchnorm_fp32": true})",
       {"keep_batchnorm_fp32 true contradicts precision 'bf16-mixed'", "use 'ops'"}},
      {R"({"precision": "16-mixed", "keep_norms_fp32": true})",
       {"keep_norms_fp32 true contradicts precision '16-mixed'", "use 'ops'"}},
      {R"({"precision": "bf16-true", "keep_norms_fp32": true})",
       {"keep_norms_fp32 true contradicts precision 'bf16-true'",
        "use level O2 or O3, or params and compute"}},
      {R"({"params": "f32", "keep_batchnorm_fp32": true})",
       {"keep_batchnorm_fp32 true contradicts precision 'f32/f32/f32'"}},
      {R"({"amp_level": "O2", "keep_batchnorm_fp32": false, "keep_norms_fp32": true})",
       {"keep_norms_fp32 true contradicts keep_batchnorm_fp32 false", "remove one of the two"}},
      {R"({"amp_level": "O2", "lists": "apex"})",
       {R"(lists "apex" contradicts precision 'O2')", "-mixed modes and O1"}},
      {R"({"precision": "32-true", "lists": "cuda"})", {R"(lists "cuda" contradicts precision '32-true')"}},
      {R"({"compute": "bf16", "lists": "cuda"})", {R"(lists "cuda" contradicts precision 'f32/bf16/f32')"}},
      {R"({"precision": "32-true", "ops": {"softmax": "fp32"}})",
       {"ops contradicts precision '32-true'", "nothing to override", "16-bit type"}},
      {R"({"amp_level": "O0", "layers": {"fc*": "lower"}})", {"layers contradicts precision 'O0'"}},
  });
}

TEST(PrecisionErrors, UnknownStringIsUsageWithTheListAndTheNearest) {
  Failure failure = failureOf("bf16-mixd");
  EXPECT_EQ(failure.code, Usage);
  EXPECT_NE(failure.message.find("did you mean 'bf16-mixed'"), std::string::npos) << failure.message;
  EXPECT_NE(failure.message.find("'32-true'"), std::string::npos) << failure.message;
  EXPECT_EQ(failureOf("").code, Usage);
  EXPECT_EQ(failureOf("[]").code, Usage);
}

TEST(PrecisionErrors, DoubleOnTpu) {
  for (const char *spec : {"64-true", R"({"params": "f64"})"}) {
    Failure failure = failureOf(spec, "tpu");
    EXPECT_EQ(failure.code, BadInput);
    EXPECT_NE(failure.message.find("contradicts target 'tpu', which has no f64; use '32-true'"),
              std::string::npos)
        << failure.message;
  }
}

/// The schema that editors check recipes with knows the names and keys that the reader knows.
TEST(PrecisionErrors, SchemaHasAllNamesAndKeys) {
  const nlohmann::json schema = nlohmann::json::parse(std::ifstream(HALFSTEP_RECIPE_SCHEMA));
  std::vector<std::string> names;
  for (const nlohmann::json &name : schema["$defs"]["precision_name"]["enum"])
    if (name.is_string())
      names.push_back(name);
  std::vector<std::string> known = precisionNames();
  std::sort(names.begin(), names.end());
  std::sort(known.begin(), known.end());
  EXPECT_EQ(names, known);
  std::string message = failureOf(R"({"no such key at all": 1})").message;
  size_t keys = 0;
  for (const auto &item : schema["properties"]["precision"]["oneOf"][1]["properties"].items()) {
    EXPECT_NE(message.find("'" + item.key() + "'"), std::string::npos) << item.key();
    ++keys;
  }
  EXPECT_EQ(size_t(std::count(message.begin(), message.end(), '\'')), 2 * keys) << message;
}

TEST(PrecisionErrors, MissingFileIsIo) { EXPECT_EQ(failureOf("no-such-spec.json").code, Io); }

} // namespace
