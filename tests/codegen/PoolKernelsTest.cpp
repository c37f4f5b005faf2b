// Pooling against plain loops over windows.
#include "OpKernel.h"

#include <cmath>
#include <limits>

using namespace halfstep::test;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Window {
  int64_t images, channels, height, width;
  std::vector<int64_t> kernel, stride, padding; // padding: top, left, bottom, right

  int64_t outHeight() const { return (height + padding[0] + padding[2] - kernel[0]) / stride[0] + 1; }
  int64_t outWidth() const { return (width + padding[1] + padding[3] - kernel[1]) / stride[1] + 1; }
  int64_t planes() const { return images * channels; }
  int64_t pixels() const { return height * width; }
  int64_t outPixels() const { return outHeight() * outWidth(); }
  std::string image(const std::string &type) const {
    return tensorText({images, channels, height, width}, type);
  }
  std::string pooled(const std::string &type) const {
    return tensorText({images, channels, outHeight(), outWidth()}, type);
  }
  std::string attributes() const {
    return "kernel = " + array(kernel) + ", stride = " + array(stride) + ", padding = " + array(padding);
  }
  std::string inputShape() const { return "input_shape = " + array({images, channels, height, width}); }

  /// Calls `body` with each element (row-major place in the plane) of the window of output `out` of a plane.
  void eachPlace(int64_t out, const std::function<void(int64_t)> &body) const {
    int64_t top = out / outWidth() * stride[0] - padding[0], left = out % outWidth() * stride[1] - padding[1];
    for (int64_t y = std::max<int64_t>(top, 0); y < std::min(top + kernel[0], height); ++y)
      for (int64_t x = std::max<int64_t>(left, 0); x < std::min(left + kernel[1], width); ++x)
        body(y * width + x);
  }
  double divisor(int64_t out, bool excludePad) const {
    int64_t inside = 0;
    eachPlace(out, [&](int64_t) { ++inside; });
    return double(excludePad ? inside : kernel[0] * kernel[1]);
  }

private:
  static std::string array(const std::vector<int64_t> &values) {
    std::string text = "array<i64: ";
    for (size_t i = 0; i < values.size(); ++i)
      text += (i ? ", " : "") + std::to_string(values[i]);
    return text + ">";
  }
};

const std::vector<Window> kWindows = {
    {1, 1, 1, 1, {1, 1}, {1, 1}, {0, 0, 0, 0}},    {1, 2, 4, 4, {2, 2}, {2, 2}, {0, 0, 0, 0}},
    {2, 3, 7, 5, {2, 2}, {2, 2}, {0, 0, 0, 0}},    {1, 2, 8, 9, {3, 3}, {2, 2}, {1, 1, 1, 1}},
    {2, 1, 6, 40, {3, 3}, {1, 1}, {1, 1, 1, 1}},   {1, 1, 9, 9, {3, 2}, {3, 1}, {1, 0, 0, 1}},
    {1, 2, 5, 70, {2, 2}, {2, 2}, {1, 1, 1, 1}},   {2, 2, 6, 6, {6, 6}, {6, 6}, {0, 0, 0, 0}},
    {1, 3, 1, 33, {1, 4}, {1, 3}, {0, 2, 0, 1}},   {1, 1, 10, 11, {2, 3}, {4, 5}, {0, 0, 0, 0}},
    {1, 2, 3, 2, {6, 4}, {1, 1}, {3, 2, 2, 2}},    {3, 1, 12, 64, {3, 3}, {2, 2}, {0, 0, 1, 1}},
    {1, 1, 30, 20, {9, 11}, {2, 3}, {4, 5, 4, 5}}, {1, 2, 5, 35, {2, 2}, {1, 2}, {0, 0, 0, 0}},
    {1, 2, 4, 33, {1, 1}, {2, 2}, {0, 0, 0, 0}},   {1, 1, 9, 40, {5, 5}, {1, 1}, {2, 2, 2, 2}},
    {2, 1, 6, 50, {3, 3}, {3, 3}, {0, 0, 0, 0}}};
const std::vector<std::string> kTypes = {"f32", "f64", "bf16", "f16"};

void forEachCase(const std::function<void(const Window &, const std::string &)> &body) {
  for (const Window &window : kWindows)
    for (const std::string &type : kTypes)
      body(window, type);
}

//===----------------------------------------------------------------------===//
// Maximum
//===----------------------------------------------------------------------===//

OpKernel maxPool(const Window &window, const std::string &type) {
  return {"pool",
          "nn.max_pool2d",
          window.attributes(),
          {window.image(type)},
          {window.pooled(type), window.pooled("i32")}};
}

/// The first of the largest elements, or the first NaN.
void checkMaxima(const Window &window, const Buffers &b) {
  for (int64_t i = 0; i < window.planes() * window.outPixels(); ++i) {
    int64_t start = i / window.outPixels() * window.pixels(), place = -1;
    double best = 0;
    window.eachPlace(i % window.outPixels(), [&](int64_t candidate) {
      double value = b[0].get(start + candidate);
      if (place < 0 || (!std::isnan(best) && !(value <= best)))
        best = value, place = candidate;
    });
    expectNear(b[1], i, best, 0);
    EXPECT_EQ(b[2].get(i), double(place)) << "place of element " << i;
  }
}

