// Samples that are the images of a folder.
#include "runtime/trainer/SampleSource.h"

#include "halfstep/diagnostic.hpp"
#include "runtime/trainer/data/ImageFolder.h"
#include "runtime/trainer/data/Tensor.h"

#include <algorithm>

namespace halfstep {
namespace {

class ImageSource : public SampleSource {
public:
  explicit ImageSource(SourceRequest wanted) : request(std::move(wanted)), folder(request.data) {
    checkModel();
    const std::vector<int64_t> &shape = request.inputs[0].shape;
    channels = size_t(shape.size() == 4 ? shape[1] : 1);
    makeScales();
    if (!request.targets.empty())
      makeClasses();
    folder.expect(int64_t(channels), {shape.back(), shape[shape.size() - 2]});
  }

  size_t size() const override { return folder.images().size(); }
  DataFormat format() const override { return request.format; }

  void gather(std::span<const size_t> images, Batch &batch) const override {
    const TensorSpec &input = request.inputs[0];
    std::vector<float> values(input.sampleCount());
    for (size_t i = 0; i < images.size(); ++i) {
      std::span<const uint8_t> samples = folder.read(images[i]);
      size_t area = samples.size() / channels;
      for (size_t k = 0; k < samples.size(); ++k)
        values[k] = scaled[k / area][samples[k]];
      convert(input.type, batch.row(0, i), DataType::F32, reinterpret_cast<const std::byte *>(values.data()),
              values.size());
      if (request.targets.empty())
        continue;
      int64_t id = classOf[folder.images()[images[i]].folder];
      convert(request.targets[0].type, batch.row(1, i), DataType::I64,
              reinterpret_cast<const std::byte *>(&id), 1);
    }
  }

private:
  [[noreturn]] void refuse(const std::string &what) const {
    throw Diagnostic(ExitCode::BadInput, request.data + ": " + what);
  }

  void checkModel() const {
    const std::vector<TensorSpec> &in = request.inputs, &out = request.targets;
    size_t rank = in[0].shape.size();
    bool image = in.size() == 1 && in[0].classes == 0 &&
                 (rank == 3 || (rank == 4 && (in[0].shape[1] == 1 || in[0].shape[1] == 3)));
    if (!image)
      refuse(
          "a folder of images feeds a model with one input [N, C, H, W] of 1 or 3 channels, or [N, H, W]; '" +
          in[0].name + "' is " + name(in[0].type) + " " + toText(in[0].shape));
    if (!out.empty() && (out.size() != 1 || out[0].classes == 0 || out[0].sampleCount() != 1))
      refuse("a folder of images gives one class id a sample; '" + out[0].name + "' is " + name(out[0].type) +
             " " + toText(out[0].shape));
  }

  /// (sample / 255 - mean) / std for every channel and byte.
  void makeScales() {
    for (const auto *list : {&request.format.mean, &request.format.std})
      if (list->size() > 1 && list->size() != channels)
        refuse("'data.mean' and 'data.std' need one number, or one for each of the model's " +
               std::to_string(channels) + " channels; got " + std::to_string(list->size()));
    auto at = [](const std::vector<double> &list, size_t channel, double otherwise) {
      return list.empty() ? otherwise : list[list.size() == 1 ? 0 : channel];
    };
    constexpr size_t levels = 256;
    for (size_t channel = 0; channel < channels; ++channel) {
      double mean = at(request.format.mean, channel, 0), deviation = at(request.format.std, channel, 1);
      std::vector<float> &table = scaled.emplace_back(levels);
      for (size_t level = 0; level < levels; ++level)
        table[level] = float((double(level) / double(levels - 1) - mean) / deviation);
    }
  }

  /// The classes of the format, or else the sub-folders.
  void makeClasses() {
    const std::vector<std::string> &names = folder.folders();
    if (names.empty())
      refuse("holds images and no sub-folders; expected one sub-folder of .png files a class");
    if (request.format.classes.empty())
      request.format.classes = names;
    const std::vector<std::string> &classes = request.format.classes;
    if (int64_t(classes.size()) > request.targets[0].classes)
      refuse("has " + std::to_string(classes.size()) + " classes (" + quotedNames(classes) +
             "), and the model's output has " + std::to_string(request.targets[0].classes));
    for (const std::string &name : names) {
      auto found = std::find(classes.begin(), classes.end(), name);
      if (found == classes.end())
        refuse("has the class '" + name + "', which is none of those trained: " + quotedNames(classes));
      classOf.push_back(found - classes.begin());
    }
  }

  SourceRequest request;
  ImageFolder folder;
  size_t channels = 1;
  std::vector<std::vector<float>> scaled; ///< by channel and byte
  std::vector<int64_t> classOf;           ///< by sub-folder
};

} // namespace

std::unique_ptr<SampleSource> openImages(SourceRequest request) {
  return std::make_unique<ImageSource>(std::move(request));
}

} // namespace halfstep
