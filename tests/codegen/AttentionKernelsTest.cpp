// Attention and its gradients against plain loops in extended precision.
#include "AttentionCases.h"

#include <cmath>

using namespace halfstep::test;

namespace {

OpKernel forwardKernel(const Attention &shape, const std::string &type) {
  return {"attention",
          "nn.attention",
          shape.attributes(),
          shape.tensors(type),
          {shape.result(type), shape.lse(type)}};
}

/// Query, key and value among operands that start at `first`.
std::array<const Buffer *, 3> partsOf(const Attention &shape, const Buffers &buffers, size_t first) {
  return {&buffers[first], &buffers[first + (shape.packed ? 0 : 1)],
          &buffers[first + (shape.packed ? 0 : 2)]};
}

void forEachHead(const Attention &shape, const Buffers &buffers, size_t first,
                 const std::function<void(const Head &, int64_t sample, int64_t head)> &body) {
  auto parts = partsOf(shape, buffers, first);
  const Buffer *mask = shape.masked() ? &buffers[first + shape.projectionCount()] : nullptr;
  for (int64_t sample = 0; sample < shape.batch; ++sample)
    for (int64_t head = 0; head < shape.heads; ++head)
      body(Head(shape, parts.data(), mask, sample, head), sample, head);
}

void checkForward(const OpKernel &kernel, const Attention &shape, const Buffers &buffers) {
  const Buffer &result = buffers[shape.tensorCount()], &lse = buffers[shape.tensorCount() + 1];
  forEachHead(shape, buffers, 0, [&](const Head &head, int64_t sample, int64_t h) {
    for (int64_t i = 0; i < shape.queries; ++i) {
      Real exact = head.lse(i);
      expectNear(lse, shape.lseAt(sample, h, i), double(exact),
                 attentionTolerance(kernel, lse, head, exact, 1 + std::abs(exact)));
      for (int64_t d = 0; d < shape.depth; ++d) {
        Real sum = 0, scale = 0;
        for (int64_t j = 0; j < shape.keys; ++j) {
          Real term = std::exp(head.score(i, j) - exact) * head.v(j, d);
          sum += term;
          scale += std::abs(term);
        }
        expectNear(result, shape.resultAt(sample, h, i, d), double(sum),
                   attentionTolerance(kernel, result, head, sum, scale));
      }
    }
  });
}

void testForward(const std::vector<Attention> &shapes) {
  forEachAttention(shapes, [](const Attention &shape, const std::string &type) {
    OpKernel kernel = forwardKernel(shape, type);
    auto fill = [&](Buffers &b) {
      fillAll(b, shape.projectionCount(), 2);
      if (shape.masked())
        fillMask(shape, b[shape.projectionCount()]);
    };
    runAtAllLevels(kernel, fill, [&](const Buffers &b) { checkForward(kernel, shape, b); });
  });
}

TEST(AttentionKernels, Forward) { testForward(kAttentions); }
TEST(AttentionKernels, ForwardOfHeadsThatShareKeys) { testForward(kSharedAttentions); }
/// Rows whose keys are all hidden are 0.
TEST(AttentionKernels, ForwardWithMasks) { testForward(kMaskedAttentions); }

/// exp must not overflow, whatever the scores: a row then takes the value of its greatest.
TEST(AttentionKernels, LargeScoresStayFinite) {
  Attention shape{1, 1, 20, 20, 4, true, true};
  shape.scale = 1;
  for (const char *type : {"f32", "f64", "bf16", "f16"}) {
    OpKernel kernel = forwardKernel(shape, type);
    runAtAllLevels(
        kernel, [](Buffers &b) { fillAll(b, 1, 100); },
        [&](const Buffers &b) {
          for (int64_t i = 0; i < b[1].size(); ++i)
            EXPECT_TRUE(std::isfinite(b[1].get(i))) << "element " << i;
        });
  }
}

/// A query sees no key behind its place: NaN there must not reach it.
TEST(AttentionKernels, CausalRowsDoNotReadWhatComesLater) {
  Attention shape{1, 1, 37, 37, 8, true, true};
  for (const char *type : {"f32", "bf16", "f16"}) {
    auto fill = [&](Buffers &b) {
      fillAll(b, 1, 2);
      b[0].set(shape.at(1, 0, 0, 20, 3), kNan);
    };
    runAtAllLevels(forwardKernel(shape, type), fill, [&](const Buffers &b) {
      for (int64_t i = 0; i < shape.queries; ++i)
        for (int64_t d = 0; d < shape.depth; ++d)
          EXPECT_EQ(std::isnan(b[1].get(shape.resultAt(0, 0, i, d))), i >= 20) << type << " row " << i;
    });
  }
}

//===----------------------------------------------------------------------===//
// Backward
//===----------------------------------------------------------------------===//

OpKernel backwardKernel(const Attention &shape, const std::string &type) {
  OpKernel kernel{"attention",
                  "nn.attention_backward",
                  shape.attributes(),
                  {shape.result(type), shape.result(type), shape.lse(type)},
                  shape.projections(type)};
  for (const std::string &tensor : shape.tensors(type))
    kernel.operands.push_back(tensor);
  return kernel;
}

/// Random projections and gradient, and what the forward pass saves of them.
void fillBackward(const Attention &shape, Buffers &buffers) {
  fillAll(buffers, 3 + shape.projectionCount(), 2);
  if (shape.masked())
    fillMask(shape, buffers[3 + shape.projectionCount()]);
  forEachHead(shape, buffers, 3, [&](const Head &head, int64_t sample, int64_t h) {
    for (int64_t i = 0; i < shape.queries; ++i) {
      Real lse = head.lse(i);
      buffers[2].set(shape.lseAt(sample, h, i), double(lse));
      for (int64_t d = 0; d < shape.depth; ++d) {
        Real sum = 0;
        for (int64_t j = 0; j < shape.keys; ++j)
          sum += std::exp(head.score(i, j) - lse) * head.v(j, d);
        buffers[1].set(shape.resultAt(sample, h, i, d), double(sum));
      }
    }
  });
}

/// The gradients of one head and the sums of their terms' magnitudes.
struct HeadGradients {
  std::vector<Real> exact[3], scale[3];

