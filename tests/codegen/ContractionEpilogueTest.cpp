// Products with element-wise ops where their sums are stored, against the same formulas in double.
#include "OpKernel.h"

#include <cmath>

using namespace halfstep::test;

namespace {

struct Shape {
  int64_t m, n, k;
};

/// The second is summed in blocks of depth.
constexpr Shape shapes[] = {{31, 45, 67}, {150, 40, 2101}, {1, 3, 2}, {5, 64, 8}};

/// Ops behind %p, the product in type T, that also read %r, a tensor of its shape in type R.
struct Epilogue {
  std::string ops;                  ///< T*, R* and F* stand for the product's shape in T, R and f32
  std::vector<std::string> yielded; ///< values
  std::vector<std::string> types;   ///< "T", "R" or "F" of each
  /// What is yielded, for a sum and the element of %r.
  std::function<double(double, double)> formula;
};

std::string replaced(std::string text, const std::string &name, const std::string &by) {
  for (size_t at; (at = text.find(name)) != std::string::npos;)
    text.replace(at, name.size(), by);
  return text;
}

std::string joined(const std::vector<std::string> &parts) {
  std::string text;
  for (const std::string &part : parts)
    text += (text.empty() ? "" : ", ") + part;
  return text;
}

/// x: m x k, y: n x k.
std::string moduleOf(const Epilogue &epilogue, Shape s, const std::string &type, const std::string &other) {
  std::string x = "tensor<" + tensorText({s.m, s.k}, type) + ">",
              y = "tensor<" + tensorText({s.n, s.k}, type) + ">";
  std::vector<std::string> results;
  for (const std::string &each : epilogue.types)
    results.push_back(each + "*");
  std::string signature = "(" + x + ", " + y + ", R*) -> (" + joined(results) + ")";
  std::string text =
      "func.func @f(%x: " + x + ", %y: " + y + ", %z: R*) {\n  %k:" + std::to_string(results.size()) +
      " = train.kernel \"contraction\" (%x, %y, %z) : " + signature + " {\n  ^bb0(%a: " + x + ", %b: " + y +
      ", %r: R*):\n    %p = nn.matmul %a, %b {transpose_b} : (" + x + ", " + y + ") -> T*\n" + epilogue.ops +
      "    train.yield " + joined(epilogue.yielded) + " : " + joined(results) + "\n  }\n  return\n}\n";
  for (const auto &[name, element] : {std::pair("T*", type), {"R*", other}, {"F*", std::string("f32")}})
    text = replaced(text, name, "tensor<" + tensorText({s.m, s.n}, element) + ">");
  return text;
}

/// One rounding at the store; k of partial sums, whose errors add up like a random walk, and three of the
/// formula. No formula here makes an error greater.
double allowed(const Buffer &stored, double exact, double magnitude, int64_t terms) {
  double unit = unitRoundoff(stored.type() == "f64" ? "f64" : "f32");
  double least = stored.type() == "f16" ? 0x1p-24 : 0x1p-126;
  return unitRoundoff(stored.type()) * std::abs(exact) + unit * (std::sqrt(double(terms)) + 5) * magnitude +
         least;
}

void expectResults(const Epilogue &epilogue, Shape s, const Buffers &buffers) {
  // Of long sums a few, from all rows and columns.
  int64_t stride = s.k > 1000 ? 37 : 1;
  for (int64_t i = 0; i < s.m * s.n && !testing::Test::HasFailure(); i += stride) {
    double sum = 0, magnitude = std::abs(buffers[2].get(i));
    for (int64_t d = 0; d < s.k; ++d) {
      double term = buffers[0].get(i / s.n * s.k + d) * buffers[1].get(i % s.n * s.k + d);
      sum += term;
      magnitude += std::abs(term);
    }
    double exact = epilogue.formula(sum, buffers[2].get(i));
    for (size_t result = 3; result < buffers.size(); ++result)
      expectNear(buffers[result], i, exact, allowed(buffers[result], exact, magnitude, s.k));
  }
}

void check(const Epilogue &epilogue, const std::string &type, const std::string &other) {
  for (Shape s : shapes)
    runAtAllLevels(
        moduleOf(epilogue, s, type, other),
        [](Buffers &buffers) {
          for (unsigned i = 0; i < 3; ++i)
            buffers[i].fillRandom(i + 1);
        },
        [&](const Buffers &buffers) { expectResults(epilogue, s, buffers); });
}

TEST(ContractionEpilogue, Relu) {
  Epilogue relu{
      "    %q = nn.relu %p : (T*) -> T*\n", {"%q"}, {"T"}, [](double p, double) { return std::max(p, 0.0); }};
  for (const char *type : {"f32", "f64", "bf16", "f16"})
    check(relu, type, type);
}

TEST(ContractionEpilogue, GradientOfRelu) {
  Epilogue masked{"    %q = nn.relu_backward %p, %r : (T*, T*) -> T*\n",
                  {"%q"},
                  {"T"},
                  [](double p, double r) { return r > 0 ? p : 0.0; }};
  for (const char *type : {"f32", "f64", "bf16", "f16"})
    check(masked, type, type);
}

TEST(ContractionEpilogue, WiderResidualWithoutARoundingBefore) {
  Epilogue residual{"    %w = amp.cast %p : T* to R*\n"
                    "    %q = nn.add %w, %r : (R*, R*) -> R*\n",
                    {"%q"},
                    {"R"},
                    [](double p, double r) { return p + r; }};
  check(residual, "bf16", "f32");
  check(residual, "f16", "f32");
}

TEST(ContractionEpilogue, TwoResultsOfSeveralOps) {
  Epilogue several{"    %w = amp.cast %p : T* to F*\n"
                   "    %o = amp.cast %r : R* to F*\n"
                   "    %c = nn.constant {value = dense<0.25> : F*} : () -> F*\n"
                   "    %s = nn.mul %w, %c : (F*, F*) -> F*\n"
                   "    %q = nn.sub %s, %o : (F*, F*) -> F*\n"
                   "    %n = amp.cast %q : F* to T*\n",
                   {"%q", "%n"},
                   {"F", "T"},
                   [](double p, double r) { return 0.25 * p - r; }};
  check(several, "bf16", "f16");
  check(several, "f16", "bf16");
}

} // namespace
