// Updates of a small group of parameters, against a rule in double.
#ifndef HALFSTEP_TESTS_CODEGEN_UPDATECASES_H
#define HALFSTEP_TESTS_CODEGEN_UPDATECASES_H

#include "OpKernel.h"

#include <cmath>
#include <functional>

namespace halfstep::test {

/// Types of an update group, and what the step gives it.
struct Group {
  std::string param, copy, gradient;
  double invScale = 1, clipNorm = 0;
  int found = 0, guard = 1;
};

inline const std::vector<Group> kGroups = {
    {"f32", "", "f32"},          {"f32", "bf16", "bf16"},          {"f64", "", "f64"},
    {"bf16", "", "bf16"},        {"f32", "f16", "f16", 0x1p-10},   {"f32", "", "f32", 0.1, 0.5},
    {"f32", "", "bf16", 1, 1e9}, {"f64", "", "f32", 1.0 / 3, 0.25}};

/// An update of two parameters, 70 and 5 elements: 96 + 32 in memory.
constexpr int64_t kElements = 128;

/// An update by `kind` with `constants`, as the text of a dictionary has them.
inline std::string updateModule(const Group &group, const std::string &kind, const std::string &constants) {
  auto tensors = [&](const std::string &type) { return "tensor<70x" + type + ">, tensor<5x" + type + ">"; };
  std::string copy = group.copy.empty() ? "" : "copy_type = " + group.copy + ", ";
  auto param = [&](const std::string &name, const std::string &extent) {
    return "train.param @" + name + " : tensor<" + extent + "x" + group.param + "> {" + copy +
           "init = #train.init<kind = \"constant\", a = 0.0 : f64, b = 0.0 : f64>}\n";
  };
  std::string g = group.gradient, types = tensors(g) + ", tensor<i32>, tensor<f64>";
  return param("v", "70") + param("w", "5") + "func.func @f(%x: tensor<70x" + g + ">, %y: tensor<5x" + g +
         ">, %f: tensor<i32>, %n: tensor<f64>) {\ntrain.kernel \"update\" (%x, %y, %f, %n) : (" + types +
         ") -> () {\n^bb0(%a: tensor<70x" + g + ">, %b: tensor<5x" + g +
         ">, %c: tensor<i32>, %d: tensor<f64>):\ntrain.update [@v, @w] gradients(%a, %b : " + tensors(g) +
         ") guard(%c : tensor<i32>) norm(%d : tensor<f64>) {optimizer = #train.optimizer<kind = \"" + kind +
         "\", constants = {" + constants + "}>}\ntrain.yield\n}\nreturn\n}\n";
}

constexpr double kRate = 0.01, kUpdate = 3;

inline void fillUpdate(Buffers &b, const Group &group) {
  b[0].fillRandom(1, 1 / group.invScale);
  b[1].set(0, group.found);
  double sum = 0;
  for (int64_t i = 0; i < b[0].size(); ++i)
    sum += b[0].get(i) * b[0].get(i);
  b[2].set(0, sum);
  b[3].set(0, kRate);
  b[4].set(0, group.invScale);
  b[5].set(0, group.clipNorm);
  b[6].set(0, kUpdate);
  b[7].set(0, group.guard);
  for (size_t i = 8; i < b.size(); ++i)
    b[i].fill([&](int64_t at) { return 0.01 * double((at * 37 + int64_t(i) * 11) % 100) + 0.001; });
}

/// The gradient that the rule sees.
inline double unscaled(const Buffers &b, int64_t at) {
  double inverse = b[4].get(0), limit = b[5].get(0), norm = std::sqrt(b[2].get(0)) * inverse;
  double factor = limit > 0 ? std::min(1.0, limit / (norm + 1e-6)) : 1;
  return b[0].get(at) * inverse * factor;
}

/// New value and slots of an element from the old ones.
using Rule = std::function<std::vector<double>(double g, const std::vector<double> &old, double rate)>;

/// Buffers of the values and slots: behind eight operands, without the working copy.
inline std::vector<size_t> stateBuffers(const Buffers &b, const Group &group) {
  std::vector<size_t> state = {8};
  for (size_t i = group.copy.empty() ? 9 : 10; i < b.size(); ++i)
    state.push_back(i);
  return state;
}

/// `prepare` changes what the buffers hold before.
inline void checkUpdate(const Group &group, const std::string &kind, const std::string &constants,
                        size_t slots, const Rule &rule, const std::function<void(Buffers &)> &prepare = {}) {
  auto fill = [&](Buffers &b) {
    fillUpdate(b, group);
    if (prepare)
      prepare(b);
  };
  runAtAllLevels(updateModule(group, kind, constants), fill, [&](const Buffers &b) {
    std::vector<size_t> state = stateBuffers(b, group);
    ASSERT_EQ(state.size(), slots + 1);
    ASSERT_EQ(b[0].size(), kElements);
    Buffers old;
    for (const Buffer &buffer : b)
      old.emplace_back(buffer.type(), buffer.size());
    fill(old);
    bool isDouble = group.param == "f64" || group.gradient == "f64";
    double unit = unitRoundoff(isDouble ? "f64" : "f32");
    for (int64_t i = 0; i < kElements; ++i) {
      std::vector<double> before;
      for (size_t part : state)
        before.push_back(old[part].get(i));
      std::vector<double> after =
          group.found && group.guard ? before : rule(unscaled(b, i), before, old[3].get(0));
      for (size_t part = 0; part < state.size(); ++part)
        expectNear(b[state[part]], i, after[part],
                   8 * unit * 2 + unitRoundoff(group.param) * std::abs(after[part]));
      if (!group.copy.empty() && !(group.found && group.guard)) {
        Buffer rounded(group.copy, 1);
        rounded.set(0, b[8].get(i));
        EXPECT_EQ(b[9].get(i), rounded.get(0)) << "working copy of element " << i;
      }
    }
  });
}

} // namespace halfstep::test

#endif // HALFSTEP_TESTS_CODEGEN_UPDATECASES_H
