// nn.conv2d and its gradients against sums in double, over shapes, element types and instruction levels.
#include "Jit.h"

#include <cmath>
#include <gtest/gtest.h>
#include <iterator>
#include <limits>
#include <sstream>

using namespace halfstep;
using namespace halfstep::test;

namespace {

enum class Direction { Forward, BackwardData, BackwardWeight };
constexpr Direction directions[] = {Direction::Forward, Direction::BackwardData, Direction::BackwardWeight};

struct Convolution {
  int64_t n = 1, ci = 1, h = 1, w = 1, co = 1, kh = 1, kw = 1;
  int64_t strideH = 1, strideW = 1;
  int64_t top = 0, left = 0, bottom = 0, right = 0;
  int64_t dilationH = 1, dilationW = 1;
  int64_t groups = 1;
  bool bias = false;

  int64_t outHeight() const { return (h + top + bottom - dilationH * (kh - 1) - 1) / strideH + 1; }
  int64_t outWidth() const { return (w + left + right - dilationW * (kw - 1) - 1) / strideW + 1; }
};

std::string join(std::vector<int64_t> values, const char *separator) {
  std::string text;
  for (size_t i = 0; i < values.size(); ++i)
    text += (i == 0 ? "" : separator) + std::to_string(values[i]);
  return text;
}

std::string tensor(const std::string &type, std::vector<int64_t> shape) {
  return "tensor<" + join(shape, "x") + "x" + type + ">";
}

std::string list(const std::string &name, std::vector<int64_t> values) {
  return name + " = array<i64: " + join(values, ", ") + ">, ";
}

std::string moduleOf(const Convolution &c, Direction direction, const std::string &type) {
  std::vector<int64_t> xShape{c.n, c.ci, c.h, c.w}, wShape{c.co, c.ci / c.groups, c.kh, c.kw};
  std::string x = tensor(type, xShape), w = tensor(type, wShape), bias = tensor(type, {c.co});
  std::string y = tensor(type, {c.n, c.co, c.outHeight(), c.outWidth()});
  std::string op = "nn.conv2d", shape, first = x, second = w, result = y;
  if (direction == Direction::BackwardData)
    op = "nn.conv2d_backward_data", shape = list("input_shape", xShape), first = y, result = x;
  if (direction == Direction::BackwardWeight)
    op = "nn.conv2d_backward_weight", shape = list("weight_shape", wShape), second = y, result = w;
  bool hasBias = c.bias && direction == Direction::Forward;
  std::string types = "(" + first + ", " + second + (hasBias ? ", " + bias : "") + ") -> " + result;
  std::ostringstream text;
  text << "func.func @f(%x: " << first << ", %y: " << second << ", %z: " << bias << ") -> " << result
       << " {\n"
       << "  %r = train.kernel \"convolution\" (%x, %y" << (hasBias ? ", %z" : "") << ") : " << types
       << " {\n"
       << "  ^bb0(%a: " << first << ", %b: " << second << (hasBias ? ", %c: " + bias : "") << "):\n"
       << "    %p = " << op << " %a, %b" << (hasBias ? ", %c" : "") << " {" << shape
       << list("stride", {c.strideH, c.strideW}) << list("padding", {c.top, c.left, c.bottom, c.right})
       << list("dilation", {c.dilationH, c.dilationW}) << "groups = " << c.groups << " : i64} : " << types
       << "\n    train.yield %p : " << result << "\n  }\n  return %r : " << result << "\n}\n";
  return text.str();
}

/// Sums for all elements of a result: what is added, its magnitudes and how many terms.
struct Sums {
  explicit Sums(int64_t count) : sum(count), magnitude(count), terms(count) {}
  void add(int64_t i, double term) {
    sum[i] += term;
    magnitude[i] += std::abs(term);
    ++terms[i];
  }
  std::vector<double> sum, magnitude;
  std::vector<int64_t> terms;
};

/// body(index in x, in the weight, in y) for each product of the convolution.
void forEachProduct(const Convolution &c, const std::function<void(int64_t, int64_t, int64_t)> &body) {
  int64_t ciGroup = c.ci / c.groups, coGroup = c.co / c.groups, oh = c.outHeight(), ow = c.outWidth();
  for (int64_t y = 0; y < c.n * c.co * oh * ow; ++y) {
    int64_t image = y / (c.co * oh * ow), o = y / (oh * ow) % c.co, row = y / ow % oh, column = y % ow;
    for (int64_t w = 0; w < ciGroup * c.kh * c.kw; ++w) {
      int64_t channel = o / coGroup * ciGroup + w / (c.kh * c.kw);
      int64_t inRow = row * c.strideH - c.top + w / c.kw % c.kh * c.dilationH;
      int64_t inColumn = column * c.strideW - c.left + w % c.kw * c.dilationW;
      if (inRow < 0 || inRow >= c.h || inColumn < 0 || inColumn >= c.w)
        continue;
      body(((image * c.ci + channel) * c.h + inRow) * c.w + inColumn, o * ciGroup * c.kh * c.kw + w, y);
    }
  }
}

std::vector<double> valuesOf(const Buffer &buffer) {
  std::vector<double> values;
  for (int64_t i = 0; i < buffer.size(); ++i)
    values.push_back(buffer.get(i));
  return values;
}

Sums reference(const Convolution &c, Direction direction, const std::vector<Buffer> &operands) {
  Sums sums(operands.back().size());
  std::vector<double> first = valuesOf(operands[0]), second = valuesOf(operands[1]);
  forEachProduct(c, [&](int64_t x, int64_t w, int64_t y) {
    switch (direction) {
    case Direction::Forward:
      return sums.add(y, first[x] * second[w]);
    case Direction::BackwardData:
      return sums.add(x, first[y] * second[w]);
    case Direction::BackwardWeight:
      return sums.add(w, first[x] * second[y]);
    }
  });
  if (operands.size() == 4)
    for (int64_t y = 0; y < operands[3].size(); ++y)
      sums.add(y, operands[2].get(y / (c.outHeight() * c.outWidth()) % c.co));
  return sums;
}

/// As for matrix products: a rounding at the store, and a random walk of those of the partial sums.
void expectResult(const Sums &exact, const Buffer &result) {
  double unit = unitRoundoff(result.type() == "f64" ? "f64" : "f32");
  int failures = 0;
  for (int64_t i = 0; i < result.size() && failures < 3; ++i) {
    double allowed = unitRoundoff(result.type()) * std::abs(exact.sum[i]) +
                     unit * (std::sqrt(double(exact.terms[i])) + 2) * exact.magnitude[i];
    if (!(std::abs(result.get(i) - exact.sum[i]) <= allowed)) {
      ADD_FAILURE() << "element " << i << " is " << result.get(i) << ", expected " << exact.sum[i]
                    << " within " << allowed;
      ++failures;
    }
  }
}

void fillOperands(std::vector<Buffer> &operands) {
  for (size_t i = 0; i + 1 < operands.size(); ++i)
    operands[i].fillRandom(unsigned(i) + 1);
}

void check(const Convolution &c, Direction direction, const std::string &type, const CpuLevel &level) {
  std::string text = moduleOf(c, direction, type);
  SCOPED_TRACE(level.name.str() + "\n" + text);
  JitKernel kernel(text, level);
  std::vector<Buffer> operands = kernel.makeBuffers(), cut = kernel.makeBuffers();
  fillOperands(operands);
  kernel.run(operands);
  expectResult(reference(c, direction, operands), operands.back());
  fillOperands(cut);
  for (int64_t chunk : {int64_t(1), int64_t(3)}) {
    kernel.run(cut, chunk);
    EXPECT_TRUE(cut.back().sameBits(operands.back())) << "cut into ranges of " << chunk;
  }
  for (const Buffer &buffer : operands)
    EXPECT_TRUE(buffer.guardsIntact());
}

void checkAll(const Convolution &c) {
  for (const CpuLevel *level : hostLevels())
    for (const char *type : {"f32", "f64", "bf16", "f16"})
      for (Direction direction : directions)
        check(c, direction, type, *level);
}

TEST(Convolution, SizesOfOne) {
  checkAll({});
  checkAll({.n = 2, .ci = 3, .h = 4, .w = 5, .co = 1, .bias = true});
  checkAll({.n = 1, .ci = 2, .h = 3, .w = 3, .co = 7, .kh = 3, .kw = 3});
}

TEST(Convolution, PaddingOnAllSides) {
  checkAll({.n = 3,
            .ci = 2,
            .h = 8,
            .w = 8,
            .co = 16,
            .kh = 3,
            .kw = 3,
            .top = 1,
            .left = 1,
            .bottom = 1,
            .right = 1,
            .bias = true});
  checkAll({.n = 2,
            .ci = 3,
            .h = 5,
            .w = 7,
            .co = 4,
            .kh = 2,
            .kw = 4,
            .top = 0,
            .left = 3,
            .bottom = 2,
            .right = 1});
}

TEST(Convolution, Strides) {
  checkAll({.n = 2,
            .ci = 3,
            .h = 9,
            .w = 11,
            .co = 5,
            .kh = 3,
            .kw = 3,
            .strideH = 2,
            .strideW = 2,
            .top = 1,
            .left = 1,
            .bottom = 1,
            .right = 1,
            .bias = true});
  checkAll({.n = 2, .ci = 4, .h = 8, .w = 8, .co = 6, .strideH = 2, .strideW = 2});
  checkAll(
      {.n = 1, .ci = 2, .h = 10, .w = 13, .co = 3, .kh = 2, .kw = 3, .strideH = 3, .strideW = 4, .right = 2});
}

TEST(Convolution, Dilation) {
  checkAll({.n = 2,
            .ci = 3,
            .h = 12,
            .w = 10,
            .co = 4,
            .kh = 3,
            .kw = 3,
            .top = 2,
            .left = 2,
            .bottom = 2,
            .right = 2,
            .dilationH = 2,
            .dilationW = 2,
            .bias = true});
  checkAll({.n = 1,
            .ci = 2,
            .h = 9,
            .w = 12,
            .co = 3,
            .kh = 2,
            .kw = 2,
            .strideW = 2,
            .dilationH = 3,
            .dilationW = 5});
}

TEST(Convolution, Groups) {
  checkAll({.n = 2,
            .ci = 6,
            .h = 6,
            .w = 6,
            .co = 9,
            .kh = 3,
            .kw = 3,
            .top = 1,
            .left = 1,
            .bottom = 1,
            .right = 1,
            .groups = 3,
            .bias = true});
}

// One filter a channel: rows of less than a vector, of whole vectors and of both, and strides and dilations.
TEST(Convolution, Depthwise) {
  checkAll(
      {.n = 2, .ci = 5, .h = 7, .w = 6, .co = 5, .kh = 3, .kw = 3, .strideH = 2, .strideW = 2, .groups = 5});
  checkAll({.n = 2, .ci = 3, .h = 5, .w = 16, .co = 3, .kh = 1, .kw = 1, .groups = 3, .bias = true});
  checkAll({.n = 1,
            .ci = 3,
            .h = 9,
            .w = 37,
            .co = 3,
            .kh = 5,
            .kw = 5,
            .top = 2,
            .left = 2,
            .bottom = 2,
            .right = 2,
            .strideH = 2,
            .strideW = 2,
            .groups = 3,
            .bias = true});
  checkAll({.n = 3,
            .ci = 2,
            .h = 11,
            .w = 9,
            .co = 2,
            .kh = 7,
            .kw = 7,
            .top = 3,
            .left = 3,
            .bottom = 3,
            .right = 3,
            .groups = 2});
  checkAll({.n = 1,
            .ci = 2,
            .h = 8,
            .w = 20,
            .co = 2,
            .kh = 3,
            .kw = 2,
            .top = 1,
            .right = 2,
            .strideH = 3,
            .dilationH = 2,
            .dilationW = 3,
            .groups = 2});
}

TEST(Convolution, ManyChannelsAndBands) {
  checkAll({.n = 2,
            .ci = 33,
            .h = 14,
            .w = 14,
            .co = 45,
            .kh = 3,
            .kw = 3,
            .top = 1,
            .left = 1,
            .bottom = 1,
            .right = 1});
  checkAll({.n = 1, .ci = 40, .h = 36, .w = 33, .co = 20, .kh = 3, .kw = 3, .bias = true});
}

TEST(Convolution, RowsLongerThanManyVectors) {
  checkAll({.n = 1, .ci = 1, .h = 3, .w = 150, .co = 2, .kh = 1, .kw = 5, .left = 2, .right = 2});
  checkAll({.n = 1, .ci = 2, .h = 4, .w = 171, .co = 3, .kh = 3, .kw = 3, .strideW = 2, .top = 1});
}

TEST(Convolution, InputsThatNoWindowReachesGetZeroGradients) {
  // The window visits rows and columns 0 and 3 only.
  checkAll({.n = 2, .ci = 3, .h = 6, .w = 6, .co = 4, .strideH = 3, .strideW = 3});
}

TEST(Convolution, NanStaysInItsWindows) {
  Convolution c{.n = 2,
                .ci = 1,
                .h = 8,
                .w = 8,
                .co = 3,
                .kh = 3,
                .kw = 3,
                .top = 1,
                .left = 1,
                .bottom = 1,
                .right = 1};
  for (const CpuLevel *level : hostLevels())
    for (const char *type : {"f32", "f64", "bf16", "f16"}) {
      JitKernel kernel(moduleOf(c, Direction::Forward, type), *level);
      std::vector<Buffer> operands = kernel.makeBuffers();
      fillOperands(operands);
      operands[0].set(64 + 2 * 8 + 5, std::nan(""));
      kernel.run(operands);
      for (int64_t i = 0; i < operands.back().size(); ++i) {
        bool inside = i / 192 == 1 && std::abs(i / 8 % 8 - 2) <= 1 && std::abs(i % 8 - 5) <= 1;
        EXPECT_EQ(std::isnan(operands.back().get(i)), inside) << i;
      }
    }
}

/// Products of 1.5 with the ends of f16's range: a rounding to nearest-even, once.
TEST(Convolution, F16OverflowsToInfinityAndKeepsDenormals) {
  const double infinity = std::numeric_limits<double>::infinity();
  const double cases[][2] = {{65504, infinity},      {-65504, -infinity},  {43680, infinity},
                             {43648, 65472},         {0x1p-24, 0x1p-23},   {3 * 0x1p-24, 4 * 0x1p-24},
                             {5 * 0x1p-24, 0x1p-21}, {0x1p-14, 0x1.8p-14}, {-0x1p-15, -0x1.8p-15}};
  for (const CpuLevel *level : hostLevels())
    for (Direction direction : directions) {
      bool isWeight = direction == Direction::BackwardWeight;
      Convolution c{.w = isWeight ? 1 : 20, .co = isWeight ? 20 : 1};
      JitKernel kernel(moduleOf(c, direction, "f16"), *level);
      std::vector<Buffer> operands = kernel.makeBuffers();
      operands[isWeight ? 0 : 1].set(0, 1.5);
      operands[isWeight ? 1 : 0].fill([&](int64_t i) { return cases[size_t(i) % std::size(cases)][0]; });
      kernel.run(operands);
      for (int64_t i = 0; i < operands.back().size(); ++i)
        EXPECT_EQ(operands.back().get(i), cases[size_t(i) % std::size(cases)][1])
            << "element " << i << " of direction " << int(direction) << " " << level->name.str();
    }
}

} // namespace
