// Recipes: defaults, round trip, and each value that is refused with its place.
#include "import/Recipe.h"

#include <gtest/gtest.h>

#include <string>

using namespace halfstep;

namespace {

/// Reads and validates over the defaults.
Recipe parse(const std::string &text) {
  Recipe recipe;
  readRecipe(text, "recipe.json", recipe);
  validateRecipe(recipe);
  return recipe;
}

TEST(Recipe, AbsentKeysKeepTheirValue) {
  Recipe recipe = parse(R"({"batch": 64})");
  EXPECT_EQ(recipe.batch, 64);
  EXPECT_EQ(recipe.optimizer.kind, "sgd");
  EXPECT_EQ(recipe.optimizer.lr, 0.01);
  EXPECT_EQ(recipe.seed, 0u);
  EXPECT_EQ(recipe.precision.name, "32-true");
  EXPECT_TRUE(recipe.loss.kind.empty());
}

TEST(Recipe, ReadsEveryKey) {
  Recipe recipe =
      parse(R"({"$schema": "x", "loss": {"kind": "cross_entropy", "axis": -1, "label_smoothing": 0.1},
    "optimizer": {"kind": "adamw", "lr": 1e-3, "betas": [0.8, 0.99], "eps": 1e-6, "weight_decay": 0.1},
    "precision": "bf16", "batch": 7, "tail_batch": 3, "clip_norm": 0.5, "seed": 18446744073709551615,
    "accumulate": 4, "schedule": {"kind": "cosine", "warmup_steps": 10, "min_lr": 1e-5},
    "target": "cpu", "cpu_gemm": "generated", "epochs": 2,
    "data": {"train": "d.npy", "val_split": 0.2, "target": 3, "mean": [0.5, 0.25], "std": 2}})");
  EXPECT_EQ(recipe.loss.kind, "cross_entropy");
  EXPECT_EQ(recipe.loss.axis, -1);
  EXPECT_EQ(recipe.loss.labelSmoothing, 0.1);
  EXPECT_EQ(recipe.optimizer.kind, "adamw");
  EXPECT_EQ(recipe.optimizer.constant("beta1"), 0.8);
  EXPECT_EQ(recipe.optimizer.constant("beta2"), 0.99);
  EXPECT_EQ(recipe.optimizer.constant("eps"), 1e-6);
  EXPECT_EQ(recipe.optimizer.constant("weight_decay"), 0.1);
  EXPECT_EQ(recipe.precision.name, "bf16-mixed");
  EXPECT_EQ(recipe.tailBatch, 3);
  EXPECT_EQ(recipe.clipNorm, 0.5);
  EXPECT_EQ(recipe.seed, UINT64_MAX);
  EXPECT_EQ(recipe.cpuGemm, "generated");
  EXPECT_EQ(recipe.accumulate, 4);
  EXPECT_EQ(recipe.schedule.kind, "cosine");
  EXPECT_EQ(recipe.schedule.warmupSteps, 10);
  EXPECT_EQ(recipe.schedule.minLr, 1e-5);
}

TEST(Recipe, ReadsGroups) {
  Recipe recipe =
      parse(R"({"optimizer": {"kind": "adam", "groups": [{"match": "*.bias", "weight_decay": 0, "lr": 0.1},
    {"match": "fc?.*", "lr_scale": 0.5}, {"match": "*", "frozen": true}]}})");
  ASSERT_EQ(recipe.optimizer.groups.size(), 3u);
  EXPECT_EQ(recipe.optimizer.groups[0].match, "*.bias");
  EXPECT_EQ(recipe.optimizer.groups[0].lr, 0.1);
  EXPECT_EQ(recipe.optimizer.groups[0].weightDecay, 0);
  EXPECT_EQ(recipe.optimizer.groups[1].lrScale, 0.5);
  EXPECT_TRUE(recipe.optimizer.groups[2].frozen);
}

