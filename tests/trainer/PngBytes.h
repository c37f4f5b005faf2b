// PNG images for tests, written by libpng's simplified interface.
#ifndef HALFSTEP_TESTS_TRAINER_PNGBYTES_H
#define HALFSTEP_TESTS_TRAINER_PNGBYTES_H

#include <gtest/gtest.h>
#include <png.h>

#include <cstring>
#include <string>
#include <vector>

namespace halfstep::test {

/// The file of an image whose pixels are in `samples`, row by row. `format` is one of PNG_FORMAT_*.
inline std::string pngBytes(unsigned width, unsigned height, unsigned format,
                            const std::vector<uint8_t> &samples) {
  png_image image;
  std::memset(&image, 0, sizeof image);
  image.version = PNG_IMAGE_VERSION;
  image.width = width;
  image.height = height;
  image.format = format;
  png_alloc_size_t size = 0;
  EXPECT_TRUE(png_image_write_to_memory(&image, nullptr, &size, 0, samples.data(), 0, nullptr));
  std::string bytes(size, '\0');
  EXPECT_TRUE(png_image_write_to_memory(&image, bytes.data(), &size, 0, samples.data(), 0, nullptr));
  return bytes;
}

} // namespace halfstep::test

#endif // HALFSTEP_TESTS_TRAINER_PNGBYTES_H
