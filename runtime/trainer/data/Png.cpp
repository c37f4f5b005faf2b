// See Png.h.
#include "runtime/trainer/data/Png.h"

#include "halfstep/diagnostic.hpp"
#include "runtime/trainer/data/FileBytes.h"

#include <png.h>

#include <cerrno>
#include <csetjmp>
#include <cstring>

namespace halfstep {
namespace {

/// An image that is being decoded. libpng reports errors by a jump, so that nothing with a destructor may
/// live in the functions between setjmp and the error: all state is here, and those functions use nothing
/// else.
class Decoder {
public:
  explicit Decoder(const std::string &path) : path(path), file(openRegularFile(path, size)) {
    png = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, fail, warn);
    info = png ? png_create_info_struct(png) : nullptr;
    if (!info) {
      png_destroy_read_struct(&png, nullptr, nullptr);
      throw Diagnostic(ExitCode::Memory, path + ": out of memory");
    }
    png_set_read_fn(png, this, read);
    // No image that a model takes is larger; a header can promise any size.
    constexpr png_uint_32 most = 1 << 16;
    png_set_user_limits(png, most, most);
  }
  Decoder(const Decoder &) = delete;
  ~Decoder() { png_destroy_read_struct(&png, &info, nullptr); }

  void header(PngSize expected) {
    require(readHeader());
    int64_t width = png_get_image_width(png, info), height = png_get_image_height(png, info);
    if (width != expected.width || height != expected.height)
      throw Diagnostic(ExitCode::BadInput,
                       path + ": is " + std::to_string(width) + " x " + std::to_string(height) +
                           " pixels, expected " + std::to_string(expected.width) + " x " +
                           std::to_string(expected.height) + " (width x height) as the model's input");
  }

  /// After header(): rows of 8-bit gray or RGB samples, pixel by pixel.
  std::vector<uint8_t> pixels() {
    require(prepare());
    size_t bytes = png_get_rowbytes(png, info), height = png_get_image_height(png, info);
    std::vector<uint8_t> samples(bytes * height);
    rows.resize(height);
    for (size_t y = 0; y < height; ++y)
      rows[y] = samples.data() + y * bytes;
    require(readRows());
    return samples;
  }

  bool gray() const { return png_get_channels(png, info) == 1; }

private:
  static void fail(png_structp png, png_const_charp message) {
    Decoder *self = static_cast<Decoder *>(png_get_error_ptr(png));
    std::strncpy(self->error, message, sizeof self->error - 1);
    longjmp(self->jump, 1);
  }
  static void warn(png_structp, png_const_charp) {}

  static void read(png_structp png, png_bytep out, size_t count) {
    Decoder *self = static_cast<Decoder *>(png_get_io_ptr(png));
    while (count > 0) {
      ssize_t got = ::read(self->file.get(), out, count);
      if (got < 0 && errno == EINTR)
        continue;
      if (got <= 0)
        png_error(png, got < 0 ? std::strerror(errno) : "it is truncated");
      out += got;
      count -= size_t(got);
    }
  }

  void require(bool done) const {
    if (!done)
      throw Diagnostic(ExitCode::BadInput, path + ": not a valid PNG image: " + error);
  }

  bool readHeader() {
    if (setjmp(jump))
      return false;
    png_read_info(png, info);
    return true;
  }

  bool prepare() {
    if (setjmp(jump))
      return false;
    png_set_expand(png); // palettes, 1 to 4 bits
    png_set_scale_16(png);
    png_set_strip_alpha(png);
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
    return true;
  }

  bool readRows() {
    if (setjmp(jump))
      return false;
    png_read_image(png, rows.data());
    png_read_end(png, nullptr);
    return true;
  }

  const std::string &path;
  size_t size = 0;
  FileDescriptor file;
  png_structp png = nullptr;
  png_infop info = nullptr;
  std::vector<png_bytep> rows;
  std::jmp_buf jump;
  char error[128] = {};
};

/// ITU-R BT.601 in sixteenths of bits, rounded.
uint8_t luma(const uint8_t *rgb) {
  constexpr uint32_t red = 19595, green = 38470, blue = 7471, one = 1 << 16;
  static_assert(red + green + blue == one);
  return uint8_t((rgb[0] * red + rgb[1] * green + rgb[2] * blue + one / 2) / one);
}

} // namespace

void requirePngSize(const std::string &path, PngSize expected) { Decoder(path).header(expected); }

std::vector<uint8_t> readPng(const std::string &path, int64_t channels, PngSize expected) {
  Decoder decoder(path);
  decoder.header(expected);
  std::vector<uint8_t> pixels = decoder.pixels();
  size_t area = size_t(expected.width * expected.height), wanted = size_t(channels);
  if (decoder.gray()) {
    std::vector<uint8_t> planes;
    for (size_t c = 0; c < wanted; ++c)
      planes.insert(planes.end(), pixels.begin(), pixels.end());
    return planes;
  }
  std::vector<uint8_t> planes(wanted * area);
  for (size_t i = 0; i < area; ++i)
    for (size_t c = 0; c < wanted; ++c)
      planes[c * area + i] = wanted == 1 ? luma(&pixels[3 * i]) : pixels[3 * i + c];
  return planes;
}

} // namespace halfstep
