// Reshape targets: what is inferred, and where the batch goes when a file had fixed it.
#include "tests/import/Expect.h"

#include "import/GraphShapes.h"

namespace halfstep {
namespace {

const Place place{"test", 0, 0, "", 0};
const Dim batch{1, true};

Shape fixed(const std::vector<int64_t> &extents) {
  Shape shape;
  for (int64_t extent : extents)
    shape.push_back({extent, false});
  return shape;
}

std::string resolve(const Shape &input, const Shape &wanted, int64_t replaced = 0) {
  return toString(resolveReshape(input, wanted, /*zeroIsExtent=*/false, replaced, place));
}

TEST(GraphShapes, ZeroCopiesAndMinusOneIsInferred) {
  Shape input = {batch, {6, false}, {4, false}};
  EXPECT_EQ(resolve(input, fixed({0, -1})), "[N, 24]");
  EXPECT_EQ(resolve(input, fixed({-1, 4})), "[6*N, 4]");
  EXPECT_EQ(resolve(input, {batch, {2, false}, {-1, false}}), "[N, 2, 12]");
}

TEST(GraphShapes, FixedBatchIsReboundWhereItStands) {
  Shape input = {batch, {6, false}, {4, false}};
  EXPECT_EQ(resolve(input, fixed({8, 24}), 8), "[N, 24]");
  EXPECT_EQ(resolve(input, fixed({8, -1}), 8), "[N, 24]");
  EXPECT_EQ(resolve(input, fixed({-1, 24}), 8), "[N, 24]");
  EXPECT_EQ(resolve(input, fixed({48, 4}), 8), "[6*N, 4]");
  EXPECT_EQ(resolve(input, fixed({8, 3, 2, 4}), 8), "[N, 3, 2, 4]");
  EXPECT_EQ(resolve(input, fixed({1, 8, 24}), 8), "[1, N, 24]");
}

TEST(GraphShapes, FixedBatchInsideIsFoundByItsNeighbours) {
  Shape input = {{16, false}, batch, {32, false}};
  EXPECT_EQ(resolve(input, fixed({16, 8, 4, 8}), 8), "[16, N, 4, 8]");
  EXPECT_EQ(resolve(input, fixed({128, 32}), 8), "[16*N, 32]");
}

TEST(GraphShapes, ReshapeThatMixesTheBatchIsRefused) {
  expectDiagnostic(ExitCode::BadInput, {"fixes the batch to 8", "use --batch 8"},
                   [] { resolve({batch, {6, false}}, fixed({6, 8}), 8); });
  expectDiagnostic(ExitCode::BadInput, {"cannot reshape [N, 6] to [7, -1]"},
                   [] { resolve({batch, {6, false}}, fixed({7, -1})); });
}

TEST(GraphShapes, SizesBeyondTheLimitAreRefused) {
  expectDiagnostic(ExitCode::BadInput, {"more than"},
                   [] { countElements(fixed({1 << 30, 1 << 30}), "test"); });
  expectDiagnostic(ExitCode::BadInput, {"below 1"}, [] { countElements(fixed({4, 0}), "test"); });
}

} // namespace
} // namespace halfstep
