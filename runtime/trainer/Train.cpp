// The training loop: epochs of shuffled batches, with log, progress, checkpoints and resumption.
#include "runtime/trainer/Trainer.h"

#include "runtime/trainer/Checkpoints.h"
#include "runtime/trainer/Evaluation.h"
#include "runtime/trainer/Interrupt.h"
#include "runtime/trainer/Progress.h"
#include "runtime/trainer/SampleOrder.h"
#include "runtime/trainer/Setup.h"
#include "runtime/trainer/StepLog.h"
#include "runtime/trainer/Weights.h"
#include "runtime/trainer/observe/NonfiniteDoctor.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>

namespace halfstep {
namespace {

constexpr double defaultMinScale = 0x1p-24; ///< the smallest subnormal of fp16
constexpr int exitSigint = 130;             ///< a shell's 128 + SIGINT

/// How an epoch falls into batches, and those into steps.
struct EpochPlan {
  int64_t batch = 0, full = 0; ///< full batches
  int64_t tail = 0;            ///< samples of the short last batch, 0: none
  int64_t accumulate = 1;      ///< batches a step; the last step of an epoch may have less

  int64_t batches() const { return full + (tail > 0); }
  int64_t steps() const { return (batches() + accumulate - 1) / accumulate; }
  int64_t size(int64_t cursor) const { return cursor < full ? batch : tail; }
  /// Batches of the step that begins at `cursor`.
  int64_t stepBatches(int64_t cursor) const { return std::min(accumulate, batches() - cursor); }
};

class TrainingRun {
public:
  explicit TrainingRun(const RunOptions &options)
      : options(options), library(Library::open(options.library)), manifest(library->manifest()),
        data(options.data, manifest, true, requestedFormat(options)),
        instance(library, instanceConfig(options)) {
    restore();
    split = data.split(options.valSplit, state.seed);
    makePlan();
    if (!options.checkpoint.empty())
      makeFolder();
    if (options.separateOps)
      doctor.emplace(options);
  }

  RunResult run() {
    Interrupt interrupt;
    StepLog log(options.log, !options.resume.empty());
    {
      Progress progress(state.step, total, options.progress);
      while (state.step < total && !interrupt.requested())
        runEpoch(interrupt, log, progress);
    }
    log.flush();
    if (!options.checkpoint.empty() && saved != state.step)
      save();
    return finish(interrupt.requested() && state.step < total);
  }

private:
  /// Weights and state: those of the checkpoint, the given ones, or the initial ones.
  void restore() {
    state.seed = options.seed;
    state.samples = int64_t(data.size());
    state.batch = manifest.batch();
    state.valSplit = options.valSplit;
    state.shuffle = options.shuffle;
    state.dropLast = options.dropLast;
    state.format = data.format();
    lr = manifest.lr;
    restoreWeights(instance, options, false);
    if (!options.resume.empty()) {
      TensorFile checkpoint = readCheckpoint(findCheckpoint(options.resume));
      TrainerState before = stateOf(checkpoint);
      requireSameSettings(checkpoint.path, before, state);
      state = before;
      if (std::optional<float> rate = learningRateOf(checkpoint))
        lr = *rate;
    }
    if (options.lr) {
      instance.setLr(*options.lr);
      lr = *options.lr;
    }
    if (!manifest.schedule.isConstant() && (state.scheduleLr == 0 || options.lr))
      state.scheduleLr = options.lr ? double(*options.lr) : manifest.lr.value_or(0);
  }

