// The forms in which updates keep values: split masters, weights in 16 bits, and stochastic rounding, against
// formulas on bits that are written here once more.
#include "OpKernel.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <map>
#include <sstream>

using namespace halfstep::test;

namespace {

constexpr int64_t kCount = 4096;

/// w -= lr * g for one parameter of `kCount` elements.
struct Sgd {
  std::string param, stored, gradient = "f32"; ///< `stored`: attributes of the parameter
  int64_t first = -1;                          ///< stochastic from this element on; -1: not

  std::string module() const {
    std::string count = std::to_string(kCount), g = "tensor<" + count + "x" + gradient + ">";
    std::string attribute = first < 0 ? "" : ", stochastic = " + std::to_string(first) + " : i64";
    return "train.param @w : tensor<" + count + "x" + param + "> {" + stored +
           "init = #train.init<kind = \"constant\", a = 0.0 : f64, b = 0.0 : f64>}\nfunc.func @f(%x: " + g +
           ", %f: tensor<i32>, %n: tensor<f64>) {\ntrain.kernel \"update\" (%x, %f, %n) : (" + g +
           ", tensor<i32>, tensor<f64>) -> () {\n^bb0(%a: " + g +
           ", %c: tensor<i32>, %d: tensor<f64>):\ntrain.update [@w] gradients(%a : " + g +
           ") guard(%c : tensor<i32>) norm(%d : tensor<f64>) {optimizer = #train.optimizer<kind = \"sgd\", "
           "constants = {}>" +
           attribute + "}\ntrain.yield\n}\nreturn\n}\n";
  }
};

const Sgd kSplit{"f32", "copy_type = bf16, split, "}, kSeparate{"f32", "copy_type = bf16, "};

/// The step's scalars, for a gradient that needs no unscaling.
void fillScalars(Buffers &b, double rate, double update = 1, double seed = 0) {
  b[1].set(0, 0);
  b[2].set(0, 0);
  b[3].set(0, rate);
  b[4].set(0, 1);
  b[5].set(0, 0);
  b[6].set(0, update);
  b[7].set(0, 1);
  if (b[8].type() == "i64")
    b[8].set(0, seed);
}

template <typename T>
T bitsAt(const Buffer &buffer, int64_t i) {
  T bits;
  std::memcpy(&bits, static_cast<const char *>(buffer.data()) + i * int64_t(sizeof bits), sizeof bits);
  return bits;
}

template <typename T>
void setBits(Buffer &buffer, int64_t i, T bits) {
  std::memcpy(static_cast<char *>(buffer.data()) + i * int64_t(sizeof bits), &bits, sizeof bits);
}

/// Bit patterns of f32 from all over: every exponent, ties of the split, the ends, infinities and NaNs.
uint32_t pattern(int64_t i) {
  static const uint32_t special[] = {0x00000000, 0x80000000, 0x00000001, 0x00008000, 0x00007fff, 0x3f808000,
                                     0x3f818000, 0x3f807fff, 0xbf808000, 0x7f7fffff, 0x7f7f8000, 0x7f7f7fff,
                                     0x7f800000, 0xff800000, 0x7fc00000, 0x7fffffff, 0xffffffff, 0x7fc08000};
  if (i < int64_t(std::size(special)))
    return special[i];
  uint64_t bits = uint64_t(i) * 0xd1342543de82ef95;
  return uint32_t(bits ^ bits >> 29);
}

bool isNan(uint32_t bits) { return (bits & 0x7fffffff) > 0x7f800000; }

/// The two halves of a value by the rule of the description of train.param.
struct Halves {
  uint16_t high, low;
};
Halves halvesOf(uint32_t bits) { return {uint16_t((uint64_t(bits) + 0x8000) >> 16), uint16_t(bits)}; }

} // namespace

//===----------------------------------------------------------------------===//
// Split masters
//===----------------------------------------------------------------------===//

