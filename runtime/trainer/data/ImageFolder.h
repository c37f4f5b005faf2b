// A folder of PNG images: one sub-folder a class, or images without classes.
#ifndef HALFSTEP_RUNTIME_TRAINER_DATA_IMAGEFOLDER_H
#define HALFSTEP_RUNTIME_TRAINER_DATA_IMAGEFOLDER_H

#include "runtime/trainer/data/Png.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace halfstep {

class ImageFolder {
public:
  struct Image {
    std::string path;
    size_t folder = 0; ///< index in folders()
  };

  /// Lists the .png files (in any case) of each sub-folder, both sorted by name; the images that lie in
  /// `path` itself where there is no sub-folder. Names that begin with a dot are passed over. Throws
  /// Diagnostic Io, or BadInput when there are no images, or a sub-folder has none.
  explicit ImageFolder(const std::string &path);

  const std::string &path() const { return root; }
  const std::vector<std::string> &folders() const { return names; } ///< empty without sub-folders
  const std::vector<Image> &images() const { return list; }

  /// Sets the form of all images and checks the size in every header. Throws Diagnostic.
  void expect(int64_t channels, PngSize size);

  /// After expect(): samples of an image, [channels, height, width]. Those of the first images that are read
  /// are kept while they take less than `cacheBytes` together. Throws Diagnostic.
  std::span<const uint8_t> read(size_t image) const;

  static constexpr size_t cacheBytes = size_t(256) << 20;

private:
  void addImages(const std::string &folder, size_t index);

  std::string root;
  std::vector<std::string> names;
  std::vector<Image> list;
  int64_t channels = 1;
  PngSize size;
  mutable std::vector<std::vector<uint8_t>> kept; ///< by image; empty: not kept
  mutable size_t keptBytes = 0;
  mutable std::vector<uint8_t> latest; ///< an image that is not kept
};

} // namespace halfstep

#endif // HALFSTEP_RUNTIME_TRAINER_DATA_IMAGEFOLDER_H
