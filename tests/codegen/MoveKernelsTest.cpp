// Transposition, splitting and joining: every element, unchanged, in its place.
#include "OpKernel.h"

using namespace halfstep::test;

namespace {

using Shape = std::vector<int64_t>;

std::string arrayText(const Shape &values) {
  std::string text = "array<i64";
  for (size_t i = 0; i < values.size(); ++i)
    text += (i ? ", " : ": ") + std::to_string(values[i]);
  return text + ">";
}

/// Numbers that differ and that every float type holds: the indices below 2048, with NaN's neighbours left
/// out.
void number(Buffer &buffer, int64_t first = 0) {
  buffer.fill([&](int64_t i) { return double((first + i) % 251); });
}

int64_t transposedFrom(const Shape &input, const Shape &perm, int64_t at) {
  std::vector<int64_t> place(input.size());
  for (size_t i = perm.size(); i-- > 0;) {
    int64_t extent = input[size_t(perm[i])];
    place[size_t(perm[i])] = at % extent;
    at /= extent;
  }
  int64_t index = 0;
  for (size_t i = 0; i < input.size(); ++i)
    index = index * input[i] + place[i];
  return index;
}

} // namespace

TEST(MoveKernels, Transpose) {
  struct Case {
    Shape input, perm;
  };
  const Case cases[] = {{{3, 5}, {1, 0}},
                        {{40, 33}, {1, 0}},
                        {{1, 7}, {1, 0}},
                        {{2, 3, 4}, {0, 2, 1}},
                        {{2, 17, 18}, {2, 1, 0}},
                        {{2, 5, 3, 8}, {0, 2, 1, 3}},
                        {{2, 3, 4, 5}, {3, 1, 0, 2}},
                        {{2, 3}, {0, 1}},
                        {{20, 3, 17}, {1, 0, 2}},
                        {{1, 1}, {1, 0}},
                        {{3, 20, 2, 19}, {0, 3, 2, 1}}};
  for (const Case &c : cases)
    for (const std::string &type : {"f32", "bf16"}) {
      Shape result;
      for (int64_t dim : c.perm)
        result.push_back(c.input[size_t(dim)]);
      OpKernel kernel{"move",
                      "nn.transpose",
                      "perm = " + arrayText(c.perm),
                      {tensorText(c.input, type)},
                      {tensorText(result, type)}};
      runAtAllLevels(
          kernel, [](Buffers &b) { number(b[0]); },
          [&](const Buffers &b) {
            for (int64_t i = 0; i < b[1].size(); ++i)
              EXPECT_EQ(b[1].get(i), b[0].get(transposedFrom(c.input, c.perm, i))) << i;
          });
    }
}

namespace {

/// A whole that is cut along `axis` into pieces of `sizes`.
struct Cut {
  Shape whole, sizes;
  int64_t axis;

  int64_t outer() const { return elementsOf(llvm::ArrayRef(whole).take_front(size_t(axis))); }
  int64_t inner() const { return elementsOf(llvm::ArrayRef(whole).drop_front(size_t(axis) + 1)); }
  std::vector<std::string> pieces(const std::string &type) const {
    std::vector<std::string> types;
    for (int64_t size : sizes) {
      Shape shape = whole;
      shape[size_t(axis)] = size;
      types.push_back(tensorText(shape, type));
    }
    return types;
  }
  /// The buffers are the pieces from `first` on, and the whole.
  void check(const Buffers &b, size_t first, const Buffer &all) const {
    for (int64_t row = 0, at = 0; row < outer(); ++row)
      for (size_t piece = 0; piece < sizes.size(); ++piece)
        for (int64_t i = 0, length = sizes[piece] * inner(); i < length; ++i, ++at)
          EXPECT_EQ(b[first + piece].get(row * length + i), all.get(at)) << at;
  }
};

const std::vector<Cut> kCuts = {{{2, 12}, {1, 3, 8}, 1},  {{6, 5}, {1, 2, 3}, 0}, {{2, 3, 4}, {2, 1}, 1},
                                {{1, 9}, {4, 5}, 1},      {{3, 40}, {20, 20}, 1}, {{5}, {5}, 0},
                                {{2, 2, 6, 3}, {1, 5}, 2}};

} // namespace

TEST(MoveKernels, Split) {
  for (const Cut &cut : kCuts)
    for (const std::string &type : {"f32", "bf16", "f64"}) {
      OpKernel kernel{"move",
                      "nn.split",
                      "axis = " + std::to_string(cut.axis) + " : i64, sizes = " + arrayText(cut.sizes),
                      {tensorText(cut.whole, type)},
                      cut.pieces(type)};
      runAtAllLevels(
          kernel, [](Buffers &b) { number(b[0]); }, [&](const Buffers &b) { cut.check(b, 1, b[0]); });
    }
}

TEST(MoveKernels, Concat) {
  for (const Cut &cut : kCuts)
    for (const std::string &type : {"f32", "bf16", "f64"}) {
      OpKernel kernel{"move",
                      "nn.concat",
                      "axis = " + std::to_string(cut.axis) + " : i64",
                      cut.pieces(type),
                      {tensorText(cut.whole, type)}};
      auto fill = [&](Buffers &b) {
        for (size_t i = 0; i < cut.sizes.size(); ++i)
          number(b[i], int64_t(i) * 100);
      };
      runAtAllLevels(kernel, fill, [&](const Buffers &b) { cut.check(b, 0, b.back()); });
    }
}

TEST(MoveKernels, KeepDenormalNumbers) {
  OpKernel kernel{"move", "nn.transpose", "perm = array<i64: 1, 0>", {"2x20xbf16"}, {"20x2xbf16"}};
  auto fill = [](Buffers &b) { b[0].fill([](int64_t i) { return double(i) * 0x1p-133; }); };
  runAtAllLevels(kernel, fill, [](const Buffers &b) {
    for (int64_t i = 0; i < 40; ++i)
      EXPECT_EQ(b[1].get(i), b[0].get(i % 2 * 20 + i / 2));
  });
}
