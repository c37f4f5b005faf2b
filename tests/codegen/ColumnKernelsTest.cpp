// Sums over rows against plain loops in extended precision: the parameter gradients of layer normalisation,
// and the statistics and parameter gradients of batch normalisation.
#include "OpKernel.h"

#include <cmath>

using namespace halfstep::test;

namespace {

using Real = long double;
/// Roundings of a formula besides those of its sums.
constexpr double kFormula = 12;

/// Types of the activations and of the vectors over channels or columns.
struct Types {
  std::string main, other;
  std::string statistics() const { return other == "f64" ? "f64" : "f32"; }
};
const std::vector<Types> kTypes = {{"f32", "f32"},   {"f64", "f64"}, {"bf16", "f32"},
                                   {"bf16", "bf16"}, {"f16", "f32"}, {"f32", "f64"}};

//===----------------------------------------------------------------------===//
// Layer normalisation
//===----------------------------------------------------------------------===//

/// Rows, and the extents that are normalised over.
struct Columns {
  int64_t rows;
  std::vector<int64_t> trailing;
};

OpKernel layerNormKernel(const Columns &shape, const Types &types) {
  std::vector<int64_t> full = shape.trailing;
  full.insert(full.begin(), shape.rows);
  std::string perRow = tensorText({shape.rows}, types.statistics());
  std::string perColumn = tensorText(shape.trailing, types.statistics());
  return {"column",
          "nn.layer_norm_backward_params",
          "axis = 1 : i64",
          {tensorText(full, types.other), tensorText(full, types.main), perRow, perRow},
          {perColumn, perColumn}};
}

void checkLayerNorm(const OpKernel &kernel, int64_t rows, int64_t columns, const Buffers &b) {
  for (int64_t column = 0; column < columns; ++column) {
    Real product = 0, sum = 0, largestProduct = 0, largest = 0;
    for (int64_t row = 0; row < rows; ++row) {
      Real grad = b[0].get(row * columns + column), x = b[1].get(row * columns + column);
      Real term = grad * (x - b[2].get(row)) * b[3].get(row);
      product += term, sum += grad;
      largestProduct +=
          std::abs(grad) * (std::abs(x) + std::abs(Real(b[2].get(row)))) * std::abs(b[3].get(row));
      largest += std::abs(grad);
    }
    double terms = double(rows) + kFormula;
    expectNear(b[4], column, double(product),
               tolerance(kernel, b[4], double(product), terms, double(largestProduct)));
    expectNear(b[5], column, double(sum), tolerance(kernel, b[5], double(sum), terms, double(largest)));
  }
}

TEST(ColumnKernels, LayerNormBackwardParams) {
  const std::vector<Columns> shapes = {{1, {1}},   {1, {33}},   {5, {1}},   {3, {17}},
                                       {4, {64}},  {7, {100}},  {8, {32}},  {9, {3, 41}},
                                       {30, {31}}, {6, {2100}}, {2, {4096}}};
  for (const Columns &shape : shapes)
    for (const Types &types : kTypes) {
      OpKernel kernel = layerNormKernel(shape, types);
      auto fill = [](Buffers &b) {
        for (unsigned i = 0; i < 4; ++i)
          b[i].fillRandom(i + 1, 2);
      };
      runAtAllLevels(kernel, fill, [&](const Buffers &b) {
        checkLayerNorm(kernel, shape.rows, elementsOf(shape.trailing), b);
      });
    }
}

//===----------------------------------------------------------------------===//
// Batch normalisation
//===----------------------------------------------------------------------===//

/// Channels with few pixels are summed another way than those with many, in groups if they are many.
const std::vector<std::vector<int64_t>> kImages = {
    {1, 1},          {2, 3},         {4, 1},         {5, 7},       {64, 33},       {3, 2500},
    {2, 3, 1, 1},    {2, 3, 4, 4},   {3, 5, 7, 9},   {2, 4, 8, 8}, {1, 2, 11, 13}, {3, 2, 5},
    {2, 2, 2, 3, 4}, {3, 100, 6, 7}, {2, 3, 16, 16}, {1, 1, 1, 1}, {2, 2, 40, 3}};

/// What the checks loop over: elements of one channel.
struct Channel {
  std::vector<int64_t> places;
  Channel(llvm::ArrayRef<int64_t> shape, int64_t channel) {
    int64_t pixels = elementsOf(shape.drop_front(2));
    for (int64_t image = 0; image < shape[0]; ++image)
      for (int64_t pixel = 0; pixel < pixels; ++pixel)
        places.push_back((image * shape[1] + channel) * pixels + pixel);
  }
  int64_t count() const { return int64_t(places.size()); }
};

constexpr double kEps = 1e-3, kMomentum = 0.125;

OpKernel statisticsKernel(llvm::ArrayRef<int64_t> shape, const Types &types) {
  std::string running = tensorText({shape[1]}, types.other);
  std::string statistics = tensorText({shape[1]}, types.statistics());
  return {"column",
          "nn.batch_norm_stats",
          "eps = 1.0e-03 : f64, momentum = 1.25e-01 : f64",
          {tensorText(shape, types.main), running, running},
          {statistics, statistics, running, running}};
}

void checkStatistics(const OpKernel &kernel, llvm::ArrayRef<int64_t> shape, const Buffers &b) {
  for (int64_t c = 0; c < shape[1]; ++c) {
    Channel channel(shape, c);
    Real n = Real(channel.count()), mean = 0, squares = 0, largest = 0;
    for (int64_t at : channel.places) {
      mean += b[0].get(at) / n;
      largest = std::max(largest, std::abs(Real(b[0].get(at))));
    }
    for (int64_t at : channel.places)
      squares += (b[0].get(at) - mean) * (b[0].get(at) - mean);
    Real rstd = 1 / std::sqrt(squares / n + Real(kEps)), unbiased = n > 1 ? squares / (n - 1) : 0;
    double terms = double(n) + kFormula;
    auto expect = [&](size_t operand, Real exact, Real scale) {
      expectNear(b[operand], c, double(exact),
                 tolerance(kernel, b[operand], double(exact), terms, double(scale)));
    };
    expect(3, mean, largest);
    expect(4, rstd, rstd * (1 + largest * rstd));
    expect(5, (1 - kMomentum) * b[1].get(c) + kMomentum * mean, largest + std::abs(b[1].get(c)));
    Real varianceError = unbiased + largest * std::sqrt(unbiased);
    expect(6, (1 - kMomentum) * b[2].get(c) + kMomentum * unbiased, varianceError + std::abs(b[2].get(c)));
  }
}

TEST(ColumnKernels, BatchNormStats) {
  for (const std::vector<int64_t> &shape : kImages)
    for (const Types &types : kTypes) {
      OpKernel kernel = statisticsKernel(shape, types);
      auto fill = [](Buffers &b) {
        for (unsigned i = 0; i < 3; ++i)
          b[i].fillRandom(i + 1, 2);
      };
      runAtAllLevels(kernel, fill, [&](const Buffers &b) { checkStatistics(kernel, shape, b); });
    }
}

/// The variance is taken about the mean, whichever way the channel is summed.
TEST(ColumnKernels, BatchNormStatsOfOffsetValues) {
  const std::vector<std::vector<int64_t>> shapes = {{100, 3}, {4, 3, 5, 5}, {2, 3, 10, 10}};
  for (const std::vector<int64_t> &shape : shapes) {
    OpKernel kernel = statisticsKernel(shape, {"f32", "f32"});
    auto fill = [](Buffers &b) {
      for (unsigned i = 0; i < 3; ++i)
        b[i].fillRandom(i + 1, 1);
      for (int64_t i = 0; i < b[0].size(); ++i)
        b[0].set(i, b[0].get(i) + 4096);
    };
    runAtAllLevels(kernel, fill, [&](const Buffers &b) { checkStatistics(kernel, shape, b); });
  }
}

TEST(ColumnKernels, BatchNormStatsKeepNanInItsChannel) {
  const std::vector<std::vector<int64_t>> shapes = {{4, 3}, {2, 3, 5, 5}, {2, 3, 10, 10}};
  for (const std::vector<int64_t> &shape : shapes) {
    int64_t pixels = elementsOf(llvm::ArrayRef<int64_t>(shape).drop_front(2));
    auto fill = [&](Buffers &b) {
      for (unsigned i = 0; i < 3; ++i)
        b[i].fillRandom(i + 1, 1);
      b[0].set(pixels, std::nan(""));
    };
    runAtAllLevels(statisticsKernel(shape, {"bf16", "f32"}), fill, [&](const Buffers &b) {
      for (size_t operand : {3u, 4u, 5u, 6u})
        for (int64_t c = 0; c < 3; ++c)
          EXPECT_EQ(std::isnan(b[operand].get(c)), c == 1) << "channel " << c << " of operand " << operand;
    });
  }
}

TEST(ColumnKernels, BatchNormBackwardParams) {
  for (const std::vector<int64_t> &shape : kImages)
    for (const Types &types : kTypes) {
      std::string statistics = tensorText({shape[1]}, types.statistics());
      OpKernel kernel{"column",
                      "nn.batch_norm_backward_params",
                      "",
                      {tensorText(shape, types.other), tensorText(shape, types.main), statistics, statistics},
                      {statistics, statistics}};
      auto fill = [](Buffers &b) {
        for (unsigned i = 0; i < 4; ++i)
          b[i].fillRandom(i + 1, 2);
      };
      auto check = [&](const Buffers &b) {
        for (int64_t c = 0; c < shape[1]; ++c) {
          Channel channel(shape, c);
          Real product = 0, sum = 0, productSize = 0, size = 0, mean = b[2].get(c), rstd = b[3].get(c);
          for (int64_t at : channel.places) {
            Real grad = b[0].get(at), x = b[1].get(at);
            product += grad * (x - mean) * rstd, sum += grad;
            productSize += std::abs(grad) * (std::abs(x) + std::abs(mean)) * std::abs(rstd);
            size += std::abs(grad);
          }
          double terms = double(channel.count()) + kFormula;
          expectNear(b[4], c, double(product),
                     tolerance(kernel, b[4], double(product), terms, double(productSize)));
          expectNear(b[5], c, double(sum), tolerance(kernel, b[5], double(sum), terms, double(size)));
        }
      };
      runAtAllLevels(kernel, fill, check);
    }
}

} // namespace