TEST(UpdateStorage, SplitMastersSurviveAnUpdateThatAddsNothing) {
  auto fill = [](Buffers &b) {
    fillScalars(b, 1);
    b[0].fill([](int64_t) { return 0; });
    for (int64_t i = 0; i < kCount; ++i) {
      Halves halves = halvesOf(pattern(i));
      setBits(b[8], i, halves.low);
      setBits(b[9], i, halves.high);
    }
  };
  runAtAllLevels(kSplit.module(), fill, [](const Buffers &b) {
    for (int64_t i = 0; i < kCount; ++i) {
      uint32_t bits = pattern(i);
      auto high = bitsAt<uint16_t>(b[9], i), low = bitsAt<uint16_t>(b[8], i);
      // A NaN is not split by that rule; what the update stores must still be one, in both views.
      Halves halves = halvesOf(bits);
      uint32_t read = (uint32_t(halves.high) << 16) + uint32_t(int32_t(int16_t(halves.low)));
      ASSERT_EQ(read, bits);
      if (isNan(bits)) {
        EXPECT_TRUE(isNan(uint32_t(high) << 16)) << std::hex << bits;
        EXPECT_TRUE(isNan((uint32_t(high) << 16) + uint32_t(int32_t(int16_t(low))))) << std::hex << bits;
      } else {
        EXPECT_EQ(high, halves.high) << std::hex << bits;
        EXPECT_EQ(low, halves.low) << std::hex << bits;
      }
    }
  });
}

TEST(UpdateStorage, ASplitMasterIsTheSeparateOneBitForBit) {
  for (const halfstep::CpuLevel *level : hostLevels()) {
    JitKernel split(kSplit.module(), *level), separate(kSeparate.module(), *level);
    Buffers a = split.makeBuffers(), b = separate.makeBuffers();
    fillScalars(a, 0.01);
    fillScalars(b, 0.01);
    b[8].fillRandom(3, 2);
    for (int64_t i = 0; i < kCount; ++i) {
      Halves halves = halvesOf(bitsAt<uint32_t>(b[8], i));
      setBits(a[8], i, halves.low);
      setBits(a[9], i, halves.high);
    }
    int64_t ties = 0;
    for (unsigned step = 0; step < 20; ++step) {
      a[0].fillRandom(step);
      b[0].fillRandom(step);
      split.run(a);
      separate.run(b);
      for (int64_t i = 0; i < kCount; ++i) {
        auto bits = bitsAt<uint32_t>(b[8], i);
        Halves halves = halvesOf(bits);
        ASSERT_EQ(bitsAt<uint16_t>(a[8], i), halves.low);
        ASSERT_EQ(bitsAt<uint16_t>(a[9], i), halves.high);
        bool tie = halves.low == 0x8000;
        ties += tie;
        if (!tie)
          ASSERT_EQ(bitsAt<uint16_t>(b[9], i), halves.high) << "copies differ only on ties";
      }
    }
    EXPECT_LT(ties, 20) << "one in 65536 at random";
  }
}

TEST(UpdateStorage, GradientsInF64DoNotChangeTheForm) {
  Sgd wide = kSplit;
  wide.gradient = "f64";
  auto fill = [](Buffers &b) {
    fillScalars(b, 0.5);
    for (int64_t i = 0; i < kCount; ++i) {
      Halves halves = halvesOf(std::bit_cast<uint32_t>(1 + float(i) * 0x1p-12f));
      setBits(b[8], i, halves.low);
      setBits(b[9], i, halves.high);
    }
    b[0].fill([](int64_t i) { return double(i) * 0x1p-14; });
  };
  runAtAllLevels(wide.module(), fill, [](const Buffers &b) {
    for (int64_t i = 0; i < kCount; ++i) {
      Halves halves = halvesOf(std::bit_cast<uint32_t>(1 + float(i) * 0x1p-12f - float(i) * 0x1p-15f));
      ASSERT_EQ(bitsAt<uint16_t>(b[8], i), halves.low);
      ASSERT_EQ(bitsAt<uint16_t>(b[9], i), halves.high);
    }
  });
}

//===----------------------------------------------------------------------===//
// Stochastic rounding
//===----------------------------------------------------------------------===//

namespace {

uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

/// The random number of element n, as the description of train.update has it.
uint32_t randomNumber(uint64_t seed, uint64_t update, uint32_t n) {
  uint64_t key = mix(seed + 0x9e3779b97f4a7c15 * update);
  uint32_t x = n ^ uint32_t(key);
  x = ((x ^ (x >> 16)) * 0x7feb352d) ^ uint32_t(key >> 32);
  return (x ^ (x >> 15)) * 0x846ca68b;
}

/// `value` rounded with a random number: exact arithmetic in double on multiples of the type's spacing.
double roundedWith(double value, const std::string &type, uint32_t random) {
  int digits = type == "bf16" ? 8 : 11, least = type == "bf16" ? -133 : -24, exponent;
  double largest = type == "bf16" ? 0x1.fep127 : 65504, magnitude = std::abs(value);
  if (!(magnitude < largest))
    return magnitude < 65536 || (type == "bf16" && magnitude < 0x1p128) ? std::copysign(largest, value)
           : std::isnan(value)                                          ? value
                                                                        : std::copysign(INFINITY, value);
  std::frexp(magnitude, &exponent);
  double spacing = std::ldexp(1, std::max(exponent - digits, least));
  int bits = type == "bf16" ? 16 : 13;
  double share = std::ldexp(double(random >> (32 - bits)), -bits);
  return std::copysign(std::floor(magnitude / spacing + share) * spacing, value);
}

Sgd stochastic(const std::string &type, int64_t first = 0) { return {type, "", "f32", first}; }

} // namespace

