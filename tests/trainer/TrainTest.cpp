// The training loop on the library written by hand.
#include "TrainerFiles.h"

#include "runtime/trainer/StepLog.h"

#include <nlohmann/json.hpp>

#include <cmath>
#include <csignal>
#include <sys/wait.h>
#include <thread>

using namespace halfstep;
using namespace halfstep::test;
using nlohmann::json;

namespace {

std::vector<json> readLog(const std::string &path) {
  std::vector<json> lines;
  std::istringstream text(readText(path));
  for (std::string line; std::getline(text, line);)
    lines.push_back(json::parse(line));
  return lines;
}

/// What of a log must repeat: everything but times.
std::vector<json> withoutTimes(std::vector<json> lines) {
  for (json &line : lines) {
    line.erase("step_ms");
    line.erase("samples_per_s");
  }
  return lines;
}

TEST(Train, LearnsToTellClassesApart) {
  Folder folder;
  RunOptions options = fakeRun(writeClasses(folder, 40));
  options.epochs = 30;
  options.valSplit = 0.2;
  RunResult result = train(options);
  EXPECT_EQ(result.exitCode, 0);
  EXPECT_EQ(result.steps, 30 * 8);
  EXPECT_EQ(result.updates, 30 * 8);
  EXPECT_EQ(result.skipped, 0);
  EXPECT_EQ(result.scale, 1);
  EXPECT_EQ(result.train.samples, 32);
  EXPECT_EQ(result.train.accuracy, 1.0);
  ASSERT_TRUE(result.heldOut.has_value());
  EXPECT_EQ(result.heldOut->samples, 8);
  EXPECT_EQ(result.heldOut->accuracy, 1.0);
}

TEST(Train, LogLinesHaveEveryField) {
  Folder folder;
  RunOptions options = fakeRun(writeClasses(folder, 8));
  options.steps = 5;
  options.log = folder.file("run.jsonl");
  train(options);
  std::vector<json> lines = readLog(options.log);
  ASSERT_EQ(lines.size(), 5u);
  EXPECT_EQ(lines[0]["step"], 1);
  EXPECT_EQ(lines[4]["step"], 5);
  EXPECT_EQ(lines[4]["updates"], 5);
  EXPECT_EQ(lines[4]["epoch"], 2);
  EXPECT_EQ(lines[0]["lr"], 0.25);
  EXPECT_EQ(lines[0]["scale"], 1.0);
  EXPECT_EQ(lines[0]["skipped"], false);
  EXPECT_GT(lines[0]["grad_norm"].get<double>(), 0);
  EXPECT_GE(lines[0]["step_ms"].get<double>(), 0);
  EXPECT_TRUE(lines[0].contains("samples_per_s"));
  char hex[9];
  float loss = lines[0]["loss"].get<float>();
  uint32_t bits;
  std::memcpy(&bits, &loss, sizeof bits);
  std::snprintf(hex, sizeof hex, "%08x", bits);
  EXPECT_EQ(lines[0]["loss_hex"], hex);
}

TEST(Train, LogOfASkippedStepHasNulls) {
  StepRecord record;
  record.loss = INFINITY;
  record.skipped = true;
  record.gradNorm = NAN;
  json line = json::parse(toJsonLine(record));
  EXPECT_TRUE(line["loss"].is_null());
  EXPECT_EQ(line["loss_hex"], "7f800000");
  EXPECT_TRUE(line["grad_norm"].is_null());
  EXPECT_TRUE(line["lr"].is_null());
}

TEST(Train, TheSameSeedGivesTheSameRun) {
  Folder folder;
  RunOptions options = fakeRun(writeClasses(folder, 16));
  options.epochs = 3;
  std::vector<std::vector<json>> logs;
  for (uint64_t seed : {5, 5, 6}) {
    options.seed = seed;
    options.log = folder.file("run.jsonl");
    train(options);
    logs.push_back(withoutTimes(readLog(options.log)));
  }
  EXPECT_EQ(logs[0], logs[1]);
  EXPECT_NE(logs[0], logs[2]);
}

TEST(Train, ResumingInsideAnEpochIsBitExact) {
  Folder folder;
  RunOptions options = fakeRun(writeClasses(folder, 22)); // 5 batches of 4 and one of 2
  options.seed = 11;
  options.epochs = 3;
  options.log = folder.file("whole.jsonl");
  options.checkpoint = folder.file("whole");
  RunResult whole = train(options);

  RunOptions part = options;
  part.log = folder.file("parts.jsonl");
  part.checkpoint = folder.file("parts");
  part.steps = 8; // the third batch of the second epoch is next
  train(part);
  part.steps = 0;
  part.resume = part.checkpoint;
  part.seed = 99; // the checkpoint's counts
  RunResult resumed = train(part);

  EXPECT_EQ(resumed.steps, 18);
  EXPECT_EQ(resumed.updates, whole.updates);
  EXPECT_EQ(resumed.train.loss, whole.train.loss);
  EXPECT_EQ(withoutTimes(readLog(part.log)), withoutTimes(readLog(options.log)));
  EXPECT_EQ(readText(folder.file("parts/step-18.safetensors")),
            readText(folder.file("whole/step-18.safetensors")));
}

TEST(Train, CheckpointsEverySoManySteps) {
  Folder folder;
  RunOptions options = fakeRun(writeClasses(folder, 8));
  options.steps = 5;
  options.checkpoint = folder.file("deep/run");
  options.checkpointEvery = 2;
  train(options);
  for (int step : {2, 4, 5})
    EXPECT_TRUE(
        std::filesystem::exists(folder.file("deep/run/step-" + std::to_string(step) + ".safetensors")));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(options.checkpoint), {}), 3);
}