TEST(Recipe, ResolvedRecipeReadsBackToTheSameBytes) {
  for (const char *text :
       {R"({"loss": {"kind": "mse"}, "optimizer": {"momentum": 0.9, "nesterov": true}})",
        R"({"loss": {"kind": "cross_entropy", "axis": 1}, "optimizer": {"kind": "adamw"},
                               "precision": {"precision": "bf16-mixed", "rounding": "eager"}, "clip_norm": 0.1})",
        R"({"optimizer": {"kind": "rmsprop", "centered": true, "groups": [{"match": "*.bias",
                               "lr": 0.5}]}, "loss": {"kind": "nll", "weight": [1, 2], "ignore_index": -100}})",
        R"({"optimizer": {"kind": "adagrad", "lr_decay": 0.1}, "accumulate": 2, "clip_value": 1,
                               "loss": {"kind": "bce_with_logits", "pos_weight": 3, "reduction": "sum"}})",
        R"({"schedule": {"kind": "multistep", "milestones": [3, 5], "warmup_start": 0.5}})",
        R"({"schedule": {"kind": "one_cycle", "steps": 9}, "loss": {"kind": "huber"}})",
        R"({"precision": {"precision": "16", "scaler": {"init": 16, "backoff": 0.3}}})",
        R"({"precision": {"precision": "O1", "loss_scale": 0.1}})", R"({})"}) {
    std::string resolved = writeRecipe(parse(text));
    EXPECT_EQ(writeRecipe(parse(resolved)), resolved);
  }
}

struct Case {
  const char *recipe;
  ExitCode code;
  const char *part; ///< of the message
};

