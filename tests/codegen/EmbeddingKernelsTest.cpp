// Rows of a table, and the sums of their gradients in one order.
#include "RowCases.h"

using namespace halfstep::test;

namespace {

struct Table {
  int64_t rows, columns, places;
};

const std::vector<Table> kTables = {{1, 1, 1}, {3, 5, 7},   {10, 16, 1},    {256, 24, 40},
                                    {2, 1, 9}, {70, 3, 64}, {1000, 40, 17}, {17, 600, 5}};

void fillIds(Buffer &ids, int64_t rows) {
  // Some rows several times, the last among them, others never.
  ids.fill([&](int64_t i) { return double(i % 3 == 0 ? rows - 1 : (i * 7 + 3) % rows); });
}

TEST(EmbeddingKernels, LookupCopiesRows) {
  for (const Table &t : kTables)
    for (const std::string &type : {"f32", "f64", "bf16", "f16"}) {
      OpKernel kernel{"embedding",
                      "nn.embedding",
                      "",
                      {tensorText({t.rows, t.columns}, type), tensorText({t.places}, "i64")},
                      {tensorText({t.places, t.columns}, type)}};
      auto fill = [&](Buffers &b) {
        b[0].fillRandom(1);
        fillIds(b[1], t.rows);
      };
      runAtAllLevels(kernel, fill, [&](const Buffers &b) {
        for (int64_t i = 0; i < b[2].size(); ++i) {
          int64_t row = int64_t(b[1].get(i / t.columns));
          EXPECT_EQ(b[2].get(i), b[0].get(row * t.columns + i % t.columns)) << "element " << i;
        }
      });
    }
}

/// Ids of two dimensions, so that their places are counted over both.
TEST(EmbeddingKernels, BackwardSumsByRow) {
  for (const Table &t : kTables)
    for (const std::string &type : {"f32", "f64", "bf16", "f16"}) {
      OpKernel kernel{"embedding",
                      "nn.embedding_backward",
                      "rows = " + std::to_string(t.rows) + " : i64",
                      {tensorText({1, t.places, t.columns}, type), tensorText({1, t.places}, "i64")},
                      {tensorText({t.rows, t.columns}, type)}};
      auto fill = [&](Buffers &b) {
        b[0].fillRandom(1);
        fillIds(b[1], t.rows);
      };
      runAtAllLevels(kernel, fill, [&](const Buffers &b) {
        for (int64_t i = 0; i < b[2].size(); ++i) {
          Real sum = 0, scale = 0;
          for (int64_t place = 0; place < t.places; ++place)
            if (int64_t(b[1].get(place)) == i / t.columns) {
              Real grad = b[0].get(place * t.columns + i % t.columns);
              sum += grad;
              scale += std::abs(grad);
            }
          expectNear(b[2], i, double(sum),
                     tolerance(kernel, b[2], double(sum), double(t.places), double(scale)));
        }
      });
    }
}

} // namespace
