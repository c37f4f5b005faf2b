// With eager rounding, an element-wise op on 16-bit floats is the op on f32, rounded once: bit for bit, for
// all operands, on all levels, alone and between others in a kernel.
#include "OpKernel.h"

#include <cmath>
#include <cstring>
#include <random>

using namespace halfstep::test;

namespace {

constexpr int64_t kAll = 65536;

/// An op on operands of type T, whose number is `arity`; further operands, as in `others`, have fixed types.
struct Op {
  std::string name, attributes;
  int arity;
  std::vector<std::string> others = {};
};

/// The types of a kernel of `op` on `count` elements; `type` stands for T.
OpKernel kernelOf(const Op &op, const std::string &type) {
  std::string text = std::to_string(kAll / 16) + "x16x" + type;
  OpKernel kernel{"map", op.name, op.attributes, std::vector<std::string>(size_t(op.arity), text), {text}};
  kernel.operands.insert(kernel.operands.end(), op.others.begin(), op.others.end());
  return kernel;
}

std::string eagerModule(const OpKernel &kernel) {
  std::string signature, arguments;
  for (size_t i = 0; i < kernel.operands.size(); ++i) {
    signature += (i ? ", tensor<" : "tensor<") + kernel.operands[i] + ">";
    arguments += (i ? ", %b" : "%b") + std::to_string(i);
  }
  return RegionKernel{"map",
                      kernel.operands,
                      kernel.results,
                      "    %r = " + kernel.op + " " + arguments + " {" + kernel.attributes + "} : (" +
                          signature + ") -> tensor<" + kernel.results[0] + ">",
                      "%r",
                      "eager"}
      .module();
}

void setBits(Buffer &buffer, const std::function<uint16_t(int64_t)> &bits) {
  for (int64_t i = 0; i < buffer.size(); ++i) {
    uint16_t value = bits(i);
    std::memcpy(static_cast<char *>(buffer.data()) + 2 * i, &value, sizeof value);
  }
}

/// First operand: all numbers there are. Others: any.
void fill(Buffers &buffers, const Op &op) {
  std::mt19937 random(1);
  setBits(buffers[0], [](int64_t i) { return uint16_t(i); });
  for (int i = 1; i < op.arity; ++i)
    setBits(buffers[size_t(i)], [&](int64_t) { return uint16_t(random()); });
  for (size_t i = size_t(op.arity); i + 1 < buffers.size(); ++i)
    buffers[i].fill([](int64_t at) { return double(at % 5) / 4 + 1; });
}

/// What the op gives in f32, rounded.
Buffer roundedOnce(const Op &op, const Buffers &narrow, const halfstep::CpuLevel &level) {
  JitKernel code(kernelOf(op, "f32").module(), level);
  Buffers wide = code.makeBuffers();
  for (size_t i = 0; i + 1 < wide.size(); ++i)
    wide[i].fill([&](int64_t at) { return narrow[i].get(at); });
  code.run(wide);
  Buffer result(narrow.back().type(), narrow.back().size());
  result.fill([&](int64_t at) { return wide.back().get(at); });
  return result;
}

void expectSameNumbers(const Buffer &got, const Buffer &expected) {
  int64_t wrong = 0;
  for (int64_t i = 0; i < got.size(); ++i) {
    double a = got.get(i), b = expected.get(i);
    bool isSame = std::isnan(b) ? std::isnan(a) : a == b && std::signbit(a) == std::signbit(b);
    if (!isSame && ++wrong <= 3)
      ADD_FAILURE() << "element " << i << " is " << a << " and not " << b;
  }
  EXPECT_EQ(wrong, 0);
}

const std::vector<Op> kOps = {
    {"nn.relu", "", 1},
    {"nn.tanh", "", 1},
    {"nn.sigmoid", "", 1},
    {"nn.silu", "", 1},
    {"nn.gelu", "", 1},
    {"nn.gelu", "tanh", 1},
    {"nn.copy", "", 1},
    {"nn.add", "", 2},
    {"nn.sub", "", 2},
    {"nn.mul", "", 2},
    {"nn.squared_error", "", 2},
    {"nn.dropout", "p = 0.3 : f64, id = 1 : i64", 1, {"i64", "i64"}},
    {"nn.batch_norm_apply", "", 1, {"16xf32", "16xf32", "16xf32", "16xf32"}},
    {"nn.batch_norm_inference", "eps = 1.0e-05 : f64", 1, {"16xf32", "16xf32", "16xf32", "16xf32"}},
};

} // namespace

TEST(EagerRounding, OpsAreRoundedOnce) {
  for (const Op &op : kOps)
    for (const std::string type : {"bf16", "f16"})
      for (const halfstep::CpuLevel *level : hostLevels()) {
        SCOPED_TRACE(op.name + " " + op.attributes + " of " + type + " on " + level->name.str());
        JitKernel code(eagerModule(kernelOf(op, type)), *level);
        Buffers buffers = code.makeBuffers();
        fill(buffers, op);
        code.run(buffers);
        expectSameNumbers(buffers.back(), roundedOnce(op, buffers, *level));
      }
}

/// A chain whose middle is not stored has the bits of its ops one by one, each through memory.
TEST(EagerRounding, OpsOfAChainAreRoundedOneByOne) {
  for (const std::string type : {"bf16", "f16"})
    for (const halfstep::CpuLevel *level : hostLevels()) {
      SCOPED_TRACE(type + " on " + level->name.str());
      std::string t = "tensor<4096x16x" + type + ">";
      RegionKernel chain{"map",
                         {"4096x16x" + type, "4096x16x" + type},
                         {"4096x16x" + type},
                         "    %p = nn.mul %b0, %b1 : (" + t + ", " + t + ") -> " + t +
                             "\n    %s = nn.add %p, %b1 : (" + t + ", " + t + ") -> " + t +
                             "\n    %g = nn.gelu %s : (" + t + ") -> " + t,
                         "%g",
                         "eager"};
      JitKernel code(chain.module(), *level);
      Buffers buffers = code.makeBuffers();
      fill(buffers, {"", "", 2});
      code.run(buffers);
      auto apply = [&](const Op &op, const Buffer &first, const Buffer &second) {
        Buffers operands = JitKernel(kernelOf(op, type).module(), *level).makeBuffers();
        for (int i = 0; i < op.arity; ++i)
          operands[size_t(i)].fill([&](int64_t at) { return (i == 0 ? first : second).get(at); });
        return roundedOnce(op, operands, *level);
      };
      Buffer product = apply({"nn.mul", "", 2}, buffers[0], buffers[1]);
      Buffer sum = apply({"nn.add", "", 2}, product, buffers[1]);
      expectSameNumbers(buffers.back(), apply({"nn.gelu", "", 1}, sum, sum));
    }
}