  HeadGradients(const Attention &shape, const Head &head, const Buffers &buffers, int64_t sample, int64_t h) {
    int64_t depth = shape.depth;
    for (int part = 0; part < 3; ++part) {
      exact[part].resize(size_t((part == 0 ? shape.queries : shape.keys) * depth));
      scale[part].resize(exact[part].size());
    }
    auto add = [&](int part, int64_t row, int64_t d, Real term, Real size) {
      exact[part][size_t(row * depth + d)] += term;
      scale[part][size_t(row * depth + d)] += std::abs(size);
    };
    for (int64_t i = 0; i < shape.queries; ++i)
      for (int64_t j = 0; j < shape.keys; ++j) {
        Real weight = std::exp(head.score(i, j) - buffers[2].get(shape.lseAt(sample, h, i)));
        if (weight == 0)
          continue;
        Real change = 0, size = 0;
        for (int64_t d = 0; d < depth; ++d) {
          int64_t at = shape.resultAt(sample, h, i, d);
          Real grad = buffers[0].get(at), product = grad * head.v(j, d), saved = grad * buffers[1].get(at);
          change += product - saved;
          size += std::abs(product) + std::abs(saved);
          add(2, j, d, weight * grad, weight * grad);
        }
        Real factor = shape.scale * weight;
        for (int64_t d = 0; d < depth; ++d) {
          add(0, i, d, factor * change * head.k(j, d), factor * size * head.k(j, d));
          add(1, j, d, factor * change * head.q(i, d), factor * size * head.q(i, d));
        }
      }
  }
};

void checkBackward(const OpKernel &kernel, const Attention &shape, const Buffers &buffers) {
  auto results = partsOf(shape, buffers, 3 + shape.tensorCount());
  std::vector<Real> shared[3], sharedScale[3];
  Real greatestSize = 0;
  forEachHead(shape, buffers, 3, [&](Head head, int64_t sample, int64_t h) {
    HeadGradients grads(shape, head, buffers, sample, h);
    // The gradients of keys and values are sums over the heads that share them.
    bool first = h % shape.sharing == 0, last = (h + 1) % shape.sharing == 0;
    greatestSize = first ? head.greatestSize : std::max(greatestSize, head.greatestSize);
    head.greatestSize = greatestSize;
    for (int part = 0; part < 3; ++part) {
      std::vector<Real> &exact = grads.exact[part], &scale = grads.scale[part];
      for (size_t i = 0; i < exact.size() && part > 0 && !first; ++i) {
        exact[i] += shared[part][i];
        scale[i] += sharedScale[part][i];
      }
      shared[part] = exact;
      sharedScale[part] = scale;
      for (size_t i = 0; i < exact.size() && (part == 0 || last); ++i) {
        int64_t row = int64_t(i) / shape.depth, column = int64_t(i) % shape.depth;
        expectNear(*results[size_t(part)], shape.at(part, sample, h, row, column), double(exact[i]),
                   attentionTolerance(kernel, *results[size_t(part)], head, exact[i], scale[i]));
      }
    }
  });
}

void testBackward(const std::vector<Attention> &shapes) {
  forEachAttention(shapes, [](const Attention &shape, const std::string &type) {
    OpKernel kernel = backwardKernel(shape, type);
    runAtAllLevels(
        kernel, [&](Buffers &b) { fillBackward(shape, b); },
        [&](const Buffers &b) { checkBackward(kernel, shape, b); });
  });
}

TEST(AttentionKernels, Backward) { testBackward(kAttentions); }
TEST(AttentionKernels, BackwardOfHeadsThatShareKeys) { testBackward(kSharedAttentions); }
TEST(AttentionKernels, BackwardWithMasks) { testBackward(kMaskedAttentions); }

TEST(AttentionKernels, OperandsOfSeveralTypesAreRefused) {
  Attention shape{1, 1, 4, 4, 4, false, true};
  OpKernel kernel = backwardKernel(shape, "bf16");
  kernel.operands[0] = shape.result("f32");
  EXPECT_THROW(JitKernel(kernel.module(), *hostLevels().front()), std::runtime_error);
}

} // namespace
