// Samples that are windows of a text, for models that predict the next character.
#include "runtime/trainer/SampleSource.h"

#include "halfstep/diagnostic.hpp"
#include "runtime/trainer/Vocabulary.h"
#include "runtime/trainer/data/Tensor.h"
#include "runtime/trainer/data/TextFile.h"
#include "runtime/trainer/data/Utf8.h"

#include <algorithm>

namespace halfstep {
namespace {

/// A sample's number is that of the first character of its window.
class TextSource : public SampleSource {
public:
  explicit TextSource(SourceRequest wanted)
      : request(std::move(wanted)), ids(checkedIds()), window(request.inputs[0].sampleCount()),
        file(request.data, takesBytes() ? TextUnit::Byte : TextUnit::Character),
        vocabulary(makeVocabulary()) {
    size_t needed = window + !request.targets.empty();
    if (file.size() < needed)
      refuse("has " + std::to_string(file.size()) + " characters, expected at least " +
             std::to_string(needed) + " (the model's windows have " + std::to_string(window) + ")");
  }

  size_t size() const override { return (file.size() - !request.targets.empty()) / window; }
  DataFormat format() const override { return request.format; }
  bool wholeBatchesOnly() const override { return true; }

  Split split(double fraction, uint64_t) const override {
    size_t heldOut = heldOutCount(size(), fraction);
    Split parts;
    for (size_t i = 0; i < size(); ++i)
      (i < size() - heldOut ? parts.training : parts.heldOut).push_back(i * window);
    return parts;
  }

  std::vector<size_t> order(const std::vector<size_t> &training, bool shuffled, uint64_t seed,
                            uint64_t epoch) const override {
    std::vector<size_t> begins = epochOrder(training, shuffled, seed, epoch);
    size_t last = training.back(), phase = shuffled ? epochPhase(window, seed, epoch) : 0;
    for (size_t &begin : begins)
      begin = std::min(begin + phase, last);
    return begins;
  }

  void gather(std::span<const size_t> begins, Batch &batch) const override {
    bool follows = !request.targets.empty();
    std::vector<char32_t> text(window + follows);
    std::vector<int64_t> numbers(text.size());
    for (size_t i = 0; i < begins.size(); ++i) {
      file.read(begins[i], text);
      std::transform(text.begin(), text.end(), numbers.begin(),
                     [&](char32_t code) { return vocabulary.idOf(code); });
      put(request.inputs[0], numbers.data(), batch.row(0, i));
      if (follows)
        put(request.targets[0], numbers.data() + 1, batch.row(1, i));
    }
  }

private:
  [[noreturn]] void refuse(const std::string &what) const {
    throw Diagnostic(ExitCode::BadInput, request.data + ": " + what);
  }

  /// How many ids the model takes; checks that it is a model for text.
  int64_t checkedIds() const {
    int64_t count = textIds(request.inputs, request.targets);
    const TensorSpec &first = request.inputs[0];
    if (count == 0)
      refuse("a text feeds a model with one input of ids, i64 [N, T], and with --loss cross_entropy one "
             "target of "
             "as many class ids; '" +
             first.name + "' is " + name(first.type) + " " + toText(first.shape));
    return count;
  }

  bool takesBytes() const { return request.format.vocabulary.empty() && ids == byteIds; }

  /// The vocabulary of the format, or else the characters of the file.
  Vocabulary makeVocabulary() {
    if (takesBytes())
      return Vocabulary::ofBytes();
    std::string &known = request.format.vocabulary;
    if (known.empty() && !request.learnFormat)
      refuse("the weights do not say which character each id stands for; give a checkpoint, or weights that "
             "'halfstep export' wrote from one");
    if (known.empty())
      known = toUtf8(file.alphabet());
    Vocabulary made(fromUtf8(known).value_or(U""));
    if (int64_t(made.size()) > ids)
      refuse("has " + std::to_string(made.size()) + " different characters, and the model takes ids below " +
             std::to_string(ids) + "; give the model's embedding and output so many ids, or 256 for bytes");
    for (char32_t code : file.alphabet())
      if (made.idOf(code) < 0)
        refuse("holds the character " + quotedCharacter(code) +
               ", which the vocabulary of the weights lacks");
    return made;
  }

  static void put(const TensorSpec &spec, const int64_t *numbers, std::byte *row) {
    convert(spec.type, row, DataType::I64, reinterpret_cast<const std::byte *>(numbers), spec.sampleCount());
  }

  SourceRequest request;
  int64_t ids;
  size_t window;
  TextFile file;
  Vocabulary vocabulary;
};

} // namespace

std::unique_ptr<SampleSource> openText(SourceRequest request) {
  return std::make_unique<TextSource>(std::move(request));
}

} // namespace halfstep
