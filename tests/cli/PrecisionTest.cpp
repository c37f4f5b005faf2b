// What precision specs resolve to: every row of the table, every alias, every setting, and the way back to
// JSON.
#include "tests/cli/ParsePrecision.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <string>
#include <tuple>

using namespace halfstep;

namespace {

TEST(Precision, RowsResolveToThemselves) {
  for (const PrecisionRow &row : precisionTable()) {
    PrecisionSpec spec = parsePrecision(row.name);
    EXPECT_EQ(spec.name, row.name);
    EXPECT_EQ(spec.params, row.params);
    EXPECT_EQ(spec.compute, row.compute);
    EXPECT_TRUE(spec.notes.empty());
    EXPECT_EQ(spec.casts, row.mode == PrecisionMode::Mixed || row.mode == PrecisionMode::Patched);
    EXPECT_EQ(spec.scaler, row.scaler);
    EXPECT_EQ(spec.lossScale, row.scaler ? 65536 : 1);
    EXPECT_EQ(spec.rounding, "fused");
    EXPECT_EQ(spec.output, row.output);
    EXPECT_EQ(spec.keep, row.keep);
    EXPECT_EQ(spec.masters, row.masters);
    EXPECT_EQ(spec.update, "nearest");
    bool low = spec.compute == "bf16" || spec.compute == "f16";
    EXPECT_EQ(spec.convert, low && !spec.casts) << row.name;
  }
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
  PrecisionSpec pure = parsePrecision(R"({"amp_level": "O3", "half": "bf16"})");
  EXPECT_EQ(pure.params, "bf16");
  EXPECT_EQ(pure.compute, "bf16");
  EXPECT_EQ(pure.output, "f32");
}

TEST(Precision, ApexAloneIsO2) {
  EXPECT_EQ(parsePrecision(R"({"amp_backend": "apex"})").name, "O2");
  EXPECT_EQ(parsePrecision(R"({"amp_backend": "apex", "precision": 16})").name, "O2");
  EXPECT_EQ(parsePrecision(R"({"amp_backend": "apex", "precision": 16, "amp_level": "O1"})").name, "O1");
  EXPECT_EQ(parsePrecision(R"({"amp_backend": "native", "precision": 16})").name, "16-mixed");
}

TEST(Precision, MastersOfTheLevels) {
  struct Row {
    const char *spec, *params, *masters;
  };
  for (const Row &row : {
           Row{R"({"amp_level": "O2"})", "f32", "separate"},
           Row{R"({"amp_level": "O2", "master_weights": false})", "f16", "none"},
           Row{R"({"amp_level": "O2", "masters": "none", "master_weights": false})", "f16", "none"},
           Row{R"({"amp_level": "O2", "half": "bf16", "masters": "split"})", "f32", "split"},
           Row{R"({"amp_level": "O3"})", "f16", "none"},
           Row{R"({"amp_level": "O3", "master_weights": true})", "f32", "separate"},
           Row{R"({"amp_level": "O3", "half": "bf16", "masters": "split"})", "f32", "split"},
           Row{R"({"precision": "bf16-mixed", "masters": "split"})", "f32", "split"},
           Row{R"({"precision": "bf16-mixed", "masters": "separate"})", "f32", "separate"},
           Row{R"({"precision": "16-true", "masters": "none"})", "f16", "none"},
           Row{R"({"compute": "bf16"})", "f32", "separate"},
           Row{R"({"compute": "bf16", "masters": "split"})", "f32", "split"},
           Row{R"({"params": "bf16", "masters": "none"})", "bf16", "none"},
       }) {
    PrecisionSpec spec = parsePrecision(row.spec);
    EXPECT_EQ(spec.params, row.params) << row.spec;
    EXPECT_EQ(spec.masters, row.masters) << row.spec;
  }
}

TEST(Precision, MastersOfO0ChangeNothingAndSaySo) {
  PrecisionSpec spec = parsePrecision(R"({"amp_level": "O0", "master_weights": true})");
  EXPECT_EQ(spec.params, "f32");
  ASSERT_EQ(spec.notes.size(), 1u);
  EXPECT_EQ(spec.notes[0], "master_weights changes nothing: the weights of 'O0' are f32");
  EXPECT_TRUE(parsePrecision(R"({"amp_level": "O0", "master_weights": false})").notes.empty());
}

TEST(Precision, NormalisationsThatAreKept) {
  auto keep = [](const char *spec) { return parsePrecision(spec).keep; };
  EXPECT_EQ(keep(R"({"amp_level": "O2"})"), "batch_norm");
  EXPECT_EQ(keep(R"({"amp_level": "O2", "keep_batchnorm_fp32": "False"})"), "");
  EXPECT_EQ(keep(R"({"amp_level": "O2", "keep_norms_fp32": true})"), "norms");
  EXPECT_EQ(keep(R"({"amp_level": "O2", "keep_norms_fp32": false})"), "batch_norm");
  EXPECT_EQ(keep(R"({"amp_level": "O3", "keep_batchnorm_fp32": "True"})"), "batch_norm");
  EXPECT_EQ(keep(R"({"amp_level": "O3", "keep_batchnorm_fp32": true, "keep_norms_fp32": true})"), "norms");
  EXPECT_EQ(keep(R"({"compute": "f16", "keep_batchnorm_fp32": true})"), "batch_norm");
  EXPECT_EQ(keep(R"({"amp_level": "O0", "keep_batchnorm_fp32": true})"), "");
}

TEST(Precision, PoliciesOfTypes) {
  struct Row {
    const char *spec, *name;
    bool convert, scaler;
  };
  for (const Row &row : {
           Row{R"({"params": "f32", "compute": "bf16", "output": "f32"})", "f32/bf16/f32", true, false},
           Row{R"({"compute": "f16"})", "f32/f16/f32", true, true},
           Row{R"({"compute": "f16", "output": "f16"})", "f32/f16/f16", true, true},
           Row{R"({"params": "f16"})", "f16/f16/f32", true, false},
           Row{R"({"params": "bf16", "compute": "bf16", "output": "bf16"})", "bf16/bf16/bf16", true, false},
           Row{R"({"output": "bf16"})", "f32/f32/bf16", true, false},
           Row{R"({"params": "f32"})", "f32/f32/f32", false, false},
           Row{R"({"params": "f64"})", "f64/f64/f64", false, false},
           Row{R"({"compute": "f64"})", "f64/f64/f64", false, false},
       }) {
    PrecisionSpec spec = parsePrecision(row.spec);
    EXPECT_EQ(spec.name, row.name);
    EXPECT_EQ(spec.params + "/" + spec.compute + "/" + spec.output, row.name);
    EXPECT_EQ(spec.convert, row.convert) << row.spec;
    EXPECT_EQ(spec.scaler, row.scaler) << row.spec;
    EXPECT_FALSE(spec.casts) << row.spec;
  }
}

TEST(Precision, ModesMaySayTheirOwnTypes) {
  EXPECT_EQ(
      parsePrecision(R"({"precision": "bf16-mixed", "params": "f32", "compute": "bf16", "output": "f32"})")
          .name,
      "bf16-mixed");
  EXPECT_EQ(parsePrecision(R"({"precision": "16-true", "params": "f16", "output": "f16"})").name, "16-true");
  EXPECT_EQ(parsePrecision(R"({"amp_level": "O2", "master_weights": false, "params": "f16"})").name, "O2");
  EXPECT_EQ(parsePrecision(R"({"amp_level": "O2", "output": "f16"})").output, "f16");
  EXPECT_EQ(parsePrecision(R"({"amp_level": "O3", "half": "bf16", "output": "bf16"})").output, "bf16");
}

TEST(Precision, ScalesThatALevelMayHave) {
  EXPECT_TRUE(parsePrecision(R"({"amp_level": "O3", "loss_scale": "dynamic"})").scaler);
  EXPECT_TRUE(
      parsePrecision(R"({"amp_level": "O0", "loss_scale": "dynamic", "scaler": {"init": 8}})").scaler);
  EXPECT_EQ(parsePrecision(R"({"amp_level": "O2", "loss_scale": "128.0"})").lossScale, 128);
  EXPECT_FALSE(parsePrecision(R"({"amp_level": "O2", "half": "bf16", "loss_scale": 1})").scaler);
  EXPECT_EQ(parsePrecision(R"({"precision": "bf16-true", "loss_scale": 1})").lossScale, 1);
}

TEST(Precision, OverridesAreKept) {
  PrecisionSpec spec = parsePrecision(
      R"({"precision": "bf16-mixed", "ops": {"softmax": "fp32"}, "layers": {"head.*": "fp32", "a?": "lower"}})");
  EXPECT_EQ(spec.ops, (std::map<std::string, std::string>{{"softmax", "fp32"}}));
  EXPECT_EQ(spec.layers, (std::map<std::string, std::string>{{"a?", "lower"}, {"head.*", "fp32"}}));
  EXPECT_TRUE(parsePrecision(R"({"precision": "32-true", "ops": {}, "layers": {}})").ops.empty());
}

TEST(Precision, StochasticUpdates) {
  for (const char *text :
       {R"({"precision": "bf16-true", "update": "stochastic"})",
        R"({"amp_level": "O3", "update": "stochastic"})", R"({"params": "bf16", "update": "stochastic"})"})
    EXPECT_EQ(parsePrecision(text).update, "stochastic");
}

/// All that the compiler reads of a spec.
auto fieldsOf(const PrecisionSpec &spec) {
  return std::tuple(spec.name, spec.params, spec.compute, spec.output, spec.casts, spec.convert, spec.keep,
                    spec.masters, spec.update, spec.ops, spec.layers, spec.lists, spec.rounding, spec.scaler,
                    spec.lossScale);
}

TEST(Precision, EverySettingReadsBackFromTheJsonForm) {
  std::vector<std::string> specs = {
      R"({"precision": "bf16", "rounding": "eager", "lists": "cuda"})",
      R"({"precision": "16-mixed", "loss_scale": 1})",
      R"({"precision": "16-mixed", "loss_scale": 128})",
      R"({"precision": "16-mixed", "scaler": {"preset": "apex", "min": 1, "interval": 3}})",
      R"({"precision": "bf16-mixed", "masters": "split"})",
      R"({"precision": "bf16-mixed", "ops": {"softmax": "fp32"}, "layers": {"head.*": "fp32"}})",
      R"({"precision": "bf16-true", "update": "stochastic"})",
      R"({"amp_level": "O0", "loss_scale": "dynamic"})",
      R"({"amp_level": "O0", "half": "bf16", "keep_batchnorm_fp32": true, "master_weights": true})",
      R"({"amp_level": "O1", "half": "bf16", "lists": "cpu"})",
      R"({"amp_level": "O2", "half": "bf16"})",
      R"({"amp_level": "O2", "half": "bf16", "masters": "split", "keep_norms_fp32": true})",
      R"({"amp_level": "O2", "keep_batchnorm_fp32": false, "master_weights": false, "loss_scale": 128})",
      R"({"amp_level": "O2", "output": "f16"})",
      R"({"amp_level": "O3", "master_weights": true, "keep_batchnorm_fp32": true, "loss_scale": "dynamic"})",
      R"({"amp_level": "O3", "half": "bf16", "output": "bf16"})",
      R"({"compute": "bf16", "masters": "split"})",
      R"({"compute": "f16", "keep_norms_fp32": true, "loss_scale": 8})",
      R"({"params": "f16", "output": "f16", "loss_scale": "dynamic", "keep_batchnorm_fp32": true})",
      R"({"output": "bf16"})",
      R"({"params": "f64"})"};
  for (const PrecisionRow &row : precisionTable())
    specs.push_back(row.name);
  for (const std::string &text : specs) {
    PrecisionSpec spec = parsePrecision(text);
    nlohmann::json form = precisionToJson(spec);
    PrecisionSpec again = resolvePrecision(form, {"again", ""}, "cpu");
    EXPECT_EQ(precisionToJson(again), form);
    EXPECT_EQ(fieldsOf(again), fieldsOf(spec)) << text << " as " << form;
    EXPECT_TRUE(again.notes.empty()) << form;
  }
}

} // namespace