TEST(Train, ResumingWithOtherDataIsACheckpointError) {
  Folder folder;
  RunOptions options = fakeRun(writeClasses(folder, 8));
  options.steps = 1;
  options.checkpoint = folder.file("run");
  train(options);
  options.data = writeClasses(folder, 12);
  options.resume = options.checkpoint;
  Diagnostic diagnostic = diagnosticOf([&] { train(options); });
  EXPECT_EQ(diagnostic.code, ExitCode::Checkpoint);
  EXPECT_TRUE(contains(diagnostic.what(), "samples of 8, this run has 12")) << diagnostic.what();
}

TEST(Train, ResumingFromNothingIsAnError) {
  Folder folder;
  RunOptions options = fakeRun(writeClasses(folder, 8));
  options.resume = folder.file("none");
  EXPECT_EQ(diagnosticOf([&] { train(options); }).code, ExitCode::Io);
  std::filesystem::create_directory(options.resume);
  EXPECT_EQ(diagnosticOf([&] { train(options); }).code, ExitCode::Io);
  options.resume = folder.write("junk.safetensors", "junk");
  EXPECT_EQ(diagnosticOf([&] { train(options); }).code, ExitCode::Checkpoint);
  options.resume = writeClasses(folder, 4);
  EXPECT_EQ(diagnosticOf([&] { train(options); }).code, ExitCode::Checkpoint);
}

TEST(Train, AShortLastBatchNeedsItsSizeOrDropLast) {
  Folder folder;
  RunOptions options = fakeRun(writeClasses(folder, 7)); // a rest of 3, compiled for 4 and 2
  Diagnostic diagnostic = diagnosticOf([&] { train(options); });
  EXPECT_EQ(diagnostic.code, ExitCode::BadInput);
  EXPECT_TRUE(contains(diagnostic.what(), "--tail 3")) << diagnostic.what();
  EXPECT_TRUE(contains(diagnostic.what(), "--drop-last"));
  options.dropLast = true;
  EXPECT_EQ(train(options).steps, 1);
  options.dropLast = false;
  options.steps = 1; // the rest is never reached
  EXPECT_EQ(train(options).steps, 1);
}

TEST(Train, LessThanABatch) {
  Folder folder;
  RunOptions options = fakeRun(writeClasses(folder, 2));
  EXPECT_EQ(train(options).steps, 1);
  options.dropLast = true;
  EXPECT_EQ(diagnosticOf([&] { train(options); }).code, ExitCode::BadInput);
}

TEST(Train, NonFiniteGradientsStopOrAreSkipped) {
  Folder folder;
  RunOptions options = fakeRun(writeClasses(folder, 8, 1e30f));
  options.onNonfinite = "stop";
  EXPECT_EQ(diagnosticOf([&] { train(options); }).code, ExitCode::Numerics);
  options.onNonfinite = "skip";
  RunResult result = train(options);
  EXPECT_EQ(result.skipped, 2);
  EXPECT_EQ(result.updates, 0);
  options.onNonfinite = "perhaps";
  EXPECT_EQ(diagnosticOf([&] { train(options); }).code, ExitCode::Usage);
}

