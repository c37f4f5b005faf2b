// Contractions by oneDNN against plain loops in f64, with one and with several workers.
#include "runtime/embedded/contract.h"
#include "runtime/embedded/convert.h"

#include <cmath>
#include <gtest/gtest.h>
#include <random>
#include <vector>

namespace {

using Values = std::vector<double>;

// A tensor in the contraction's type; its elements are exact in bf16.
struct Tensor {
  int32_t dtype;
  std::vector<float> memory; // room enough for either type

  Tensor(int32_t dtype, int64_t count) : dtype(dtype), memory(size_t(count)) {}
  void *data() { return memory.data(); }
  double operator[](int64_t i) const { return hs_load_element(dtype, memory.data(), i); }
  static Tensor random(int32_t dtype, int64_t count, unsigned seed) {
    Tensor tensor(dtype, count);
    std::mt19937 generator(seed);
    for (int64_t i = 0; i < count; ++i)
      hs_store_element(dtype, tensor.data(), i, (int(generator() % 257) - 128) / 64.0);
    return tensor;
  }
};

// Runs bodies in reverse order on a worker of its own each, so that chunks must not depend on order or
// worker.
void reversed(void *threads, hs_range_fn body, void *arg, int64_t n, int64_t) {
  for (int64_t i = n; i-- > 0;)
    body(arg, i, i + 1, int32_t(i % *static_cast<int32_t *>(threads)));
}

void run(const hs_primitive_desc &desc, int32_t threads, Tensor &a, Tensor &b, Tensor *bias, Tensor &out) {
  hs_variant_desc variant = {};
  variant.primitive_count = 1;
  variant.primitives = &desc;
  char error[256] = "";
  void *primitives = nullptr;
  ASSERT_EQ(hs_onednn_primitive_ops.create(&variant, threads, &primitives, error, sizeof error), HS_OK)
      << error;
  hs_step_args args = {};
  args.parallel_for = threads > 1 ? reversed : nullptr;
  args.parallel_user = &threads;
  args.primitives = primitives;
  hs_primitive_run(&args, 0, a.data(), b.data(), bias ? bias->data() : nullptr, out.data());
  hs_onednn_primitive_ops.destroy(primitives);
}

// The sums are exact in f64; the result has `terms` f32 roundings and one to the type.
void expectNear(const Tensor &out, const Values &expected, int64_t terms) {
  double unit = (out.dtype == HS_BF16 ? 0x1p-8 : 0) + double(terms) * 0x1p-24;
  for (size_t i = 0; i < expected.size(); ++i)
    ASSERT_NEAR(out[int64_t(i)], expected[i], unit * (std::abs(expected[i]) + 4 * std::sqrt(double(terms))))
        << i;
}

struct Matmul {
  int64_t batch, m, n, k;
  bool transposeA, transposeB, sharedB, bias;
};

void checkMatmul(const Matmul &c, int32_t dtype, int32_t threads) {
  hs_primitive_desc desc = {HS_PRIMITIVE_MATMUL, dtype, c.bias, {c.batch, c.m, c.n, c.k}, {}};
  int64_t *l = desc.layout;
  l[0] = c.m * c.k, l[1] = c.transposeA ? 1 : c.k, l[2] = c.transposeA ? c.m : 1;
  l[3] = c.sharedB ? 0 : c.k * c.n, l[4] = c.transposeB ? 1 : c.n, l[5] = c.transposeB ? c.k : 1;
  Tensor a = Tensor::random(dtype, c.batch * c.m * c.k, 1), b = Tensor::random(dtype, c.batch * c.k * c.n, 2);
  Tensor bias = Tensor::random(dtype, c.n, 3), out(dtype, c.batch * c.m * c.n);
  run(desc, threads, a, b, c.bias ? &bias : nullptr, out);
  Values expected;
  for (int64_t p = 0; p < c.batch; ++p)
    for (int64_t i = 0; i < c.m; ++i)
      for (int64_t j = 0; j < c.n; ++j) {
        double sum = c.bias ? bias[j] : 0;
        for (int64_t x = 0; x < c.k; ++x)
          sum += a[p * l[0] + i * l[1] + x * l[2]] * b[p * l[3] + x * l[4] + j * l[5]];
        expected.push_back(sum);
      }
  expectNear(out, expected, c.k + 1);
}

TEST(Onednn, MatmulInAllLayouts) {
  for (int32_t dtype : {HS_F32, HS_BF16})
    for (int32_t threads : {1, 3})
      for (bool transposeA : {false, true})
        for (bool transposeB : {false, true})
          for (bool bias : {false, true}) {
            checkMatmul({1, 5, 7, 11, transposeA, transposeB, false, bias}, dtype, threads);
            checkMatmul({1, 150, 96, 80, transposeA, transposeB, false, bias}, dtype,
                        threads); // split by rows
            checkMatmul({7, 40, 64, 70, transposeA, transposeB, false, bias}, dtype, threads); // by matrices
          }
}

TEST(Onednn, MatmulWithOneMatrixForTheWholeBatchAndWithSizesOfOne) {
  for (int32_t dtype : {HS_F32, HS_BF16}) {
    checkMatmul({6, 33, 65, 90, false, true, true, true}, dtype, 2);
    checkMatmul({1, 1, 1, 1, false, false, false, true}, dtype, 2);
    checkMatmul({1, 1, 9, 4, true, false, false, false}, dtype, 1);
    checkMatmul({3, 2, 1, 5, false, true, false, false}, dtype, 1);
  }
}

struct Convolution {
  int64_t n, c, h, w, o, kernel, stride, before, after, dilation, groups;
};

struct ConvolutionCase {
  hs_primitive_desc desc;
  Tensor x, w, bias, y;
};

ConvolutionCase makeCase(const Convolution &v, int32_t dtype, bool bias) {
  auto size = [&](int64_t in) {
    return (in + v.before + v.after - v.dilation * (v.kernel - 1) - 1) / v.stride + 1;
  };
  int64_t oh = size(v.h), ow = size(v.w);
  hs_primitive_desc desc = {
      0,
      dtype,
      bias,
      {v.n, v.c, v.h, v.w, v.o, oh, ow, v.kernel, v.kernel},
      {v.stride, v.stride, v.before, v.before, v.after, v.after, v.dilation, v.dilation, v.groups}};
  return {desc, Tensor::random(dtype, v.n * v.c * v.h * v.w, 1),
          Tensor::random(dtype, v.o * v.c / v.groups * v.kernel * v.kernel, 2), Tensor::random(dtype, v.o, 3),
          Tensor::random(dtype, v.n * v.o * oh * ow, 4)};
}

// Calls body(index of x, of w, of y) for each product of the convolution.
template <typename Body>
void forEachProduct(const hs_primitive_desc &desc, Body body) {
  const auto [n, c, h, w, o, oh, ow, kh, kw] = desc.extent;
  const int64_t *l = desc.layout, groups = l[8], cg = c / groups, og = o / groups;
  for (int64_t i = 0; i < n * o * oh * ow * cg * kh * kw; ++i) {
    int64_t rest = i, q = rest % kw, p = (rest /= kw) % kh, ci = (rest /= kh) % cg, x = (rest /= cg) % ow;
    int64_t y = (rest /= ow) % oh, oi = (rest /= oh) % o, image = rest / o;
    int64_t row = y * l[0] - l[2] + p * l[6], column = x * l[1] - l[3] + q * l[7];
    if (row < 0 || row >= h || column < 0 || column >= w)
      continue;
    int64_t channel = oi / og * cg + ci;
    body(((image * c + channel) * h + row) * w + column, ((oi * cg + ci) * kh + p) * kw + q,
         ((image * o + oi) * oh + y) * ow + x);
  }
}

void checkConvolution(const Convolution &v, int32_t dtype, int32_t threads) {
  ConvolutionCase k = makeCase(v, dtype, true);
  hs_primitive_desc desc = k.desc;
  const int64_t *e = desc.extent;
  Values y(k.y.memory.size()), dx(k.x.memory.size()), dw(k.w.memory.size());
  for (size_t i = 0; i < y.size(); ++i)
    y[i] = k.bias[int64_t(i) / (e[5] * e[6]) % e[4]];
  forEachProduct(desc, [&](int64_t xi, int64_t wi, int64_t yi) {
    y[size_t(yi)] += k.x[xi] * k.w[wi];
    dx[size_t(xi)] += k.y[yi] * k.w[wi];
    dw[size_t(wi)] += k.x[xi] * k.y[yi];
  });
  Tensor out(dtype, int64_t(y.size())), outX(dtype, int64_t(dx.size())), outW(dtype, int64_t(dw.size()));
  desc.kind = HS_PRIMITIVE_CONV_FORWARD;
  run(desc, threads, k.x, k.w, &k.bias, out);
  expectNear(out, y, e[1] * e[7] * e[8] + 1);
  desc.has_bias = 0;
  desc.kind = HS_PRIMITIVE_CONV_BACKWARD_DATA;
  run(desc, threads, k.y, k.w, nullptr, outX);
  expectNear(outX, dx, e[4] * e[7] * e[8]);
  desc.kind = HS_PRIMITIVE_CONV_BACKWARD_WEIGHTS;
  run(desc, threads, k.x, k.y, nullptr, outW);
  expectNear(outW, dw, e[0] * e[5] * e[6]);
}

TEST(Onednn, ConvolutionForwardAndBothGradients) {
  for (int32_t dtype : {HS_F32, HS_BF16})
    for (int32_t threads : {1, 2}) {
      checkConvolution({2, 3, 8, 7, 4, 3, 1, 1, 1, 1, 1}, dtype, threads);
      checkConvolution({3, 4, 9, 9, 6, 3, 2, 0, 1, 1, 2}, dtype, threads);
      checkConvolution({1, 1, 6, 6, 1, 2, 1, 0, 0, 2, 1}, dtype, threads);
      checkConvolution({5, 16, 12, 12, 24, 3, 1, 1, 1, 1, 1}, dtype, threads); // split by images
    }
}

TEST(Onednn, AMissingLibraryIsAStatusWithAWayOut) {
  std::string before = getenv("HALFSTEP_LIBDNNL");
  setenv("HALFSTEP_LIBDNNL", "/nonexistent/libdnnl.so.3", 1);
  hs_primitive_desc desc = {HS_PRIMITIVE_MATMUL, HS_F32, 0, {1, 1, 1, 1}, {1, 1, 1, 1, 1, 1}};
  hs_variant_desc variant = {};
  variant.primitive_count = 1;
  variant.primitives = &desc;
  char error[256] = "";
  void *primitives = nullptr;
  EXPECT_EQ(hs_onednn_primitive_ops.create(&variant, 1, &primitives, error, sizeof error), HS_ERROR_ISA);
  EXPECT_NE(std::string(error).find("--cpu-gemm=generated"), std::string::npos);
  setenv("HALFSTEP_LIBDNNL", before.c_str(), 1);
}

} // namespace
