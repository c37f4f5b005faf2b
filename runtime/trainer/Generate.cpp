// Trainer.h's generate: text out of a model that predicts the next character.
#include "runtime/trainer/Dataset.h"
#include "runtime/trainer/Evaluation.h"
#include "runtime/trainer/Setup.h"
#include "runtime/trainer/Vocabulary.h"
#include "runtime/trainer/Weights.h"
#include "runtime/trainer/data/Utf8.h"

#include <algorithm>
#include <cmath>

namespace halfstep {
namespace {

constexpr uint64_t sampleStream = UINT64_MAX; ///< of SampleOrder.h's numbers; no epoch comes so far

class Generator {
public:
  Generator(Instance &instance, const RunOptions &options, const GenerateOptions &wanted)
      : instance(instance), manifest(instance.manifest()), seed(options.seed), wanted(wanted),
        vocabulary(vocabularyOf(options)), axis(classAxis(manifest)),
        batch(manifest.inputs, {}, manifest.batch()) {
    if (!axis || size_t(axis->classes) < vocabulary.size())
      throw Diagnostic(ExitCode::BadInput,
                       manifest.path + ": the model's output has no score for each character");
    for (const TensorSpec &spec : manifest.outputs) {
      buffers.emplace_back(spec.sampleBytes() * size_t(manifest.batch()));
      outputs.push_back(buffers.back().data());
    }
    // One row is enough; a library that was compiled for one need not compute the others.
    if (manifest.hasBatch(1))
      instance.setBatch(1);
  }

  void run(const std::function<void(const std::string &)> &write) {
    std::string unknown;
    std::optional<std::vector<int64_t>> text = vocabulary.encode(wanted.prompt, unknown);
    if (!text)
      throw Diagnostic(ExitCode::Usage, "the prompt holds " + unknown + ", which the model does not know");
    if (text->empty())
      throw Diagnostic(ExitCode::Usage, "the prompt is empty; the model needs a character to go on from");
    write(wanted.prompt);
    for (int64_t i = 0; i < wanted.length; ++i) {
      text->push_back(int64_t(next(*text, uint64_t(i))));
      write(vocabulary.decode(size_t(text->back())));
    }
  }

private:
  Vocabulary vocabularyOf(const RunOptions &options) const {
    int64_t ids = textIds(manifest.inputs, manifest.targets);
    if (ids == 0)
      throw Diagnostic(ExitCode::BadInput, manifest.path +
                                               ": is no model of text: expected one input of ids, i64 "
                                               "[N, T], and cross_entropy over the next ones");
    DataFormat format = requestedFormat(options);
    if (format.vocabulary.empty() && ids == byteIds)
      return Vocabulary::ofBytes();
    std::optional<std::u32string> characters = fromUtf8(format.vocabulary);
    if (format.vocabulary.empty() || !characters || int64_t(characters->size()) > ids)
      throw Diagnostic(
          ExitCode::BadInput,
          (options.weights.empty() ? options.resume : options.weights) +
              ": does not say which character each id stands for; give a checkpoint of a run on a "
              "text, or weights that 'halfstep export' wrote from one");
    return Vocabulary(*characters);
  }

  /// The id after `text`, of which the model sees the last window.
  size_t next(const std::vector<int64_t> &text, uint64_t number) {
    const TensorSpec &input = manifest.inputs[0];
    size_t count = std::min(text.size(), input.sampleCount());
    convert(input.type, batch.row(0, 0), DataType::I64,
            reinterpret_cast<const std::byte *>(text.data() + text.size() - count), count);
    instance.forward(batch.inputs(), outputs.data());
    std::vector<double> scores = scoresAt(count - 1);
    auto best = std::max_element(scores.begin(), scores.end());
    if (!std::isfinite(*best))
      throw Diagnostic(ExitCode::Numerics, "the model's scores are not finite");
    if (wanted.temperature == 0)
      return size_t(best - scores.begin());
    return draw(scores, *best, number);
  }

  /// The characters' scores at a place of the window.
  std::vector<double> scoresAt(size_t place) const {
    std::vector<double> scores(vocabulary.size());
    size_t outer = place / axis->inner, inner = place % axis->inner;
    DataType type = manifest.outputs[0].type;
    for (size_t id = 0; id < scores.size(); ++id)
      scores[id] = loadElement(
          type, buffers[0].data() + ((outer * axis->classes + id) * axis->inner + inner) * byteSize(type));
    return scores;
  }

  /// An id with the probability softmax(scores / temperature).
  size_t draw(std::vector<double> scores, double best, uint64_t number) const {
    double sum = 0;
    for (double &score : scores)
      sum += score = std::exp((score - best) / wanted.temperature);
    double left = sum * (double(randomBits(seed, sampleStream, number) >> 11) * 0x1p-53);
    for (size_t id = 0; id < scores.size(); ++id)
      if ((left -= scores[id]) < 0)
        return id;
    return scores.size() - 1;
  }

  Instance &instance;
  const Manifest &manifest;
  uint64_t seed;
  const GenerateOptions &wanted;
  Vocabulary vocabulary;
  std::optional<ClassAxis> axis;
  Batch batch;
  std::vector<std::vector<std::byte>> buffers;
  std::vector<void *> outputs;
};

} // namespace

void generate(const RunOptions &options, const GenerateOptions &wanted,
              const std::function<void(const std::string &)> &write) {
  if (!(wanted.temperature >= 0) || !std::isfinite(wanted.temperature))
    throw Diagnostic(ExitCode::Usage, "the temperature must be a finite number >= 0");
  std::shared_ptr<const Library> library = Library::open(options.library);
  Instance instance(library, instanceConfig(options));
  restoreWeights(instance, options, true);
  Generator(instance, options, wanted).run(write);
}

} // namespace halfstep
