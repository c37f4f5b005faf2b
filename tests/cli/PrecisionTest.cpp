// Every row of the precision table, every alias, and every rule that makes a spec contradictory.
#include "import/PrecisionTable.h"
#include "import/Recipe.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <string>

using namespace halfstep;

namespace {

/// The exit code of reading `text`, and its message.
struct Failure {
  ExitCode code = ExitCode::Ok;
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

TEST(Precision, ImplementedRowsResolve) {
  for (const PrecisionRow &row : precisionTable()) {
    if (!row.implemented)
      continue;
    PrecisionSpec spec = parsePrecision(row.name);
    EXPECT_EQ(spec.name, row.name);
    EXPECT_EQ(spec.params, row.params);
    EXPECT_EQ(spec.compute, row.compute);
    EXPECT_TRUE(spec.notes.empty());
    EXPECT_EQ(spec.casts, row.mode == PrecisionMode::Mixed || row.mode == PrecisionMode::Patched);
    EXPECT_EQ(spec.scaler, row.scaler);
    EXPECT_EQ(spec.lossScale, row.scaler ? 65536 : 1);
    EXPECT_EQ(spec.rounding, "fused");
  }
}

TEST(Precision, OtherRowsAreUnsupportedAndSayWhatIsAvailable) {
  int others = 0;
  for (const PrecisionRow &row : precisionTable()) {
    if (row.implemented)
      continue;
    ++others;
    Failure failure = failureOf(row.name);
    EXPECT_EQ(failure.code, ExitCode::Unsupported) << row.name;
    EXPECT_NE(failure.message.find("'bf16-mixed'"), std::string::npos) << failure.message;
    EXPECT_NE(failure.message.find(row.name), std::string::npos) << failure.message;
  }
  EXPECT_EQ(others, 4);
}

TEST(Precision, OldNamesResolveWithANote) {
  EXPECT_EQ(parsePrecision("bf16").name, "bf16-mixed");
  EXPECT_EQ(parsePrecision("32").name, "32-true");
  EXPECT_EQ(parsePrecision("64").name, "64-true");
  EXPECT_EQ(parsePrecision("16").name, "16-mixed");
  ASSERT_EQ(parsePrecision("bf16").notes.size(), 1u);
  EXPECT_EQ(parsePrecision("bf16").notes[0], "'bf16' means 'bf16-mixed'");
}

TEST(Precision, SixteenOnTpuBecomesBf16WithANote) {
  PrecisionSpec spec = resolvePrecision("16", {"precision", ""}, "tpu");
  EXPECT_EQ(spec.name, "bf16-mixed");
  EXPECT_EQ(spec.notes.size(), 1u);
}

TEST(Precision, ListsFollowTheTarget) {
  EXPECT_EQ(resolvePrecision("bf16-mixed", {"precision", ""}, "cpu").lists, "cpu");
  EXPECT_EQ(resolvePrecision("bf16-mixed", {"precision", ""}, "cuda").lists, "cuda");
  EXPECT_EQ(parsePrecision(R"({"precision": "bf16-mixed", "lists": "apex"})").lists, "apex");
  EXPECT_EQ(resolvePrecision("16-mixed", {"precision", ""}, "cuda").lists, "cuda");
  EXPECT_EQ(resolvePrecision("O1", {"precision", ""}, "cuda").lists, "apex");
}

TEST(Precision, UnknownStringIsUsageWithTheListAndTheNearest) {
  Failure failure = failureOf("bf16-mixd");
  EXPECT_EQ(failure.code, ExitCode::Usage);
  EXPECT_NE(failure.message.find("did you mean 'bf16-mixed'"), std::string::npos) << failure.message;
  EXPECT_NE(failure.message.find("'32-true'"), std::string::npos) << failure.message;
  EXPECT_EQ(failureOf("").code, ExitCode::Usage);
}

struct Case {
  const char *spec;
  ExitCode code;
  const char *part; ///< of the message
};

TEST(Precision, SpecObjects) {
  const Case cases[] = {
      {R"({})", ExitCode::Ok, ""},
      {R"({"precision": 32})", ExitCode::Ok, ""},
      {R"({"precision": "bf16-mixed", "rounding": "eager"})", ExitCode::Ok, ""},
      {R"({"precision": "bf16-mixed", "params": "f32", "compute": "bf16", "output": "f32"})", ExitCode::Ok,
       ""},
      {R"({"precision": "bf16-mixed", "masters": "separate", "update": "nearest"})", ExitCode::Ok, ""},
      {R"({"precision": "bf16-mixed", "loss_scale": 1})", ExitCode::Ok, ""},
      {R"({"precision": "bf16-mixed", "ops": {}, "layers": {}})", ExitCode::Ok, ""},
      {R"({"precision": "16-mixed", "loss_scale": "dynamic", "scaler": {"hysteresis": 1}})", ExitCode::Ok,
       ""},
      {R"({"precision": "16-mixed", "loss_scale": "128.0"})", ExitCode::Ok, ""},
      {R"({"amp_backend": "apex", "precision": 16, "amp_level": "O1"})", ExitCode::Ok, ""},
      {R"({"amp_level": "O1", "loss_scale": "128.0"})", ExitCode::Ok, ""},
      {R"({"amp_level": "O1", "half": "bf16", "loss_scale": 1})", ExitCode::Ok, ""},
      {R"({"amp_level": "O0", "keep_batchnorm_fp32": "True", "master_weights": false})", ExitCode::Ok, ""},
      {R"({"amp_level": "O0", "loss_scale": "dynamic", "scaler": {"init": 8}})", ExitCode::Ok, ""},
      // Types and keys.
      {R"([])", ExitCode::Usage, "unknown precision"},
      {R"({"precision": []})", ExitCode::BadInput, "/precision: expected a string"},
      {R"({"precison": "32-true"})", ExitCode::BadInput, "did you mean 'precision'"},
      {R"({"precision": "33-true"})", ExitCode::BadInput, "unknown precision"},
      {R"({"precision": "32-true", "precision": "64-true"})", ExitCode::BadInput, "twice"},
      {R"({"rounding": "up"})", ExitCode::BadInput, "/rounding: expected one of"},
      {R"({"precision": "bf16-mixed", "ops": {"softmax": "fp8"}})", ExitCode::BadInput, "/ops/softmax"},
      {R"({"precision": "16-mixed", "scaler": {"inti": 2}})", ExitCode::BadInput, "did you mean 'init'"},
      {R"({"precision": "16-mixed", "loss_scale": "much"})", ExitCode::BadInput, "'dynamic' or a number"},
      {R"({"precision": "16-mixed", "loss_scale": -2})", ExitCode::BadInput, "'dynamic' or a number"},
      {R"({"precision": "16-mixed", "loss_scale": 1e39})", ExitCode::BadInput, "that f32 can hold"},
      {R"({"precision": "16-mixed", "loss_scale": "1e-60"})", ExitCode::BadInput, "that f32 can hold"},
      {R"({"precision": "16-mixed", "scaler": {"init": 0}})", ExitCode::BadInput, "/scaler/init: expected"},
      {R"({"precision": "16-mixed", "scaler": {"init": 1e39}})", ExitCode::BadInput,
       "/scaler/init: expected"},
      {R"({"precision": "16-mixed", "scaler": {"growth": 1}})", ExitCode::BadInput,
       "/scaler/growth: expected"},
      {R"({"precision": "16-mixed", "scaler": {"backoff": 1}})", ExitCode::BadInput,
       "/scaler/backoff: expected"},
      {R"({"precision": "16-mixed", "scaler": {"interval": 0}})", ExitCode::BadInput,
       "/scaler/interval: expected"},
      {R"({"precision": "16-mixed", "scaler": {"interval": 2147483648}})", ExitCode::BadInput,
       "/scaler/interval"},
      {R"({"precision": "16-mixed", "scaler": {"hysteresis": 0}})", ExitCode::BadInput, "/scaler/hysteresis"},
      {R"({"precision": "16-mixed", "scaler": {"min": -1}})", ExitCode::BadInput, "/scaler/min: expected"},
      {R"({"precision": "16-mixed", "scaler": {"max": 0}})", ExitCode::BadInput, "/scaler/max: expected"},
      // Contradictions name both settings.
      {R"({"precision": "16-mixed", "scaler": {"init": 8, "max": 4}})", ExitCode::BadInput,
       "contradicts max 4"},
      {R"({"precision": "16-mixed", "scaler": {"init": 8, "min": 16}})", ExitCode::BadInput,
       "contradicts init 8"},
      {R"({"precision": "16-mixed", "loss_scale": 128, "scaler": {}})", ExitCode::BadInput,
       "scaler contradicts loss_scale 128"},
      {R"({"amp_level": "O0", "scaler": {}})", ExitCode::BadInput, "scaler contradicts precision 'O0'"},
      {R"({"amp_level": "O0", "masters": "separate"})", ExitCode::BadInput, "contradicts precision 'O0'"},
      {R"({"amp_level": "O1", "half": "bf16", "loss_scale": 128})", ExitCode::BadInput,
       "contradicts precision 'O1'"},
      {R"({"amp_level": "O1", "half": "bf16", "scaler": {}})", ExitCode::BadInput,
       "contradicts precision 'O1'"},
      {R"({"precision": "bf16-mixed", "scaler": {}})", ExitCode::BadInput,
       "scaler contradicts precision 'bf16-mixed'"},
      {R"({"precision": "32-true", "scaler": {}})", ExitCode::BadInput,
       "scaler contradicts precision '32-true'"},
      {R"({"precision": "bf16-mixed", "loss_scale": "dynamic"})", ExitCode::BadInput, "contradicts"},
      {R"({"precision": "bf16-mixed", "loss_scale": 128})", ExitCode::BadInput, "contradicts"},
      {R"({"precision": "16-true", "loss_scale": "dynamic"})", ExitCode::BadInput, "contradicts"},
      {R"({"precision": "32-true", "masters": "separate"})", ExitCode::BadInput, "contradicts"},
      {R"({"precision": "16-mixed", "masters": "split"})", ExitCode::BadInput, "contradicts"},
      {R"({"precision": "bf16-mixed", "master_weights": true})", ExitCode::BadInput, "contradicts"},
      {R"({"precision": "bf16-mixed", "keep_batchnorm_fp32": true})", ExitCode::BadInput, "contradicts"},
      {R"({"precision": "bf16-mixed", "half": "fp16"})", ExitCode::BadInput, "contradicts"},
      {R"({"amp_level": "O1", "keep_batchnorm_fp32": false})", ExitCode::BadInput,
       "contradicts precision 'O1'"},
      {R"({"amp_level": "O1", "master_weights": false})", ExitCode::BadInput, "contradicts precision 'O1'"},
      {R"({"amp_level": "O1", "params": "f16"})", ExitCode::BadInput, "contradicts precision 'O1'"},
      {R"({"amp_level": "O2", "lists": "apex"})", ExitCode::BadInput, "contradicts precision 'O2'"},
      {R"({"amp_level": "O2", "half": "bf16", "loss_scale": "dynamic"})", ExitCode::BadInput, "contradicts"},
      {R"({"amp_level": "O1", "precision": "bf16"})", ExitCode::BadInput,
       "contradicts precision 'bf16-mixed'"},
      {R"({"amp_level": "O1", "amp_backend": "native"})", ExitCode::BadInput, "contradicts level 'O1'"},
      {R"({"amp_backend": "apex", "precision": "bf16"})", ExitCode::BadInput, "contradicts precision"},
      // Consistent, but not there yet.
      {R"({"amp_backend": "apex"})", ExitCode::Unsupported, "'O2'"},
      {R"({"amp_level": "O2", "keep_batchnorm_fp32": "False"})", ExitCode::Unsupported, "'O2'"},
      {R"({"amp_level": "O2", "half": "bf16", "loss_scale": 1})", ExitCode::Unsupported, "'O2'"},
      {R"({"amp_level": "O0", "master_weights": true})", ExitCode::Unsupported, "master_weights"},
      {R"({"precision": "16-mixed", "scaler": {"preset": "megatron"}})", ExitCode::Unsupported, "'megatron'"},
      {R"({"precision": "16-mixed", "scaler": {"preset": "deepspeed"}})", ExitCode::Unsupported,
       "'deepspeed'"},
      {R"({"precision": "16-mixed", "scaler": {"hysteresis": 2}})", ExitCode::Unsupported, "hysteresis"},
      {R"({"precision": "bf16-mixed", "masters": "split"})", ExitCode::Unsupported, "masters 'split'"},
      {R"({"precision": "bf16-mixed", "update": "stochastic"})", ExitCode::Unsupported, "stochastic"},
      {R"({"precision": "bf16-mixed", "keep_norms_fp32": true})", ExitCode::Unsupported, "keep_norms_fp32"},
      {R"({"precision": "bf16-mixed", "compute": "f16"})", ExitCode::Unsupported, "policy"},
      {R"({"precision": "bf16-mixed", "layers": {"head.*": "fp32"}})", ExitCode::Unsupported, "'layers'"},
  };
  for (const Case &row : cases) {
    Failure failure = failureOf(row.spec);
    EXPECT_EQ(int(failure.code), int(row.code)) << row.spec << ": " << failure.message;
    EXPECT_NE(failure.message.find(row.part), std::string::npos) << row.spec << ": " << failure.message;
  }
}

TEST(Precision, LossScales) {
  PrecisionSpec fixed = parsePrecision(R"({"precision": "16-mixed", "loss_scale": 1024})");
  EXPECT_FALSE(fixed.scaler);
  EXPECT_EQ(fixed.lossScale, 1024);
  PrecisionSpec moving = parsePrecision(R"({"precision": "16-mixed", "scaler":
      {"init": 8, "growth": 3, "backoff": 0.25, "interval": 7, "min": 0.5, "max": 64}})");
  EXPECT_TRUE(moving.scaler);
  EXPECT_EQ(moving.lossScale, 8);
  EXPECT_EQ(moving.scaling.preset, "torch");
  EXPECT_EQ(moving.scaling.growth, 3);
  EXPECT_EQ(moving.scaling.backoff, 0.25);
  EXPECT_EQ(moving.scaling.interval, 7);
  EXPECT_EQ(moving.scaling.min, 0.5);
  EXPECT_EQ(moving.scaling.max, 64);
}

TEST(Precision, ScalersOfTheLevelsAreApexs) {
  EXPECT_FALSE(parsePrecision("16-mixed").scaling.max.has_value());
  EXPECT_EQ(parsePrecision("O1").scaling.max, 0x1p24);
  PrecisionSpec low =
      parsePrecision(R"({"precision": "16-mixed", "scaler": {"preset": "apex", "max": 1024}})");
  EXPECT_EQ(low.lossScale, 1024);
  EXPECT_EQ(parsePrecision(R"({"amp_level": "O1", "scaler": {"preset": "torch"}})").scaling.max,
            std::nullopt);
}

TEST(Precision, HalfOfALevel) {
  PrecisionSpec spec = parsePrecision(R"({"amp_level": "O1", "half": "bf16"})");
  EXPECT_EQ(spec.compute, "bf16");
  EXPECT_FALSE(spec.scaler);
  EXPECT_EQ(spec.lossScale, 1);
  EXPECT_EQ(parsePrecision(R"({"amp_level": "O0", "half": "bf16"})").compute, "f32");
}

TEST(Precision, DoubleOnTpuContradicts) { EXPECT_EQ(failureOf("64-true", "tpu").code, ExitCode::BadInput); }

TEST(Precision, MissingFileIsIo) { EXPECT_EQ(failureOf("no-such-spec.json").code, ExitCode::Io); }

TEST(Precision, JsonFormReadsBackToTheSameSpec) {
  PrecisionSpec spec = parsePrecision(R"({"precision": "bf16", "rounding": "eager", "lists": "cuda"})");
  PrecisionSpec again = resolvePrecision(precisionToJson(spec), {"again", ""}, "cpu");
  EXPECT_EQ(again.name, spec.name);
  EXPECT_EQ(again.lists, "cuda");
  EXPECT_EQ(again.rounding, "eager");
  EXPECT_TRUE(again.notes.empty());
}

TEST(Precision, EverySettingReadsBackFromTheJsonForm) {
  for (const char *text :
       {R"({"precision": "16-mixed"})", R"({"precision": "16-mixed", "loss_scale": 1})",
        R"({"precision": "16-mixed", "loss_scale": 128})",
        R"({"precision": "16-mixed", "scaler": {"preset": "apex", "min": 1, "interval": 3}})",
        R"({"amp_level": "O0"})", R"({"amp_level": "O0", "loss_scale": "dynamic"})", R"({"amp_level": "O1"})",
        R"({"amp_level": "O1", "half": "bf16"})"}) {
    PrecisionSpec spec = parsePrecision(text);
    nlohmann::json form = precisionToJson(spec);
    PrecisionSpec again = resolvePrecision(form, {"again", ""}, "cpu");
    EXPECT_EQ(precisionToJson(again), form);
    EXPECT_EQ(again.compute, spec.compute) << form;
    EXPECT_EQ(again.scaler, spec.scaler) << form;
    EXPECT_EQ(again.lossScale, spec.lossScale) << form;
  }
}

} // namespace