TEST(Recipe, RefusedWithPlaceAndReason) {
  const Case cases[] = {
      {"", ExitCode::BadInput, "recipe.json: not valid JSON"},
      {"{", ExitCode::BadInput, "not valid JSON"},
      {"[]", ExitCode::BadInput, "expected an object"},
      {R"({"batch": 1e999})", ExitCode::BadInput, "not valid JSON"},
      {R"({"batch": 1, "batch": 2})", ExitCode::BadInput, "\"batch\" occurs twice"},
      {R"({"optimiser": {}})", ExitCode::BadInput, "/optimiser: unknown key; did you mean 'optimizer'"},
      {R"({"optimizer": {"learning_rate": 1}})", ExitCode::BadInput, "/optimizer/learning_rate: unknown key"},
      {R"({"optimizer": {"momentun": 1}})", ExitCode::BadInput, "did you mean 'momentum'"},
      {R"({"optimizer": "sgd"})", ExitCode::BadInput, "/optimizer: expected an object, got \"sgd\""},
      {R"({"optimizer": {"kind": "lion"}})", ExitCode::BadInput,
       "/optimizer/kind: expected one of 'sgd', 'adam', 'adamw', 'adagrad', 'rmsprop'"},
      {R"({"optimizer": {"lr": 0}})", ExitCode::BadInput,
       "/optimizer/lr: expected a finite number > 0, got 0"},
      {R"({"optimizer": {"lr": -1}})", ExitCode::BadInput, "/optimizer/lr"},
      {R"({"optimizer": {"lr": "0.1"}})", ExitCode::BadInput, "/optimizer/lr: expected a number"},
      {R"({"optimizer": {"momentum": 1}})", ExitCode::BadInput, "[0, 1)"},
      {R"({"optimizer": {"nesterov": true}})", ExitCode::BadInput, "contradicts momentum 0"},
      {R"({"optimizer": {"nesterov": 1}})", ExitCode::BadInput, "expected true or false"},
      {R"({"optimizer": {"weight_decay": -1}})", ExitCode::BadInput, "weight_decay"},
      {R"({"optimizer": {"kind": "adamw", "momentum": 0.9}})", ExitCode::BadInput,
       "contradicts optimizer 'adamw'"},
      {R"({"optimizer": {"eps": 1e-8}})", ExitCode::BadInput, "contradicts optimizer 'sgd'"},
      {R"({"optimizer": {"kind": "adamw", "betas": [0.9]}})", ExitCode::BadInput, "expected two numbers"},
      {R"({"optimizer": {"kind": "adamw", "betas": [0.9, 1]}})", ExitCode::BadInput, "/optimizer/betas/1"},
      {R"({"optimizer": {"kind": "adamw", "eps": 0}})", ExitCode::BadInput, "/optimizer/eps"},
      {R"({"loss": {"kind": "hinge"}})", ExitCode::BadInput, "/loss/kind: expected one of"},
      {R"({"loss": {}})", ExitCode::BadInput, "has no 'kind'"},
      {R"({"loss": {"kind": "cross_entropy", "label_smoothing": 1}})", ExitCode::BadInput, "[0, 1)"},
      {R"({"loss": {"kind": "mse", "label_smoothing": 0.1}})", ExitCode::BadInput, "contradicts loss 'mse'"},
      {R"({"loss": {"kind": "cross_entropy", "axis": 8}})", ExitCode::BadInput, "/loss/axis"},
      {R"({"batch": 0})", ExitCode::BadInput, "/batch"},
      {R"({"batch": 1048577})", ExitCode::BadInput, "/batch"},
      {R"({"batch": 32.0})", ExitCode::BadInput, "/batch: expected an integer"},
      {R"({"batch": 18446744073709551615})", ExitCode::BadInput, "/batch: expected an integer"},
      {R"({"batch": 8, "tail_batch": 8})", ExitCode::BadInput, "/tail_batch"},
      {R"({"clip_norm": -1})", ExitCode::BadInput, "/clip_norm"},
      {R"({"seed": -1})", ExitCode::BadInput, "/seed"},
      {R"({"target": "npu"})", ExitCode::BadInput, "/target"},
      {R"({"cpu_gemm": "mkl"})", ExitCode::BadInput, "/cpu_gemm"},
      {R"({"cpu_gemm": "onednn", "precision": "64-true"})", ExitCode::BadInput,
       "contradicts precision '64-true'"},
      {R"({"cpu_gemm": "onednn", "precision": "16-mixed"})", ExitCode::BadInput,
       "contradicts precision '16-mixed'"},
      {R"({"epochs": 1, "steps": 1})", ExitCode::BadInput, "steps contradicts epochs"},
      {R"({"epochs": 0})", ExitCode::BadInput, "/epochs"},
      {R"({"data": {"val_split": 1}})", ExitCode::BadInput, "/data/val_split"},
      {R"({"data": {"target": 0.5}})", ExitCode::BadInput, "/data/target: expected the name of a column"},
      {R"({"data": {"mean": "x"}})", ExitCode::BadInput, "/data/mean"},
      {R"({"data": {"std": [1, 0]}})", ExitCode::BadInput, "/data/std: expected a number > 0"},
      {R"({"data": {"std": []}})", ExitCode::BadInput, "/data/std"},
      {R"({"precision": "half"})", ExitCode::BadInput, "unknown precision"},
      {R"({"precision": {"precision": "bf16", "scaler": {}}})", ExitCode::BadInput, "/precision/scaler"},
      {R"({"precision": {"params": "f16", "compute": "f32"}})", ExitCode::BadInput,
       "/precision/params: params 'f16' contradicts compute 'f32'"},
      {R"({"precision": {"precision": "16", "scaler": {"min": -1}}})", ExitCode::BadInput,
       "/precision/scaler/min"},
      {R"({"optimizer": {"kind": "adam", "centered": true}})", ExitCode::BadInput,
       "/optimizer/centered: centered contradicts optimizer 'adam': it belongs to 'rmsprop'"},
      {R"({"optimizer": {"kind": "rmsprop", "alpha": 1}})", ExitCode::BadInput, "/optimizer/alpha: expected"},
      {R"({"optimizer": {"kind": "adagrad", "lr_decay": -1}})", ExitCode::BadInput, "/optimizer/lr_decay"},
      {R"({"optimizer": {"groups": {}}})", ExitCode::BadInput, "/optimizer/groups: expected a list"},
      {R"({"optimizer": {"groups": [{"lr": 1}]}})", ExitCode::BadInput,
       "/optimizer/groups/0: has no 'match'"},
      {R"({"optimizer": {"groups": [{"match": "*"}, {"match": "a", "lr": -1}]}})", ExitCode::BadInput,
       "/optimizer/groups/1/lr: expected"},
      {R"({"optimizer": {"groups": [{"match": "*", "lr": 1, "lr_scale": 2}]}})", ExitCode::BadInput,
       "/optimizer/groups/0/lr_scale: lr_scale contradicts lr"},
      {R"({"optimizer": {"groups": [{"match": "*", "frozen": true, "lr": 2}]}})", ExitCode::BadInput,
       "frozen true contradicts"},
      {R"({"loss": {"kind": "huber", "delta": 0}})", ExitCode::BadInput, "/loss/delta"},
      {R"({"loss": {"kind": "smooth_l1", "delta": 1}})", ExitCode::BadInput,
       "delta contradicts loss 'smooth_l1': it belongs to 'huber'"},
      {R"({"loss": {"kind": "cross_entropy", "weight": []}})", ExitCode::BadInput,
       "/loss/weight: expected a list"},
      {R"({"loss": {"kind": "nll", "weight": [1, -1]}})", ExitCode::BadInput,
       "/loss/weight: expected finite"},
      {R"({"loss": {"kind": "mse", "reduction": "none"}})", ExitCode::BadInput,
       "/loss/reduction: expected one of"},
      {R"({"loss": {"kind": "cross_entropy", "targets": "probabilities", "ignore_index": 1}})",
       ExitCode::BadInput, "/loss/ignore_index: ignore_index contradicts targets"},
      {R"({"clip_value": -1})", ExitCode::BadInput, "/clip_value"},
      {R"({"clip_value": 1, "clip_norm": 1})", ExitCode::BadInput, "clip_value contradicts clip_norm"},
      {R"({"accumulate": 0})", ExitCode::BadInput, "/accumulate"},
      {R"({"schedule": {"kind": "cyclic"}})", ExitCode::BadInput, "/schedule/kind: expected one of"},
      {R"({"schedule": {"kind": "step"}})", ExitCode::BadInput, "/schedule/every"},
      {R"({"schedule": {"kind": "cosine", "every": 1}})", ExitCode::BadInput,
       "every contradicts schedule 'cosine': it belongs to 'step'"},
      {R"({"schedule": {"kind": "cosine", "min_lr": 1}})", ExitCode::BadInput, "/schedule/min_lr"},
      {R"({"schedule": {"kind": "linear", "steps": 5, "warmup_steps": 5}})", ExitCode::BadInput,
       "/schedule/warmup_steps: expected less than"},
      {R"({"schedule": {"kind": "multistep", "milestones": [3, 3]}})", ExitCode::BadInput,
       "/schedule/milestones"},
      {R"({"schedule": {"kind": "multistep"}})", ExitCode::BadInput, "/schedule/milestones"},
      {R"({"schedule": {"kind": "one_cycle", "pct_start": 1}})", ExitCode::BadInput, "/schedule/pct_start"},
      {R"({"schedule": {"warmup_start": 0}})", ExitCode::BadInput, "/schedule/warmup_start"},
  };
  for (const Case &row : cases) {
    try {
      parse(row.recipe);
      ADD_FAILURE() << row.recipe << " was accepted";
    } catch (const Diagnostic &diagnostic) {
      EXPECT_EQ(int(diagnostic.code), int(row.code)) << row.recipe << ": " << diagnostic.what();
      EXPECT_NE(std::string(diagnostic.what()).find(row.part), std::string::npos) << diagnostic.what();
    }
  }
}

TEST(Recipe, DeepNestingIsRefused) {
  std::string deep(100000, '[');
  EXPECT_THROW(parse(deep), Diagnostic);
  EXPECT_THROW(parse(R"({"precision": )" + deep + "}"), Diagnostic);
}

} // namespace
