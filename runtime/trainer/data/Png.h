// PNG images through libpng.
#ifndef HALFSTEP_RUNTIME_TRAINER_DATA_PNG_H
#define HALFSTEP_RUNTIME_TRAINER_DATA_PNG_H

#include <cstdint>
#include <string>
#include <vector>

namespace halfstep {

struct PngSize {
  int64_t width = 0, height = 0;
};

/// Reads the header alone. Throws Diagnostic BadInput unless the image has this size, or Io.
void requirePngSize(const std::string &path, PngSize expected);

/// The samples of an image as bytes, [channels, height, width]. `channels` is 1 (gray) or 3 (red, green,
/// blue): colours become gray by ITU-R BT.601's weights, gray becomes three equal channels, palettes are
/// looked up, 16-bit samples are rounded to 8, and transparency is left out. Gamma and colour profiles are
/// not applied. Throws Diagnostic BadInput for what is damaged or not of the size `expected`, or Io.
std::vector<uint8_t> readPng(const std::string &path, int64_t channels, PngSize expected);

} // namespace halfstep

#endif // HALFSTEP_RUNTIME_TRAINER_DATA_PNG_H
