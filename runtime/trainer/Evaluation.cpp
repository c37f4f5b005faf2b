// See Evaluation.h.
#include "runtime/trainer/Evaluation.h"

#include "runtime/trainer/BatchWeight.h"
#include "runtime/trainer/Setup.h"
#include "runtime/trainer/Weights.h"

#include <algorithm>
#include <cmath>

namespace halfstep {
namespace {

/// Memory for one batch of every output.
class OutputBuffers {
public:
  explicit OutputBuffers(const Manifest &manifest) {
    for (const TensorSpec &spec : manifest.outputs) {
      buffers.emplace_back(spec.sampleBytes() * size_t(manifest.batch()));
      pointers.push_back(buffers.back().data());
    }
  }
  void *const *get() const { return pointers.data(); }
  const std::byte *operator[](size_t output) const { return buffers[output].data(); }

private:
  std::vector<std::vector<std::byte>> buffers;
  std::vector<void *> pointers;
};

/// Above which score the model says 1; none for losses that are not binary.
std::optional<double> binaryThreshold(const Manifest &manifest) {
  if (manifest.loss == "bce_with_logits")
    return 0;
  return manifest.loss == "bce" ? std::optional(0.5) : std::nullopt;
}

class Evaluation {
public:
  Evaluation(Instance &instance, const Dataset &data)
      : instance(instance), manifest(instance.manifest()), data(data),
        batch(data.makeBatch(manifest.batch())), outputs(manifest), weight(manifest),
        axis(classAxis(manifest)), threshold(binaryThreshold(manifest)) {}

  Metrics run(std::span<const size_t> indices) {
    size_t size = size_t(manifest.batch()), full = indices.size() - indices.size() % size;
    instance.setBatch(manifest.batch());
    for (size_t at = 0; at < full; at += size)
      lossSum += total(indices.subspan(at, size));
    if (full < indices.size())
      rest(indices.subspan(full));
    Metrics metrics;
    metrics.samples = int64_t(indices.size());
    metrics.loss = weight.isSum() ? lossSum : lossSum / weightSum;
    if (axis || threshold)
      metrics.accuracy = double(hits) / double(labels);
    return metrics;
  }

private:
  double total(std::span<const size_t> indices) { return total(indices, indices.size()); }

  /// The sum of the losses of one batch, each times its weight. Counts weights and hits of the first
  /// `counted` samples.
  double total(std::span<const size_t> indices, size_t counted) {
    data.gather(indices, batch);
    double loss = instance.evalStep(batch.inputs(), batch.targets(), outputs.get());
    countHits(counted);
    weightSum += weight.of(batch, counted);
    if (weight.isSum())
      return loss;
    // The mean over nothing is NaN.
    double all = weight.of(batch, indices.size());
    return all > 0 ? loss * all : 0;
  }

  void countHits(size_t counted) {
    if (!axis && !threshold)
      return;
    const TensorSpec &scores = manifest.outputs[0], &target = manifest.targets[0];
    for (size_t i = 0; i < counted; ++i) {
      const std::byte *row = outputs[0] + i * scores.sampleBytes(),
                      *wanted = batch.row(manifest.inputs.size(), i);
      hits += axis ? halfstep::countHits(*axis, scores.type, row, target.type, wanted, target.ignore)
                   : countBinaryHits(*threshold, target.sampleCount(), scores.type, row, target.type, wanted);
    }
    labels += axis ? weight.labels(batch, counted) : counted * target.sampleCount();
  }

  void rest(std::span<const size_t> indices) {
    if (manifest.hasBatch(int64_t(indices.size()))) {
      instance.setBatch(int64_t(indices.size()));
      lossSum += total(indices);
      instance.setBatch(manifest.batch());
      return;
    }
    size_t size = size_t(manifest.batch()), padding = size - indices.size();
    std::vector<size_t> padded(indices.begin(), indices.end());
    padded.resize(size, indices.back());
    double whole = total(padded, indices.size());
    lossSum += whole - total(std::vector<size_t>(size, indices.back()), 0) * double(padding) / double(size);
  }

