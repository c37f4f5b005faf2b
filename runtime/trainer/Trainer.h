// Entry of the trainer: runs a generated library over data. The command line fills RunOptions and prints
// results.
#ifndef HALFSTEP_RUNTIME_TRAINER_TRAINER_H
#define HALFSTEP_RUNTIME_TRAINER_TRAINER_H

#include "halfstep/diagnostic.hpp"
#include "runtime/trainer/Profile.h"
#include "runtime/trainer/data/DataFormat.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace halfstep {

/// What to run and on what. Each function names the fields that it reads; the others are left alone.
struct RunOptions {
  std::string library; ///< libID.so, or the folder it is in
  std::string data;    ///< a file or folder of one of the forms of DataFile.h
  DataFormat format;   ///< what is asked for; the checkpoint or the weights say the rest
  std::string weights; ///< safetensors with the parameters' own names; empty: the initial ones
  std::string resume;  ///< checkpoint, or a folder of step-N.safetensors, whose largest N is taken
  int threads = 1;
  uint64_t seed = 0; ///< initial weights, dropout, shuffling, split; a resumed run keeps its checkpoint's

  int64_t steps = 0;  ///< attempts in all, resumed ones included; 0: `epochs` decides
  int64_t epochs = 1; ///< passes over the training samples
  bool shuffle = true;
  bool dropLast = false;       ///< leave out the short last batch of an epoch
  double valSplit = 0;         ///< fraction of the samples that is held out, in [0, 1)
  std::optional<float> lr;     ///< instead of the compiled one
  std::string log;             ///< JSON lines, one a step; a resumed run appends
  std::string checkpoint;      ///< folder for step-N.safetensors: at the end and on SIGINT
  int64_t checkpointEvery = 0; ///< also after every so many steps
  std::string onNonfinite;     ///< "stop", "skip", "ignore"; empty: skip with a scaler, else stop
  bool progress = true;        ///< on stderr
  /// Set: the first steps that are not finite are explained. Compiles the model with its ops kept apart
  /// (CompileRequest::separateOps of the compiler) and returns the library's folder; called at most once.
  std::function<std::string()> separateOps;
  std::function<void(const std::string &lines)> explain; ///< takes the explanations

  std::string output; ///< of predict: .npy or .safetensors

  bool profile = false;                ///< of bench: the kernels' times, of a library compiled for it
  std::optional<MachineLimits> limits; ///< of the profile; measured when absent
};

struct Metrics {
  double loss = 0; ///< mean over the samples
  /// Fraction of the labels that are the largest output along the class axis; absent without class ids.
  std::optional<double> accuracy;
  int64_t samples = 0;
};

struct RunResult {
  /// The final weights on the samples of the last epoch that this run trained; for an interrupted run, the
  /// mean of the steps' losses in that epoch, without accuracy.
  Metrics train;
  std::optional<Metrics> heldOut;
  int64_t steps = 0;   ///< attempts, those before a resume included
  int64_t updates = 0; ///< applied
  int64_t skipped = 0;
  double scale = 1; ///< loss scale at the end, 1 without scaling
  int exitCode = 0; ///< 0; 75: interrupted, checkpoint saved; 130: interrupted
};

/// `bench --json` of interfaces.md.
struct BenchResult {
  std::string workload, precision, target, isa;
  int threads = 1;
  int64_t batch = 0, steps = 0;
  double medianMs = 0, minMs = 0, p90Ms = 0;
  double firstStepS = 0;
  double startToFirstStepS = 0; ///< from the start of the process
  double peakRssMib = 0, arenaMib = 0, libraryKib = 0;
  std::vector<KernelProfile> kernels; ///< with RunOptions::profile
  MachineLimits limits;               ///< with RunOptions::profile
};

/// Trains. Reads everything but `output`. Throws Diagnostic.
RunResult train(const RunOptions &options);

/// Loss and accuracy over all samples. Reads library, data, threads, and weights or resume (one is required).
Metrics evaluate(const RunOptions &options);

/// Writes the outputs for all samples to `output`, which appears when it is complete. Reads what evaluate
/// reads; targets need not be in the data. Several outputs need a .safetensors file.
void predict(const RunOptions &options);

/// What generate() is to write.
struct GenerateOptions {
  std::string prompt = "\n"; ///< what the text begins with
  int64_t length = 500;      ///< characters after it
  double temperature = 0.8;  ///< 0: always the likeliest character
};

/// Writes the prompt and what a model of the next character makes of it, a character a call. The same seed
/// gives the same text. Reads library, threads, seed, and weights or resume (one is required). Throws
/// Diagnostic.
void generate(const RunOptions &options, const GenerateOptions &wanted,
              const std::function<void(const std::string &)> &write);

/// Times `steps` training steps after the first, on four batches: of `data`, or made up from the seed.
/// Reads library, data, threads, seed, steps, profile, limits.
BenchResult bench(const RunOptions &options);

/// Writes the weights of a checkpoint (a file, or a folder as in RunOptions::resume) under their plain names,
/// from the masters where there are any. Checksums are verified.
void exportWeights(const std::string &checkpoint, const std::string &output);

/// Samples of `data` that are left for training when `valSplit` of them are held out; 0 for text, whose
/// epochs have no short last batch.
int64_t trainingSamples(const std::string &data, double valSplit);

} // namespace halfstep

#endif // HALFSTEP_RUNTIME_TRAINER_TRAINER_H
