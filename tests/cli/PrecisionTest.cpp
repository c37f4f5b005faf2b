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
    EXPECT_FALSE(spec.scaler);
    EXPECT_EQ(spec.lossScale, 1);
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
  EXPECT_EQ(others, 7);
  EXPECT_EQ(failureOf("16").code, ExitCode::Unsupported);
}

TEST(Precision, OldNamesResolveWithANote) {
  EXPECT_EQ(parsePrecision("bf16").name, "bf16-mixed");
  EXPECT_EQ(parsePrecision("32").name, "32-true");
  EXPECT_EQ(parsePrecision("64").name, "64-true");
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
      // Contradictions name both settings.
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
      {R"({"amp_backend": "apex", "precision": 16, "amp_level": "O1"})", ExitCode::Unsupported, "'O1'"},
      {R"({"amp_level": "O2", "keep_batchnorm_fp32": "False"})", ExitCode::Unsupported, "'O2'"},
      {R"({"amp_level": "O2", "half": "bf16", "loss_scale": 1})", ExitCode::Unsupported, "'O2'"},
      {R"({"amp_level": "O1", "loss_scale": "128.0"})", ExitCode::Unsupported, "'O1'"},
      {R"({"precision": "16-mixed", "scaler": {"preset": "megatron"}})", ExitCode::Unsupported, "'16-mixed'"},
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

} // namespace