  Instance &instance;
  const Manifest &manifest;
  const Dataset &data;
  Batch batch;
  OutputBuffers outputs;
  BatchWeight weight;
  std::optional<ClassAxis> axis;
  std::optional<double> threshold;
  double lossSum = 0, weightSum = 0;
  size_t hits = 0, labels = 0;
};

size_t product(std::span<const int64_t> extents) {
  size_t count = 1;
  for (int64_t extent : extents)
    count *= size_t(extent);
  return count;
}

} // namespace

std::optional<ClassAxis> classAxis(const Manifest &manifest) {
  if (manifest.targets.size() != 1 || manifest.targets[0].classes == 0 || manifest.outputs.empty())
    return std::nullopt;
  std::span<const int64_t> shape = manifest.outputs[0].shape, labels = manifest.targets[0].shape;
  int64_t rank = int64_t(shape.size()), axis = 1;
  if (manifest.axis)
    axis = *manifest.axis < 0 ? *manifest.axis + rank : *manifest.axis;
  else if (std::ranges::equal(labels, shape.first(shape.size() - 1)))
    axis = rank - 1;
  if (axis < 1 || axis >= rank)
    return std::nullopt;
  ClassAxis place = {product(shape.subspan(1, size_t(axis) - 1)), size_t(shape[size_t(axis)]),
                     product(shape.subspan(size_t(axis) + 1))};
  if (place.outer * place.inner != manifest.targets[0].sampleCount())
    return std::nullopt;
  return place;
}

size_t countHits(const ClassAxis &axis, DataType scoreType, const std::byte *scores, DataType labelType,
                 const std::byte *labels, std::optional<int64_t> ignored) {
  size_t hits = 0;
  for (size_t outer = 0; outer < axis.outer; ++outer)
    for (size_t inner = 0; inner < axis.inner; ++inner) {
      size_t best = 0;
      double most = 0;
      for (size_t k = 0; k < axis.classes; ++k) {
        size_t element = (outer * axis.classes + k) * axis.inner + inner;
        double score = loadElement(scoreType, scores + element * byteSize(scoreType));
        if (k == 0 || score > most || (std::isnan(score) && !std::isnan(most))) {
          best = k;
          most = score;
        }
      }
      size_t label = outer * axis.inner + inner;
      double wanted = loadElement(labelType, labels + label * byteSize(labelType));
      hits += wanted == double(best) && !(ignored && wanted == double(*ignored));
    }
  return hits;
}

size_t countBinaryHits(double threshold, size_t count, DataType scoreType, const std::byte *scores,
                       DataType labelType, const std::byte *labels) {
  size_t hits = 0;
  for (size_t i = 0; i < count; ++i)
    hits += (loadElement(scoreType, scores + i * byteSize(scoreType)) > threshold) ==
            (loadElement(labelType, labels + i * byteSize(labelType)) > 0.5);
  return hits;
}

Metrics evaluateSamples(Instance &instance, const Dataset &data, std::span<const size_t> indices) {
  return Evaluation(instance, data).run(indices);
}

std::vector<std::vector<std::byte>> predictSamples(Instance &instance, const Dataset &data) {
  const Manifest &manifest = instance.manifest();
  size_t size = size_t(manifest.batch());
  Batch batch = data.makeBatch(manifest.batch());
  OutputBuffers outputs(manifest);
  std::vector<std::vector<std::byte>> results(manifest.outputs.size());
  instance.setBatch(manifest.batch());
  const std::vector<size_t> samples = data.samples();
  for (size_t at = 0; at < samples.size(); at += size) {
    size_t count = std::min(size, samples.size() - at);
    std::vector<size_t> indices(samples.begin() + std::ptrdiff_t(at),
                                samples.begin() + std::ptrdiff_t(at + count));
    indices.resize(size, indices.back());
    data.gather(indices, batch);
    instance.forward(batch.inputs(), outputs.get());
    for (size_t i = 0; i < results.size(); ++i)
      results[i].insert(results[i].end(), outputs[i], outputs[i] + count * manifest.outputs[i].sampleBytes());
  }
  return results;
}

Metrics evaluate(const RunOptions &options) {
  std::shared_ptr<const Library> library = Library::open(options.library);
  Dataset data(options.data, library->manifest(), true, requestedFormat(options), false);
  Instance instance(library, instanceConfig(options));
  restoreWeights(instance, options, true);
  return evaluateSamples(instance, data, data.samples());
}

} // namespace halfstep