/// Of elements that differ; of equal ones, of which the first counts; and of NaN and infinities: padding is
/// never the maximum, not even of a window of minus infinities.
TEST(PoolKernels, MaxPool) {
  auto random = [](Buffers &b) { b[0].fillRandom(1, 3); };
  auto equal = [](Buffers &b) { b[0].fill([](int64_t i) { return double(i * i % 3); }); };
  auto special = [](Buffers &b) {
    const double values[] = {-kInfinity, -kInfinity, -2, std::nan(""), -kInfinity, kInfinity, -std::nan("")};
    b[0].fill([&](int64_t i) { return i % 5 < 2 ? -kInfinity : values[i * 3 % 7]; });
  };
  forEachCase([&](const Window &window, const std::string &type) {
    runAtAllLevels(maxPool(window, type), {random, equal, special},
                   [&](const Buffers &b) { checkMaxima(window, b); });
  });
}

TEST(PoolKernels, MaxPoolBackward) {
  forEachCase([](const Window &window, const std::string &type) {
    OpKernel kernel{"pool",
                    "nn.max_pool2d_backward",
                    window.inputShape(),
                    {window.pooled(type), window.pooled("i32")},
                    {window.image(type)}};
    auto fill = [&](Buffers &b) {
      b[0].fillRandom(1);
      // A place inside the window, another for each.
      for (int64_t i = 0; i < b[1].size(); ++i) {
        int64_t left = i % 4;
        window.eachPlace(i % window.outPixels(), [&](int64_t place) {
          if (left-- >= 0)
            b[1].set(i, double(place));
        });
      }
    };
    auto check = [&](const Buffers &b) {
      std::vector<double> exact(size_t(b[2].size())), scale(exact), terms(exact);
      for (int64_t i = 0; i < b[0].size(); ++i) {
        auto at = size_t(i / window.outPixels() * window.pixels() + int64_t(b[1].get(i)));
        exact[at] += b[0].get(i), scale[at] += std::abs(b[0].get(i)), terms[at] += 1;
      }
      for (size_t i = 0; i < exact.size(); ++i)
        expectNear(b[2], int64_t(i), exact[i], tolerance(kernel, b[2], exact[i], terms[i], scale[i]));
    };
    runAtAllLevels(kernel, fill, check);
  });
}

//===----------------------------------------------------------------------===//
// Mean
//===----------------------------------------------------------------------===//

TEST(PoolKernels, AvgPool) {
  forEachCase([](const Window &window, const std::string &type) {
    for (bool excludePad : {false, true}) {
      OpKernel kernel{"pool",
                      "nn.avg_pool2d",
                      window.attributes() + (excludePad ? ", exclude_pad" : ""),
                      {window.image(type)},
                      {window.pooled(type)}};
      auto check = [&](const Buffers &b) {
        for (int64_t i = 0; i < b[1].size(); ++i) {
          int64_t out = i % window.outPixels(), start = i / window.outPixels() * window.pixels();
          double sum = 0, size = 0, divisor = window.divisor(out, excludePad);
          window.eachPlace(out, [&](int64_t place) {
            sum += b[0].get(start + place) / divisor, size += std::abs(b[0].get(start + place)) / divisor;
          });
          double terms = double(window.kernel[0] * window.kernel[1]) + 1;
          expectNear(b[1], i, sum, tolerance(kernel, b[1], sum, terms, size));
        }
      };
      runAtAllLevels(kernel, [](Buffers &b) { b[0].fillRandom(1); }, check);
    }
  });
}

TEST(PoolKernels, AvgPoolBackward) {
  forEachCase([](const Window &window, const std::string &type) {
    for (bool excludePad : {false, true}) {
      OpKernel kernel{"pool",
                      "nn.avg_pool2d_backward",
                      window.inputShape() + ", " + window.attributes() + (excludePad ? ", exclude_pad" : ""),
                      {window.pooled(type)},
                      {window.image(type)}};
      auto check = [&](const Buffers &b) {
        std::vector<double> exact(size_t(b[1].size())), scale(exact), terms(exact);
        for (int64_t i = 0; i < b[0].size(); ++i) {
          int64_t out = i % window.outPixels(), start = i / window.outPixels() * window.pixels();
          double share = b[0].get(i) / window.divisor(out, excludePad);
          window.eachPlace(out, [&](int64_t place) {
            auto at = size_t(start + place);
            exact[at] += share, scale[at] += std::abs(share), terms[at] += 2;
          });
        }
        for (size_t i = 0; i < exact.size(); ++i)
          expectNear(b[1], int64_t(i), exact[i], tolerance(kernel, b[1], exact[i], terms[i], scale[i]));
      };
      runAtAllLevels(kernel, [](Buffers &b) { b[0].fillRandom(1); }, check);
    }
  });
}

TEST(PoolKernels, NanOfOneElementReachesItsWindowsOnly) {
  Window window = kWindows[4];
  OpKernel kernel{
      "pool", "nn.avg_pool2d", window.attributes(), {window.image("bf16")}, {window.pooled("bf16")}};
  int64_t bad = 2 * window.width + 20;
  auto fill = [&](Buffers &b) {
    b[0].fillRandom(1);
    b[0].set(bad, std::nan(""));
  };
  runAtAllLevels(kernel, fill, [&](const Buffers &b) {
    for (int64_t i = 0; i < b[1].size(); ++i) {
      bool touched = false;
      if (i < window.outPixels())
        window.eachPlace(i, [&](int64_t place) { touched |= place == bad; });
      EXPECT_EQ(std::isnan(b[1].get(i)), touched) << "element " << i;
    }
  });
}

} // namespace
