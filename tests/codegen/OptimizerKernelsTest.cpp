// The formulas of the optimizers that are not in UpdateKernelsTest.cpp, and what all of them do with a
// gradient.
#include "UpdateCases.h"

#include <algorithm>
#include <cmath>

using namespace halfstep::test;

TEST(OptimizerKernels, Adam) {
  const std::string constants = "beta2 = 0.9 : f64, weight_decay = 0.25 : f64";
  for (bool amsgrad : {false, true})
    for (const Group &group : kGroups)
      checkUpdate(group, "adam", constants + (amsgrad ? ", amsgrad = true" : ""), amsgrad ? 3 : 2,
                  [&](double g, const std::vector<double> &old, double rate) -> std::vector<double> {
                    g += 0.25 * old[0];
                    double m = 0.9 * old[1] + 0.1 * g, v = 0.9 * old[2] + 0.1 * g * g;
                    double largest = amsgrad ? std::max(old[3], v) : v;
                    double divisor = std::sqrt(largest) / std::sqrt(1 - std::pow(0.9, kUpdate)) + 1e-8;
                    std::vector<double> updated = {old[0] - rate / (1 - std::pow(0.9, kUpdate)) * m / divisor,
                                                   m, v};
                    if (amsgrad)
                      updated.push_back(largest);
                    return updated;
                  });
}

TEST(OptimizerKernels, Adagrad) {
  for (const Group &group : kGroups)
    checkUpdate(group, "adagrad", "lr_decay = 0.5 : f64, weight_decay = 0.125 : f64", 1,
                [](double g, const std::vector<double> &old, double rate) -> std::vector<double> {
                  g += 0.125 * old[0];
                  double sum = old[1] + g * g, slowed = rate / (1 + (kUpdate - 1) * 0.5);
                  return {old[0] - slowed * g / (std::sqrt(sum) + 1e-10), sum};
                });
}

TEST(OptimizerKernels, Rmsprop) {
  for (bool momentum : {false, true})
    for (bool centered : {false, true})
      for (const Group &group : kGroups) {
        std::string constants = "alpha = 0.75 : f64, eps = 0.5 : f64, weight_decay = 0.125 : f64";
        constants +=
            std::string(momentum ? ", momentum = 0.5 : f64" : "") + (centered ? ", centered = true" : "");
        checkUpdate(
            group, "rmsprop", constants, 1 + momentum + centered,
            [&](double g, const std::vector<double> &old, double rate) {
              g += 0.125 * old[0];
              double square = 0.75 * old[1] + 0.25 * g * g;
              double average = centered ? 0.75 * old.back() + 0.25 * g : 0;
              double spread = std::max(square - average * average, 0.0);
              double step = g / (std::sqrt(spread) + 0.5);
              if (momentum)
                step += 0.5 * old[2];
              std::vector<double> updated = {old[0] - rate * step, square};
              if (momentum)
                updated.push_back(step);
              if (centered)
                updated.push_back(average);
              return updated;
            },
            [&](Buffers &b) {
              // A variance that is far from 0: its rounding error is then no more than that of its terms.
              if (centered) {
                b[b.size() - 2 - momentum].fill([](int64_t i) { return 0.5 + 0.01 * double(i % 50); });
                b.back().fill([](int64_t i) { return 0.002 * double(i % 50); });
              }
            });
      }
}

TEST(OptimizerKernels, ElementsAreClippedAfterUnscalingAndRatesAreScaled) {
  for (const Group &group : kGroups)
    checkUpdate(group, "sgd", "clip_value = 0.25 : f64, lr_scale = 4.0 : f64", 0,
                [](double g, const std::vector<double> &old, double rate) -> std::vector<double> {
                  return {old[0] - 4 * rate * std::clamp(g, -0.25, 0.25)};
                });
}
