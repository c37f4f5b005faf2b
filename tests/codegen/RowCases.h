// The shapes and types on which the row kernels are tested.
#ifndef HALFSTEP_TESTS_CODEGEN_ROWCASES_H
#define HALFSTEP_TESTS_CODEGEN_ROWCASES_H

#include "OpKernel.h"

#include <limits>

namespace halfstep::test {

using Real = long double;
inline constexpr double kInfinity = std::numeric_limits<double>::infinity(),
                        kNan = std::numeric_limits<double>::quiet_NaN();
/// Roundings of a formula besides those of its sums.
inline constexpr double kFormula = 12;

/// A matrix whose rows are the leading dimensions.
struct Rows {
  std::vector<int64_t> leading, trailing;
  int64_t count() const { return elementsOf(leading); }
  int64_t length() const { return elementsOf(trailing); }
  std::string full(const std::string &type) const {
    std::vector<int64_t> shape = leading;
    shape.insert(shape.end(), trailing.begin(), trailing.end());
    return tensorText(shape, type);
  }
  std::string vector(const std::string &type) const { return tensorText(trailing, type); }
  std::string perRow(const std::string &type) const { return tensorText(leading, type); }
};

inline const std::vector<Rows> kShapes = {
    {{1}, {1}},  {{5}, {1}},    {{1}, {7}},  {{2}, {4}},   {{2, 3}, {16}}, {{4}, {17}},  {{}, {9}},
    {{3}, {33}}, {{2}, {2, 5}}, {{7}, {64}}, {{3}, {100}}, {{2}, {3, 47}}, {{2}, {1000}}};
/// Rows of which the classes or the softmax are the last dimension.
inline std::vector<Rows> flatShapes() {
  std::vector<Rows> shapes;
  for (Rows shape : kShapes) {
    while (shape.trailing.size() > 1) {
      shape.leading.push_back(shape.trailing.front());
      shape.trailing.erase(shape.trailing.begin());
    }
    shapes.push_back(shape);
  }
  return shapes;
}

/// The type of an op's main operand and that of its companions.
struct Types {
  std::string main, other;
  std::string statistics() const { return main == "f64" ? "f64" : "f32"; }
};
inline const std::vector<Types> kTypes = {{"f32", "f32"},  {"f64", "f64"}, {"bf16", "bf16"},
                                          {"bf16", "f32"}, {"f16", "f32"}, {"f32", "f64"}};

inline void forEachCase(const std::vector<Rows> &shapes,
                        const std::function<void(const Rows &, const Types &)> &body) {
  for (const Rows &shape : shapes)
    for (const Types &types : kTypes)
      body(shape, types);
}

inline void fillAll(Buffers &buffers, size_t inputs, double range) {
  for (size_t i = 0; i < inputs; ++i)
    buffers[i].fillRandom(unsigned(17 * i + 3), range);
}

} // namespace halfstep::test

#endif // HALFSTEP_TESTS_CODEGEN_ROWCASES_H