  void makePlan() {
    int64_t samples = int64_t(split.training.size());
    plan.batch = manifest.batch();
    plan.full = samples / plan.batch;
    plan.tail = options.dropLast || data.wholeBatchesOnly() ? 0 : samples % plan.batch;
    plan.accumulate = manifest.accumulate;
    if (plan.batches() == 0)
      throw Diagnostic(
          ExitCode::BadInput,
          options.data + ": " + std::to_string(samples) + " training samples are less than one batch of " +
              std::to_string(plan.batch) +
              (data.wholeBatchesOnly() ? "; give a smaller --batch" : "; train without --drop-last"));
    if (options.steps < 0 || (options.steps == 0 && options.epochs < 1))
      throw Diagnostic(ExitCode::Usage, "the number of epochs or steps must be positive");
    total = options.steps;
    if (total == 0 && __builtin_mul_overflow(options.epochs, plan.steps(), &total))
      throw Diagnostic(ExitCode::Usage, "the number of epochs is too large");
    if (plan.tail && total >= plan.steps() && !manifest.hasBatch(plan.tail))
      throw Diagnostic(ExitCode::BadInput, options.data + ": the last batch of an epoch has " +
                                               std::to_string(plan.tail) +
                                               " samples, and the library was compiled for batches of " +
                                               std::to_string(plan.batch) + "; compile it with --tail " +
                                               std::to_string(plan.tail) + ", or train with --drop-last");
    // A resumed run keeps the length that its schedule had: more steps do not bend it.
    if (!manifest.schedule.isConstant() && (state.scheduleSteps == 0 || manifest.schedule.steps()))
      state.scheduleSteps = manifest.schedule.steps() ? manifest.schedule.steps() : total;
    if (state.cursor >= plan.batches())
      throw Diagnostic(ExitCode::Checkpoint, options.resume + ": its place in the epoch is past the end");
  }

  void makeFolder() const {
    std::error_code error;
    std::filesystem::create_directories(options.checkpoint, error);
    if (error)
      throw Diagnostic(ExitCode::Io, options.checkpoint + ": " + error.message());
  }

  /// From the cursor to the end of the epoch, or of the run.
  void runEpoch(const Interrupt &interrupt, StepLog &log, Progress &progress) {
    std::vector<size_t> order = data.order(split.training, state.shuffle, state.seed, uint64_t(state.epoch));
    Batch batch = data.makeBatch(plan.batch);
    lossSum = 0;
    lossCount = 0;
    for (int64_t epoch = state.epoch; state.epoch == epoch && state.step < total && !interrupt.requested();) {
      setRate();
      int64_t samples = 0;
      auto begin = std::chrono::steady_clock::now();
      hs_step_result result = runStep(order, batch, samples, progress);
      std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
      record(result, samples, took.count(), log, progress);
      if (doctor && NonfiniteDoctor::isNeeded(result))
        explain(result.skipped ? "was skipped" : "was not finite and was applied all the same", result, batch,
                samples, progress);
      advance();
      if (result.skipped)
        requireScale(result);
      if (options.checkpointEvery > 0 && state.step % options.checkpointEvery == 0) {
        log.flush();
        save();
      }
    }
  }

  /// The learning rate of the next update. A skipped step leaves the number of updates, and so the rate,
  /// alone.
  void setRate() {
    if (manifest.schedule.isConstant())
      return;
    lr = manifest.schedule.at(state.updates, state.scheduleLr, state.scheduleSteps);
    instance.setLr(float(*lr));
  }

  /// The batches of one step, of which the last ends in the update. `samples` becomes their number.
  hs_step_result runStep(std::span<const size_t> order, Batch &batch, int64_t &samples, Progress &progress) {
    hs_step_result result = HS_STEP_RESULT_INIT;
    int64_t count = plan.stepBatches(state.cursor);
    for (int64_t i = 0; i < count; ++i) {
      int64_t cursor = state.cursor + i, size = plan.size(cursor);
      instance.setBatch(size);
      data.gather(order.subspan(size_t(cursor * plan.batch), size_t(size)), batch);
      samples += size;
      if (i + 1 < count)
        instance.accumulateStep(batch.inputs(), batch.targets());
      else
        runUpdate(batch, size, result, progress);
    }
    return result;
  }

  void runUpdate(const Batch &batch, int64_t size, hs_step_result &result, Progress &progress) {
    if (doctor)
      doctor->keep(instance);
    try {
      instance.trainStep(batch.inputs(), batch.targets(), result);
    } catch (const Diagnostic &diagnostic) {
      if (doctor && diagnostic.code == ExitCode::Numerics)
        explain("was not finite and ends the run", result, batch, size, progress);
      throw;
    }
  }