// Sgd with rate 1 stores w - g rounded once to f32: with w = 0, any f32 value.
TEST(UpdateStorage, StochasticRoundingFollowsItsFormula) {
  for (const std::string type : {"bf16", "f16"})
    for (auto [first, update, seed] : {std::tuple<int64_t, double, double>{0, 1, 0}, {96, 7, 123456789}}) {
      auto value = [&](int64_t i) {
        float wide = std::bit_cast<float>(pattern(i));
        // f16 has fewer exponents: patterns between 2^-27 and 2^18 show more of it.
        int exponent;
        double fraction = std::frexp(double(wide), &exponent);
        return type == "f16" && i % 8 ? std::ldexp(fraction, int(i % 45) - 27) : double(wide);
      };
      auto fill = [&](Buffers &b) {
        fillScalars(b, 1, update, seed);
        b[0].fill([&](int64_t i) { return -value(i); });
        b[9].fill([](int64_t) { return 0; });
      };
      runAtAllLevels(stochastic(type, first).module(), fill, [&](const Buffers &b) {
        for (int64_t i = 0; i < kCount; ++i) {
          double exact = float(value(i));
          // A subnormal f32 may be read as zero; in f16's own range 2^-14 is added, which rounds to 2^-37.
          if (std::abs(exact) < 0x1p-126 || (type == "f16" && std::abs(exact) < 0x1p-14))
            continue;
          double expected =
              roundedWith(exact, type, randomNumber(uint64_t(seed), uint64_t(update), uint32_t(first + i)));
          if (std::isnan(expected))
            EXPECT_TRUE(std::isnan(b[9].get(i))) << "element " << i;
          else
            EXPECT_EQ(b[9].get(i), expected) << "element " << i << ", " << exact;
        }
      });
    }
}

TEST(UpdateStorage, StochasticRoundingOfSubnormalsKeepsTheirSpacing) {
  auto value = [](int64_t i) { return double((i % 2 ? -1 : 1) * (i + 0.25)) * 0x1p-26; };
  auto fill = [&](Buffers &b) {
    fillScalars(b, 1);
    b[0].fill([&](int64_t i) { return -value(i); });
    b[9].fill([](int64_t) { return 0; });
  };
  runAtAllLevels(stochastic("f16").module(), fill, [&](const Buffers &b) {
    for (int64_t i = 0; i < kCount; ++i)
      EXPECT_EQ(b[9].get(i), roundedWith(value(i), "f16", randomNumber(0, 1, uint32_t(i))))
          << "element " << i;
  });
}

// The number of values that go up is binomial: within 6 standard deviations.
TEST(UpdateStorage, StochasticRoundingIsUnbiased) {
  constexpr int kSteps = 32;
  struct Case {
    std::string type;
    double below, spacing;
  };
  for (const Case &c : {Case{"bf16", 1, 0x1p-7},
                        {"bf16", -3, -0x1p-6},
                        {"bf16", 0x1p-60, 0x1p-67},
                        {"f16", 1, 0x1p-10},
                        {"f16", -1000, -0.5},
                        {"f16", 0x1p-20, 0x1p-24}})
    for (double share : {0x1p-10, 0.1, 0.5, 0.75, 0.999}) {
      SCOPED_TRACE(c.type + " " + std::to_string(c.below) + " " + std::to_string(share));
      static std::map<std::string, JitKernel> compiled;
      auto found = compiled.find(c.type);
      if (found == compiled.end())
        found = compiled.emplace(c.type, JitKernel(stochastic(c.type).module(), *hostLevels().back())).first;
      double up = 0, total = kSteps * kCount;
      for (int step = 1; step <= kSteps; ++step) {
        Buffers b = found->second.makeBuffers();
        fillScalars(b, 1, step, 42);
        b[0].fill([&](int64_t) { return -share * c.spacing; });
        b[9].fill([&](int64_t) { return c.below; });
        found->second.run(b);
        for (int64_t i = 0; i < kCount; ++i) {
          double got = b[9].get(i);
          ASSERT_TRUE(got == c.below || got == c.below + c.spacing) << got;
          up += got != c.below;
        }
      }
      // What is added is a f32, and the random number has 13 or 16 bits.
      double exact = (double(float(c.below + share * c.spacing)) - c.below) / c.spacing;
      double least = c.type == "bf16" ? 0x1p-16 : 0x1p-13;
      EXPECT_NEAR(up / total, exact, 6 * std::sqrt(exact * (1 - exact) / total) + least);
    }
}

