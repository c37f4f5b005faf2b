// Kernels of one op, run every way in which the runtime may run them.
#include "OpKernel.h"

#include <cfloat>
#include <cmath>

namespace halfstep::test {

std::string tensorText(llvm::ArrayRef<int64_t> shape, const std::string &element) {
  std::string text;
  for (int64_t extent : shape)
    text += std::to_string(extent) + "x";
  return text + element;
}

int64_t elementsOf(llvm::ArrayRef<int64_t> shape) {
  int64_t count = 1;
  for (int64_t extent : shape)
    count *= extent;
  return count;
}

static std::string list(size_t count, const std::function<std::string(size_t)> &item) {
  std::string text;
  for (size_t i = 0; i < count; ++i)
    text += (i ? ", " : "") + item(i);
  return text;
}

static std::string types(const std::vector<std::string> &shapes) {
  return list(shapes.size(), [&](size_t i) { return "tensor<" + shapes[i] + ">"; });
}

/// A function with one kernel; its region, whose arguments are %b0 and so on, holds `body`.
static std::string kernelFunction(const std::string &kind, const std::vector<std::string> &operands,
                                  const std::vector<std::string> &results, const std::string &body,
                                  const std::string &yields) {
  auto named = [&](const char *prefix) {
    return list(operands.size(),
                [&](size_t i) { return prefix + std::to_string(i) + ": tensor<" + operands[i] + ">"; });
  };
  return "func.func @f(" + named("%a") + ") {\n  %k:" + std::to_string(results.size()) +
         " = train.kernel \"" + kind + "\" (" +
         list(operands.size(), [](size_t i) { return "%a" + std::to_string(i); }) + ") : (" +
         types(operands) + ") -> (" + types(results) + ") {\n  ^bb0(" + named("%b") + "):\n" + body +
         "\n    train.yield " + yields + " : " + types(results) + "\n  }\n  return\n}\n";
}

std::string OpKernel::module() const {
  std::string body = "    %r:" + std::to_string(results.size()) + " = " + op + " " +
                     list(operands.size(), [](size_t i) { return "%b" + std::to_string(i); }) + " {" +
                     attributes + "} : (" + types(operands) + ") -> (" + types(results) + ")";
  return kernelFunction(kind, operands, results, body,
                        list(results.size(), [](size_t i) { return "%r#" + std::to_string(i); }));
}

std::string RegionKernel::module() const {
  return "module attributes {amp.policy = #amp.policy<name = \"bf16-mixed\", params = f32, compute = bf16, "
         "casts = true, lists = \"cpu\", rounding = \"" +
         rounding + "\", scaler = false, scale = 1.0 : f64>} {\n" +
         kernelFunction(kind, operands, results, body, yields) + "}\n";
}

static void runAllWays(const JitKernel &code, const std::function<void(Buffers &)> &fill,
                       const std::function<void(const Buffers &)> &check) {
  Buffers whole = code.makeBuffers(), cut = code.makeBuffers();
  fill(whole);
  fill(cut);
  code.run(whole);
  code.run(cut, 1);
  for (size_t i = 0; i < whole.size(); ++i) {
    EXPECT_TRUE(whole[i].sameBits(cut[i])) << "operand " << i << " depends on how the items are cut";
    EXPECT_TRUE(whole[i].guardsIntact() && cut[i].guardsIntact()) << "operand " << i;
  }
  check(whole);
}

static void runFillings(const std::string &module, llvm::ArrayRef<std::function<void(Buffers &)>> fills,
                        const std::function<void(const Buffers &)> &check) {
  for (const CpuLevel *level : hostLevels()) {
    SCOPED_TRACE(module + level->name.str());
    JitKernel code(module, *level);
    for (const auto &fill : fills)
      runAllWays(code, fill, check);
  }
}

void runAtAllLevels(const std::string &module, const std::function<void(Buffers &)> &fill,
                    const std::function<void(const Buffers &)> &check) {
  runFillings(module, fill, check);
}

void runAtAllLevels(const OpKernel &kernel, const std::function<void(Buffers &)> &fill,
                    const std::function<void(const Buffers &)> &check) {
  runFillings(kernel.module(), fill, check);
}

void runAtAllLevels(const OpKernel &kernel, const std::vector<std::function<void(Buffers &)>> &fills,
                    const std::function<void(const Buffers &)> &check) {
  runFillings(kernel.module(), fills, check);
}

static bool computesInDouble(const OpKernel &kernel) {
  auto isDouble = [](const std::string &type) { return llvm::StringRef(type).ends_with("f64"); };
  return llvm::any_of(kernel.operands, isDouble) || llvm::any_of(kernel.results, isDouble);
}

double tolerance(const OpKernel &kernel, const Buffer &stored, double exact, double terms, double scale) {
  double unit = computesInDouble(kernel) ? unitRoundoff("f64") : unitRoundoff("f32");
  // Below the smallest normal number a level may round to zero.
  double least = stored.type() == "f16" ? 0x1p-24 : double(FLT_MIN);
  return unitRoundoff(stored.type()) * std::abs(exact) + 4 * unit * std::sqrt(terms) * scale + least;
}

void expectNear(const Buffer &stored, int64_t at, double exact, double tolerance) {
  double got = stored.get(at);
  if (std::isnan(exact))
    EXPECT_TRUE(std::isnan(got)) << "element " << at << " is " << got;
  else if (std::isinf(exact))
    EXPECT_EQ(got, exact) << "element " << at;
  else
    EXPECT_LE(std::abs(got - exact), tolerance) << "element " << at << " is " << got << " and not " << exact;
}

} // namespace halfstep::test
