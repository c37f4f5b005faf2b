// nn.matmul kernels against sums in double, over shapes, layouts, element types and instruction levels.
#include "Jit.h"

#include <cmath>
#include <gtest/gtest.h>
#include <iterator>
#include <limits>
#include <sstream>

using namespace halfstep;
using namespace halfstep::test;

namespace {

struct Product {
  int64_t batch = 1, m = 1, n = 1, k = 1;
  bool transposeA = false, transposeB = false;
  bool bias = false;
  /// One right operand of rank 2 for the whole batch.
  bool shared = false;
};

std::string tensor(const std::string &type, std::vector<int64_t> shape) {
  std::string text = "tensor<";
  for (int64_t extent : shape)
    text += std::to_string(extent) + "x";
  return text + type + ">";
}

std::vector<int64_t> operandShape(const Product &p, int64_t rows, int64_t columns, bool transposed,
                                  bool batched) {
  std::vector<int64_t> shape;
  if (batched && p.batch > 1)
    shape.push_back(p.batch);
  shape.push_back(transposed ? columns : rows);
  shape.push_back(transposed ? rows : columns);
  return shape;
}

std::string moduleOf(const Product &p, const std::string &type, const std::string &biasType) {
  std::string a = tensor(type, operandShape(p, p.m, p.k, p.transposeA, true));
  std::string b = tensor(type, operandShape(p, p.k, p.n, p.transposeB, !p.shared));
  std::string c = tensor(type, operandShape(p, p.m, p.n, false, true)), bias = tensor(biasType, {p.n});
  std::string types = "(" + a + ", " + b + (p.bias ? ", " + bias : "") + ") -> " + c;
  std::string flags = std::string(p.transposeA ? " transpose_a" : "") +
                      (p.transposeA && p.transposeB ? "," : "") + (p.transposeB ? " transpose_b" : "");
  std::ostringstream text;
  text << "func.func @f(%x: " << a << ", %y: " << b << ", %z: " << bias << ") -> " << c << " {\n"
       << "  %r = train.kernel \"contraction\" (%x, %y" << (p.bias ? ", %z" : "") << ") : " << types << " {\n"
       << "  ^bb0(%a: " << a << ", %b: " << b << (p.bias ? ", %c: " + bias : "") << "):\n"
       << "    %p = nn.matmul %a, %b" << (p.bias ? ", %c" : "") << (flags.empty() ? "" : " {" + flags + " }")
       << " : " << types << "\n"
       << "    train.yield %p : " << c << "\n  }\n  return %r : " << c << "\n}\n";
  return text.str();
}

/// The sum for one element, and the sum of the magnitudes of what is added.
struct Reference {
  double sum = 0, magnitude = 0;
  void add(double term) {
    sum += term;
    magnitude += std::abs(term);
  }
};

using Values = std::vector<double>;

Values valuesOf(const Buffer &buffer) {
  Values values;
  for (int64_t i = 0; i < buffer.size(); ++i)
    values.push_back(buffer.get(i));
  return values;
}

Reference reference(const Product &p, const std::vector<Values> &operands, int64_t batch, int64_t row,
                    int64_t column) {
  Reference result;
  int64_t aBase = batch * p.m * p.k, bBase = p.shared ? 0 : batch * p.k * p.n;
  for (int64_t i = 0; i < p.k; ++i) {
    int64_t a = aBase + (p.transposeA ? i * p.m + row : row * p.k + i);
    int64_t b = bBase + (p.transposeB ? column * p.k + i : i * p.n + column);
    result.add(operands[0][a] * operands[1][b]);
  }
  if (p.bias)
    result.add(operands[2][column]);
  return result;
}

/// One rounding at the store, and k + 1 of partial sums whose errors add up like a random walk. None of them
/// exceeds the sum of magnitudes; the 2 makes the bound strict where k is too small for statistics.
double tolerance(const Reference &exact, const std::string &type, int64_t terms) {
  double sums = unitRoundoff(type == "f64" ? "f64" : "f32") * (std::sqrt(double(terms)) + 2);
  return unitRoundoff(type) * std::abs(exact.sum) + sums * exact.magnitude;
}

void expectProduct(const Product &p, const std::vector<Buffer> &operands) {
  const Buffer &result = operands.back();
  std::vector<Values> inputs;
  for (size_t i = 0; i + 1 < operands.size(); ++i)
    inputs.push_back(valuesOf(operands[i]));
  int failures = 0;
  for (int64_t i = 0; i < result.size() && failures < 3; ++i) {
    int64_t batch = i / (p.m * p.n), row = i / p.n % p.m, column = i % p.n;
    Reference exact = reference(p, inputs, batch, row, column);
    double allowed = tolerance(exact, result.type(), p.k + 1);
    if (!(std::abs(result.get(i) - exact.sum) <= allowed)) {
      ADD_FAILURE() << "element (" << batch << ", " << row << ", " << column << ") is " << result.get(i)
                    << ", expected " << exact.sum << " within " << allowed;
      ++failures;
    }
  }
}

std::string moduleOf(const Product &p, const std::string &type) { return moduleOf(p, type, type); }

std::string describe(const Product &p, const std::string &type, const CpuLevel &level) {
  std::ostringstream text;
  text << p.batch << " x " << p.m << "x" << p.n << "x" << p.k << (p.transposeA ? " A'" : "")
       << (p.transposeB ? " B'" : "") << (p.bias ? " bias" : "") << (p.shared ? " shared" : "") << " " << type
       << " " << level.name.str();
  return text.str();
}

void check(const Product &p, const std::string &type, const CpuLevel &level, const std::string &moduleText) {
  SCOPED_TRACE(describe(p, type, level));
  JitKernel kernel(moduleText, level);
  std::vector<Buffer> operands = kernel.makeBuffers();
  for (size_t i = 0; i + 1 < operands.size(); ++i)
    operands[i].fillRandom(unsigned(i) + 1);
  kernel.run(operands);
  expectProduct(p, operands);
  std::vector<Buffer> cut = kernel.makeBuffers();
  for (int64_t chunk : {int64_t(1), int64_t(3)}) {
    for (size_t i = 0; i + 1 < cut.size(); ++i)
      cut[i].fillRandom(unsigned(i) + 1);
    kernel.run(cut, chunk);
    EXPECT_TRUE(cut.back().sameBits(operands.back())) << "cut into ranges of " << chunk;
  }
  for (const Buffer &buffer : operands)
    EXPECT_TRUE(buffer.guardsIntact());
}

void checkAll(const Product &p) {
  for (const CpuLevel *level : hostLevels())
    for (const char *type : {"f32", "f64", "bf16", "f16"})
      check(p, type, *level, moduleOf(p, type));
}

TEST(Contraction, SizesOfOneAndBelowATile) {
  checkAll({.m = 1, .n = 1, .k = 1});
  checkAll({.m = 1, .n = 37, .k = 5, .bias = true});
  checkAll({.m = 33, .n = 1, .k = 7});
  checkAll({.m = 2, .n = 3, .k = 1, .transposeA = true});
  checkAll({.m = 5, .n = 10, .k = 3, .transposeB = true, .bias = true});
}

TEST(Contraction, TailsInEveryExtentAndEveryTranspose) {
  for (bool transposeA : {false, true})
    for (bool transposeB : {false, true}) {
      checkAll({.m = 31, .n = 45, .k = 67, .transposeA = transposeA, .transposeB = transposeB, .bias = true});
      checkAll({.m = 57, .n = 97, .k = 20, .transposeA = transposeA, .transposeB = transposeB});
    }
}

TEST(Contraction, WholeTiles) {
  checkAll({.m = 28, .n = 64, .k = 32, .bias = true});
  checkAll({.m = 64, .n = 32, .k = 64, .transposeB = true});
}

TEST(Contraction, RowsOfOneTwoAndThreeVectors) {
  checkAll({.m = 40, .n = 16, .k = 24});
  checkAll({.m = 19, .n = 24, .k = 9, .transposeB = true});
  checkAll({.m = 19, .n = 48, .k = 9});
  checkAll({.m = 7, .n = 48, .k = 33});
  checkAll({.m = 3, .n = 130, .k = 15, .transposeB = true});
}

TEST(Contraction, Batches) {
  for (bool transposeA : {false, true})
    for (bool transposeB : {false, true})
      checkAll({.batch = 3, .m = 17, .n = 33, .k = 21, .transposeA = transposeA, .transposeB = transposeB});
  checkAll({.batch = 4, .m = 6, .n = 35, .k = 8, .bias = true, .shared = true});
  checkAll({.batch = 5, .m = 1, .n = 8, .k = 4, .transposeB = true});
}

TEST(Contraction, LongSums) {
  checkAll({.m = 15, .n = 33, .k = 2051});
  checkAll({.m = 30, .n = 20, .k = 4096, .transposeA = true});
  checkAll({.m = 30, .n = 65, .k = 2048, .transposeB = true, .bias = true});
}

TEST(Contraction, RowsThatDoNotFitIntoScratchAtOnce) {
  checkAll({.m = 70, .n = 65, .k = 16384, .transposeA = true});
}

TEST(Contraction, RowsThatLeaveTheCacheMeetColumnsInGroups) {
  checkAll({.m = 700, .n = 150, .k = 301, .transposeA = true});
  checkAll({.m = 700, .n = 130, .k = 300, .transposeB = true, .bias = true});
}

TEST(Contraction, RowsThatLeaveTheCacheAreSummedInBlocksOfDepth) {
  checkAll({.m = 150, .n = 70, .k = 2101, .bias = true});
  checkAll({.batch = 2, .m = 150, .n = 45, .k = 2048, .transposeA = true, .transposeB = true});
}

TEST(Contraction, ManyPanels) {
  checkAll({.m = 130, .n = 200, .k = 70, .bias = true});
  checkAll({.m = 256, .n = 80, .k = 64, .transposeA = true});
}

TEST(Contraction, BiasOfAnotherType) {
  const Product p{.m = 9, .n = 21, .k = 11, .bias = true};
  const char *pairs[][2] = {{"bf16", "f32"}, {"f32", "bf16"}, {"f16", "f32"},
                            {"f32", "f16"},  {"f16", "bf16"}, {"bf16", "f16"}};
  for (const CpuLevel *level : hostLevels())
    for (auto [type, biasType] : pairs)
      check(p, type, *level, moduleOf(p, type, biasType));
}

TEST(Contraction, NonFiniteElementsReachTheirRowsAndColumnsOnly) {
  for (const CpuLevel *level : hostLevels())
    for (const char *type : {"f32", "f64", "bf16", "f16"}) {
      Product p{.m = 16, .n = 40, .k = 9};
      SCOPED_TRACE(describe(p, type, *level));
      JitKernel kernel(moduleOf(p, type), *level);
      std::vector<Buffer> operands = kernel.makeBuffers();
      operands[0].fill([](int64_t) { return 1.0; });
      operands[1].fill([](int64_t) { return 1.0; });
      operands[0].set(3 * p.k + 4, std::nan(""));
      operands[1].set(8 * p.n + 7, std::numeric_limits<double>::infinity());
      kernel.run(operands);
      for (int64_t i = 0; i < p.m * p.n; ++i) {
        double value = operands.back().get(i);
        bool isNan = i / p.n == 3, isInfinite = i % p.n == 7;
        EXPECT_EQ(std::isnan(value), isNan) << i;
        EXPECT_EQ(std::isinf(value), isInfinite && !isNan) << i;
      }
    }
}

/// Two summands, and what their sum is in a 16-bit type.
struct Rounding {
  double first, second, sum;
};

void expectRoundings(const std::string &type, const std::vector<Rounding> &cases) {
  // Once as they are, once in whole vectors.
  for (int64_t columns : {int64_t(cases.size()), int64_t(64)})
    for (const CpuLevel *level : hostLevels()) {
      Product p{.m = 1, .n = columns, .k = 2};
      JitKernel kernel(moduleOf(p, type), *level);
      std::vector<Buffer> operands = kernel.makeBuffers();
      auto caseOf = [&](int64_t column) { return cases[size_t(column) % cases.size()]; };
      operands[0].fill([](int64_t) { return 1.0; });
      operands[1].fill([&](int64_t i) { return i < columns ? caseOf(i).first : caseOf(i - columns).second; });
      kernel.run(operands);
      for (int64_t i = 0; i < columns; ++i)
        EXPECT_EQ(operands.back().get(i), caseOf(i).sum) << i << " " << level->name.str();
    }
}

TEST(Contraction, Bf16IsRoundedToNearestEven) {
  const double large = 0x1.fep127;
  expectRoundings("bf16", {
                              {1, 0x1p-8, 1},
                              {1 + 0x1p-7, 0x1p-8, 1 + 0x1p-6},
                              {1, -0x1p-9, 1},
                              {1 + 0x1p-7, 0x1.02p-8, 1 + 0x1p-6},
                              {large, large, std::numeric_limits<double>::infinity()},
                          });
}

TEST(Contraction, F16IsRoundedToNearestEvenOnce) {
  const double infinity = std::numeric_limits<double>::infinity();
  expectRoundings("f16", {
                             {1, 0x1p-11, 1},
                             {1 + 0x1p-10, 0x1p-11, 1 + 0x1p-9},
                             {1, 0x1.004p-11, 1 + 0x1p-10},
                             {1, -0x1p-12, 1},
                             // The largest value, the tie above it and what lies below the tie.
                             {65504, 16, infinity},
                             {65504, 15.9921875, 65504},
                             {65504, 65504, infinity},
                             {-65504, -65504, -infinity},
                             // Denormal values, as operands and as results.
                             {0x1p-24, 0x1p-24, 0x1p-23},
                             {0x1p-14, -0x1p-24, 0x1.ff8p-15},
                             {0x1p-14, -0x1p-15, 0x1p-15},
                         });
}

TEST(Contraction, F16ProductsBelowItsRangeAreRoundedOnce) {
  for (const CpuLevel *level : hostLevels()) {
    Product p{.m = 1, .n = 4, .k = 1};
    JitKernel kernel(moduleOf(p, "f16"), *level);
    std::vector<Buffer> operands = kernel.makeBuffers();
    const double factors[] = {0x1p-13, 0x1.004p-13, 0x1.8p-12, 0x1p-12},
                 products[] = {0, 0x1p-24, 0x1p-23, 0x1p-24};
    operands[0].set(0, 0x1p-12);
    operands[1].fill([&](int64_t i) { return factors[i]; });
    kernel.run(operands);
    for (int64_t i = 0; i < p.n; ++i)
      EXPECT_EQ(operands.back().get(i), products[i]) << i << " " << level->name.str();
  }
}

TEST(Contraction, F16SumsDoNotOverflowBeforeTheyAreStored) {
  for (const CpuLevel *level : hostLevels()) {
    Product p{.m = 20, .n = 40, .k = 4};
    JitKernel kernel(moduleOf(p, "f16"), *level);
    std::vector<Buffer> operands = kernel.makeBuffers();
    operands[0].fill([](int64_t i) { return i % 2 == 0 ? 60000.0 : -60000.0; });
    operands[1].fill([](int64_t) { return 50000.0; });
    kernel.run(operands);
    for (int64_t i = 0; i < p.m * p.n; ++i)
      EXPECT_EQ(operands.back().get(i), 0) << i;
  }
}

TEST(Contraction, RejectsTypesThatItCannotEmit) {
  const CpuLevel &level = cpuLevels().front();
  auto message = [&](const std::string &type, const std::string &biasType) -> std::string {
    try {
      JitKernel kernel(moduleOf({.m = 2, .n = 2, .k = 2, .bias = true}, type, biasType), level);
    } catch (const std::runtime_error &error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_NE(message("f64", "f32").find("bias of 'f32' beside operands of 'f64'"), std::string::npos)
      << message("f64", "f32");
}

/// The bodies of the innermost loops of assembly text: from a label to the jump back to it.
std::vector<std::string> innermostLoops(const std::string &assembly) {
  std::vector<std::string> loops;
  std::istringstream lines(assembly);
  std::string line, label, body;
  while (std::getline(lines, line)) {
    if (line.rfind(".LBB", 0) == 0) {
      label = line.substr(0, line.find(':'));
      body.clear();
      continue;
    }
    body += line + "\n";
    bool jumps = line.find("\tj") != std::string::npos;
    size_t at = label.empty() ? std::string::npos : line.find(label);
    if (jumps && at != std::string::npos && at + label.size() == line.size())
      loops.push_back(body);
  }
  return loops;
}

void expectSumsInRegisters(const std::string &moduleText, const CpuLevel &level) {
  JitKernel kernel(moduleText, level, {.keepAssembly = true});
  int products = 0;
  for (const std::string &loop : innermostLoops(kernel.assembly())) {
    if (loop.find("vfmadd") == std::string::npos && loop.find("vdpbf16ps") == std::string::npos)
      continue;
    ++products;
    EXPECT_EQ(loop.find("(%rsp"), std::string::npos) << loop;
  }
  EXPECT_GT(products, 0);
}

/// The module of a product with a ReLU where it is stored.
std::string withRelu(std::string moduleText, const Product &p, const std::string &type) {
  const std::string yield = "train.yield %p", c = tensor(type, operandShape(p, p.m, p.n, false, true));
  return moduleText.replace(moduleText.find(yield), yield.size(),
                            "%q = nn.relu %p : (" + c + ") -> " + c + "\n    train.yield %q");
}

TEST(Contraction, AccumulatorsStayInRegisters) {
  for (const CpuLevel *level : hostLevels())
    for (const char *type : {"f32", "f64", "bf16", "f16"})
      for (Product p : {Product{.m = 128, .n = 128, .k = 64, .transposeB = true, .bias = true},
                        Product{.m = 6, .n = 48, .k = 64}, Product{.m = 40, .n = 48, .k = 128},
                        Product{.m = 150, .n = 96, .k = 2048}}) {
        SCOPED_TRACE(describe(p, type, *level));
        std::string moduleText = moduleOf(p, type);
        expectSumsInRegisters(moduleText, *level);
        expectSumsInRegisters(withRelu(moduleText, p, type), *level);
      }
}

} // namespace