  /// Says which op is to blame for the step that has just run.
  void explain(const char *fate, const hs_step_result &result, const Batch &batch, int64_t size,
               Progress &progress) {
    std::optional<std::string> text = doctor->explain(state.step + 1, fate, result, batch, size);
    if (!text)
      return;
    progress.giveWay();
    options.explain(*text);
  }

  void record(const hs_step_result &result, int64_t size, double seconds, StepLog &log, Progress &progress) {
    state.updates = result.updates;
    state.skipped += result.skipped != 0;
    if (std::isfinite(result.loss)) {
      lossSum += result.loss * double(size);
      lossCount += size;
    }
    StepRecord line;
    line.step = state.step + 1;
    line.updates = result.updates;
    line.epoch = state.epoch;
    line.loss = result.loss;
    line.lr = lr;
    line.scale = double(result.scale);
    line.skipped = result.skipped != 0;
    line.gradNorm = result.grad_norm;
    line.stepMs = seconds * 1e3;
    line.samplesPerS = double(size) / seconds;
    log.write(line);
    progress.update({line.step, line.epoch, line.loss, line.scale, size});
  }

  void advance() {
    ++state.step;
    state.cursor += plan.stepBatches(state.cursor);
    if (state.cursor == plan.batches()) {
      state.cursor = 0;
      ++state.epoch;
    }
  }

  /// A scale that only falls means that no scale helps: say so instead of skipping forever.
  void requireScale(const hs_step_result &result) const {
    // The scale itself may be held at its minimum, which would hide that it no longer helps.
    double scale = double(result.next_scale), least = manifest.minScale.value_or(defaultMinScale);
    if (scale >= least)
      return;
    char text[160];
    std::snprintf(text, sizeof text,
                  "step %lld: the loss scale would fall from %g to %g, under the least of %g",
                  static_cast<long long>(state.step), double(result.scale), scale, least);
    throw Diagnostic(ExitCode::Numerics,
                     std::string(text) + ": gradients are not finite at any scale; check data and learning "
                                         "rate, or use bf16-mixed, which needs no scale");
  }

  void save() {
    instance.save(checkpointPath(options.checkpoint, state.step), toMetadata(state));
    saved = state.step;
  }

  /// The samples that the last epoch of the run has trained.
  std::vector<size_t> lastTrained() const {
    bool whole = state.cursor == 0;
    std::vector<size_t> order =
        data.order(split.training, state.shuffle, state.seed, uint64_t(state.epoch - whole));
    size_t count = whole ? size_t(plan.full * plan.batch + plan.tail) : size_t(state.cursor * plan.batch);
    order.resize(count);
    return order;
  }

  RunResult finish(bool interrupted) {
    RunResult result;
    result.steps = state.step;
    result.updates = state.updates;
    result.skipped = state.skipped;
    result.scale = double(instance.scaler().scale);
    if (interrupted) {
      result.exitCode = options.checkpoint.empty() ? exitSigint : int(ExitCode::Interrupted);
      result.train.loss = lossSum / double(lossCount);
      result.train.samples = lossCount;
      return result;
    }
    result.train = evaluateSamples(instance, data, lastTrained());
    if (!split.heldOut.empty())
      result.heldOut = evaluateSamples(instance, data, split.heldOut);
    return result;
  }

  const RunOptions &options;
  std::shared_ptr<const Library> library;
  const Manifest &manifest;
  Dataset data;
  Instance instance;
  Split split;
  EpochPlan plan;
  TrainerState state;
  std::optional<double> lr;
  std::optional<NonfiniteDoctor> doctor; ///< of --explain-nonfinite
  int64_t total = 0;                     ///< steps of the whole run
  int64_t saved = -1;                    ///< step of the last checkpoint
  double lossSum = 0;                    ///< of the finite losses in this epoch, by sample
  int64_t lossCount = 0;
};

} // namespace

RunResult train(const RunOptions &options) { return TrainingRun(options).run(); }

int64_t trainingSamples(const std::string &data, double valSplit) {
  int64_t samples = countSamples(data);
  return samples == 0 ? 0 : samples - int64_t(heldOutCount(size_t(samples), valSplit));
}

} // namespace halfstep