TEST(Train, AScaleThatOnlyFallsEndsTheRun) {
  Folder folder;
  RunOptions options = fakeRun(writeClasses(folder, 8, 1e30f));
  options.library = HALFSTEP_FAKE_SCALER_DIR;
  options.log = folder.file("run.jsonl");
  options.steps = 4;
  RunResult result = train(options);
  EXPECT_EQ(result.skipped, 4);
  EXPECT_EQ(result.scale, 0x1p-24);
  options.steps = 100;
  Diagnostic diagnostic = diagnosticOf([&] { train(options); });
  EXPECT_EQ(diagnostic.code, ExitCode::Numerics);
  EXPECT_TRUE(contains(diagnostic.what(), "step 5: the loss scale would fall")) << diagnostic.what();
  std::vector<json> lines = readLog(options.log);
  ASSERT_EQ(lines.size(), 5u);
  EXPECT_EQ(lines[1]["scale"], 0x1p-21);
  EXPECT_EQ(lines[1]["skipped"], true);
  EXPECT_EQ(lines[1]["updates"], 0);
  EXPECT_TRUE(lines[1]["grad_norm"].is_null());
}

TEST(Train, AnotherLearningRate) {
  Folder folder;
  RunOptions options = fakeRun(writeClasses(folder, 8));
  options.log = folder.file("run.jsonl");
  options.lr = 0.5f;
  train(options);
  EXPECT_EQ(readLog(options.log)[0]["lr"], 0.5);
}

TEST(Train, AFullDiskEndsTheRun) {
  if (!std::filesystem::exists("/dev/full"))
    GTEST_SKIP() << "this system has no /dev/full";
  Folder folder;
  RunOptions options = fakeRun(writeClasses(folder, 8));
  options.log = "/dev/full";
  EXPECT_EQ(diagnosticOf([&] { train(options); }).code, ExitCode::Io);
}

TEST(Train, WrongLibraries) {
  Folder folder;
  RunOptions options = fakeRun(writeClasses(folder, 8));
  options.library = folder.file("none");
  EXPECT_EQ(diagnosticOf([&] { train(options); }).code, ExitCode::Io);
  options.library = folder.file("");
  EXPECT_EQ(diagnosticOf([&] { train(options); }).code, ExitCode::BadInput);
  folder.write("m.manifest.json", readText(std::string(HALFSTEP_FAKE_DIR) + "/fake.manifest.json"));
  EXPECT_EQ(diagnosticOf([&] { train(options); }).code, ExitCode::Io);
  options.library = folder.write("libm.so", "not a library");
  EXPECT_EQ(diagnosticOf([&] { train(options); }).code, ExitCode::BadInput);
  for (const char *manifest : {"", "[]", "{}", R"({"abi":3})", R"({"abi":"1"})"}) {
    folder.write("m.manifest.json", manifest);
    EXPECT_EQ(diagnosticOf([&] { train(options); }).code, ExitCode::BadInput) << manifest;
  }
}

/// Runs `options` in a child that gets SIGINT once its log has lines. Returns its exit code.
int exitCodeAfterSigint(const RunOptions &options) {
  std::filesystem::remove(options.log);
  pid_t child = fork();
  if (child == 0)
    _exit(train(options).exitCode);
  while (readText(options.log).empty())
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  kill(child, SIGINT);
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(Train, SigintFinishesTheStepAndSaves) {
  Folder folder;
  RunOptions options = fakeRun(writeClasses(folder, 8));
  options.steps = INT64_MAX;
  options.log = folder.file("run.jsonl");
  options.checkpoint = folder.file("run");
  EXPECT_EQ(exitCodeAfterSigint(options), 75);
  size_t steps = readLog(options.log).size();
  EXPECT_TRUE(std::filesystem::exists(folder.file("run/step-" + std::to_string(steps) + ".safetensors")));
  options.checkpoint.clear();
  EXPECT_EQ(exitCodeAfterSigint(options), 130);
}

TEST(Bench, FillsEveryField) {
  RunOptions options;
  options.library = HALFSTEP_FAKE_DIR;
  options.steps = 20;
  BenchResult result = bench(options);
  EXPECT_EQ(result.workload, "fake");
  EXPECT_EQ(result.precision, "32-true");
  EXPECT_EQ(result.target, "cpu");
  EXPECT_EQ(result.isa, "x86-64-v3");
  EXPECT_EQ(result.batch, 4);
  EXPECT_EQ(result.steps, 20);
  EXPECT_GT(result.minMs, 0);
  EXPECT_LE(result.minMs, result.medianMs);
  EXPECT_LE(result.medianMs, result.p90Ms);
  EXPECT_GT(result.firstStepS, 0);
  EXPECT_GT(result.startToFirstStepS, 0);
  EXPECT_GT(result.peakRssMib, 1);
  EXPECT_EQ(result.arenaMib, 448.0 / (1 << 20));
  EXPECT_GT(result.libraryKib, 1);
  Folder folder;
  options.data = writeClasses(folder, 5);
  EXPECT_EQ(bench(options).steps, 20);
}

} // namespace