TEST(UpdateStorage, RandomNumbersOfStepsSeedsAndNeighboursAreIndependent) {
  // Of two independent fair coins, half agree: within 6 standard deviations.
  auto agreement = [](auto first, auto second) {
    double agree = 0;
    for (uint32_t n = 0; n < 65536; ++n)
      agree += (first(n) >> 31) == (second(n) >> 31);
    return agree / 65536;
  };
  auto base = [](uint32_t n) { return randomNumber(1, 5, n); };
  double bound = 6 * 0.5 / 256;
  for (uint32_t distance : {1u, 2u, 32u, 4096u})
    EXPECT_NEAR(agreement(base, [&](uint32_t n) { return randomNumber(1, 5, n + distance); }), 0.5, bound);
  for (uint64_t later : {1, 2, 100})
    EXPECT_NEAR(agreement(base, [&](uint32_t n) { return randomNumber(1, 5 + later, n); }), 0.5, bound);
  EXPECT_NEAR(agreement(base, [&](uint32_t n) { return randomNumber(2, 5, n); }), 0.5, bound);
}

TEST(UpdateStorage, ManySmallUpdatesMoveWeightsThatNearestRoundingWouldKeep) {
  for (bool random : {false, true}) {
    JitKernel code(Sgd{"bf16", "", "f32", random ? 0 : -1}.module(), *hostLevels().back());
    Buffers b = code.makeBuffers();
    size_t weights = random ? 9 : 8;
    b[weights].fill([](int64_t) { return 1; });
    b[0].fill([](int64_t) { return -0x1p-12; }); // 1/32 of the spacing at 1
    for (int step = 1; step <= 256; ++step) {
      fillScalars(b, 1, step);
      code.run(b);
    }
    double sum = 0;
    for (int64_t i = 0; i < kCount; ++i)
      sum += b[weights].get(i);
    // A weight's 256 draws go up with probability 1/32: 8 spacings on average, variance 7.75 spacings^2.
    double deviation = std::sqrt(7.75 / double(kCount)) * 0x1p-7;
    EXPECT_NEAR(sum / double(kCount), random ? 1 + 8 * 0x1p-7 : 1, random ? 6 * deviation : 0);
  }
}

//===----------------------------------------------------------------------===//
// The guard
//===----------------------------------------------------------------------===//

TEST(UpdateStorage, ASkippedStepTouchesNoBitInAnyForm) {
  for (const Sgd &form : {kSplit, kSeparate, stochastic("bf16"), stochastic("f16"), Sgd{"bf16", ""}}) {
    auto fill = [](Buffers &b) {
      fillScalars(b, 1);
      b[1].set(0, 1);
      b[0].fill([](int64_t i) { return i ? 1 : INFINITY; });
      for (size_t k = 8; k < b.size(); ++k)
        if (b[k].size() == kCount)
          for (int64_t i = 0; i < kCount; ++i)
            b[k].type() == "f32" ? setBits(b[k], i, pattern(i)) : setBits(b[k], i, uint16_t(pattern(i) >> 9));
    };
    runAtAllLevels(form.module(), fill, [&](const Buffers &b) {
      Buffers before;
      for (const Buffer &buffer : b)
        before.emplace_back(buffer.type(), buffer.size());
      fill(before);
      for (size_t k = 8; k < b.size(); ++k)
        EXPECT_TRUE(b[k].sameBits(before[k])) << "operand " << k;
    });
  }
}

TEST(UpdateStorage, SplitAndStochasticUpdatesUseVectorsOfTheLevel) {
  for (auto [form, instruction] :
       {std::pair{kSplit, "vpaddd"}, {stochastic("bf16"), "vpmulld"}, {stochastic("f16"), "vpmulld"}})
    for (const halfstep::CpuLevel *level : hostLevels()) {
      JitKernel code(form.module(), *level, {.keepAssembly = true});
      std::string wide = level->vectorBits == 512 ? "%zmm" : "%ymm", line;
      bool found = false;
      for (std::istringstream text(code.assembly()); std::getline(text, line);)
        found |= line.find(instruction) != std::string::npos && line.find(wide) != std::string::npos;
      EXPECT_TRUE(found) << code.assembly();
      EXPECT_EQ(code.assembly().find("$__"), std::string::npos) << "calls a support function of the compiler";
    }
}
