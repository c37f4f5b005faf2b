// nn.matmul with the element-wise ops that follow it, and the convolutions as products over gathered
// elements.
#include "codegen/cuda/Forms.h"
#include "codegen/cuda/MatrixProduct.h"
#include "codegen/cuda/Product.h"

#include "codegen/cpu/Convolution.h"
#include "codegen/cpu/RegionFormulas.h"

#include "dialect/nn/NNDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace halfstep {

static Type computeOf(Type type) { return computeType(type); }

//===----------------------------------------------------------------------===//
// nn.matmul
//===----------------------------------------------------------------------===//

static ProductShape productOf(train::KernelOp kernel) {
  ContractionSpec spec = contractionSpec(kernel);
  ProductShape shape;
  shape.batch = spec.batch, shape.m = spec.m, shape.n = spec.n, shape.k = spec.k;
  shape.compute = computeOf(spec.type);
  shape.aAlongK = !spec.transposeA;
  shape.bAlongColumns = !spec.transposeB;
  return shape;
}

static MatrixOperands matricesOf(const ContractionSpec &spec) {
  return {spec.type, spec.transposeA, spec.transposeB};
}

LaunchShape contractionShape(train::KernelOp kernel) {
  ProductShape shape = productOf(kernel);
  if (std::optional<MatrixPlan> plan = planMatrixProduct(shape, matricesOf(contractionSpec(kernel))))
    return plan->launch(shape);
  return planProduct(shape).launch(shape);
}

/// Stores what the region makes of a sum: the product itself, or element-wise ops behind it.
static void storeElement(KernelBuilder &b, const KernelCall &call, Value product, Value sum, Value linear) {
  Type compute = sum.getType();
  auto read = [&](OpOperand &operand) -> Value {
    if (operand.get() == product)
      return sum;
    auto argument = dyn_cast<BlockArgument>(operand.get());
    if (!argument)
      return {};
    bool isNumber = cast<RankedTensorType>(argument.getType()).getNumElements() == 1;
    return b.loadScalar(b.flat(call.input(argument)), isNumber ? b.index(0) : linear);
  };
  auto linearIndex = [&]() -> Value { return arith::IndexCastOp::create(b, b.getI64Type(), linear); };
  RegionFormulas formulas(b, compute, read, linearIndex);
  Values values;
  for (OpOperand &yielded : call.kernel.getYield()->getOpOperands())
    values.push_back(formulas.of(yielded));
  for (auto [i, value] : llvm::enumerate(values))
    b.storeScalar(value, b.flat(call.result(unsigned(i))), linear);
}

LogicalResult emitContractionThreads(KernelBuilder &b, const KernelCall &call) {
  auto op = cast<nn::MatmulOp>(call.op());
  if (failed(checkProductTypes(op)))
    return failure();
  ContractionSpec spec = contractionSpec(call.kernel);
  ProductShape shape = productOf(call.kernel);
  auto reader = [&](Value operand) {
    return [&b, &shape, flat = b.flat(call.input(operand))](Value at) {
      return b.convert(b.loadScalar(flat, at), shape.compute);
    };
  };
  auto left = reader(op.getLhs()), right = reader(op.getRhs());
  auto place = [&](Value batch, Value row, int64_t rows, Value column, int64_t columns) {
    return b.plus(b.times(b.plus(b.times(batch, rows), row), columns), column);
  };
  auto readA = [&](Value batch, Value row, Value k) {
    return left(spec.transposeA ? place(batch, k, spec.k, row, spec.m)
                                : place(batch, row, spec.m, k, spec.k));
  };
  auto readB = [&](Value batch, Value k, Value column) {
    return right(spec.transposeB ? place(batch, column, spec.n, k, spec.k)
                                 : place(batch, k, spec.k, column, spec.n));
  };
  auto store = [&](Value batch, Value row, Value column, Value sum) {
    if (op.getBias())
      sum = arith::AddFOp::create(b, sum, reader(op.getBias())(column));
    storeElement(b, call, op.getResult(), sum, place(batch, row, spec.m, column, spec.n));
  };
  if (planMatrixProduct(shape, matricesOf(spec)))
    emitMatrixProduct(b, shape, matricesOf(spec), b.flat(call.input(op.getLhs())),
                      b.flat(call.input(op.getRhs())), store);
  else
    emitProduct(b, shape, {readA, readB, store});
  return success();
}

//===----------------------------------------------------------------------===//
// Convolution
//===----------------------------------------------------------------------===//

namespace {

/// A convolution as products, one a group:
///
///   forward            [co, ci kh kw] x [ci kh kw, n oh ow]
///   backward data      [ci, co kh kw] x [co kh kw, n h w]
///   backward weights   [co, n oh ow] x [n oh ow, ci kh kw]
class ConvolutionThreads {
public:
  ConvolutionThreads(KernelBuilder &b, const KernelCall &call)
      : b(b), call(call), spec(convolutionSpec(call.kernel)), shape(productOf(spec)),
        ci(spec.ci / spec.groups), co(spec.co / spec.groups), taps(spec.kh * spec.kw),
        input(b.flat(call.input(call.op()->getOperand(0)))),
        other(b.flat(call.input(call.op()->getOperand(1)))) {}

  static ProductShape productOf(const ConvolutionSpec &spec) {
    int64_t ci = spec.ci / spec.groups, co = spec.co / spec.groups, taps = spec.kh * spec.kw;
    int64_t outPixels = spec.n * spec.outHeight() * spec.outWidth();
    ProductShape shape;
    shape.batch = spec.groups;
    shape.compute = computeOf(spec.type);
    switch (spec.kind) {
    case ConvolutionKind::Forward:
      shape.m = co, shape.n = outPixels, shape.k = ci * taps;
      break;
    case ConvolutionKind::BackwardData:
      shape.m = ci, shape.n = spec.n * spec.h * spec.w, shape.k = co * taps;
      shape.aAlongK = false;
      break;
    case ConvolutionKind::BackwardWeights:
      shape.m = co, shape.n = ci * taps, shape.k = outPixels;
      shape.bAlongColumns = false;
      break;
    }
    return shape;
  }

  void emit() {
    switch (spec.kind) {
    case ConvolutionKind::Forward:
      return emitForward();
    case ConvolutionKind::BackwardData:
      return emitBackwardData();
    case ConvolutionKind::BackwardWeights:
      return emitBackwardWeights();
    }
  }

private:
  KernelBuilder &b;
  const KernelCall &call;
  const ConvolutionSpec spec;
  const ProductShape shape;
  const int64_t ci, co, taps;
  Value input, other;

  Value load(Value flat, Value at) { return b.convert(b.loadScalar(flat, at), shape.compute); }

  /// Places in tensors of four dimensions.
  Value place(Value image, Value channel, int64_t channels, Value y, int64_t height, Value x, int64_t width) {
    Value plane = b.plus(b.times(image, channels), channel);
    return b.plus(b.times(b.plus(b.times(plane, height), y), width), x);
  }
  Value channel(Value group, Value inGroup, int64_t each) { return b.plus(b.times(group, each), inGroup); }

  Value isInside(Value y, int64_t height, Value x, int64_t width) {
    auto below = [&](Value index, int64_t extent) -> Value {
      return arith::CmpIOp::create(b, arith::CmpIPredicate::ult, index, b.index(extent));
    };
    return arith::AndIOp::create(b, below(y, height), below(x, width));
  }

  /// x[image][channel] where a window at (outY, outX) has its element (tapY, tapX); 0 outside the image.
  Value windowElement(Value flat, Value image, Value inChannel, Value outY, Value outX, Value tapY,
                      Value tapX) {
    Value y = b.plus(b.plus(b.times(outY, spec.strideH), b.times(tapY, spec.dilationH)), -spec.padTop);
    Value x = b.plus(b.plus(b.times(outX, spec.strideW), b.times(tapX, spec.dilationW)), -spec.padLeft);
    return chooseLazily(b, isInside(y, spec.h, x, spec.w), b.number(0, shape.compute),
                        [&] { return load(flat, place(image, inChannel, spec.ci, y, spec.h, x, spec.w)); });
  }

  Value weight(Value flat, Value outChannel, Value inGroup, Value tapY, Value tapX) {
    return load(flat, place(outChannel, inGroup, ci, tapY, spec.kh, tapX, spec.kw));
  }

  void store(Value at, Value sum) { b.storeScalar(sum, b.flat(call.result(0)), at); }

  void emitForward() {
    int64_t oh = spec.outHeight(), ow = spec.outWidth();
    auto readA = [&](Value group, Value row, Value k) {
      Values at = indicesOf(b, k, {ci, spec.kh, spec.kw});
      return weight(other, channel(group, row, co), at[0], at[1], at[2]);
    };
    auto readB = [&](Value group, Value k, Value column) {
      Values at = indicesOf(b, k, {ci, spec.kh, spec.kw}), out = indicesOf(b, column, {spec.n, oh, ow});
      return windowElement(input, out[0], channel(group, at[0], ci), out[1], out[2], at[1], at[2]);
    };
    auto finish = [&](Value group, Value row, Value column, Value sum) {
      Values out = indicesOf(b, column, {spec.n, oh, ow});
      Value outChannel = channel(group, row, co);
      if (spec.hasBias)
        sum = arith::AddFOp::create(b, sum, load(b.flat(call.input(call.op()->getOperand(2))), outChannel));
      store(place(out[0], outChannel, spec.co, out[1], oh, out[2], ow), sum);
    };
    emitProduct(b, shape, {readA, readB, finish});
  }

  /// dy[image][channel] of the window whose element (tapY, tapX) is at (y, x); 0 where there is none.
  Value windowOf(Value image, Value outChannel, Value y, Value x, Value tapY, Value tapX) {
    int64_t oh = spec.outHeight(), ow = spec.outWidth();
    // Indices are unsigned in divisions: a multiple of the stride keeps them above 0.
    auto start = [&](Value index, int64_t pad, Value tap, int64_t dilation, int64_t stride, int64_t extent) {
      int64_t lift = int64_t(llvm::alignTo(dilation * (extent - 1), stride));
      return std::make_pair(b.minus(b.plus(index, pad + lift), b.times(tap, dilation)), lift / stride);
    };
    auto [fromY, liftY] = start(y, spec.padTop, tapY, spec.dilationH, spec.strideH, spec.kh);
    auto [fromX, liftX] = start(x, spec.padLeft, tapX, spec.dilationW, spec.strideW, spec.kw);
    Value outY = b.plus(b.quotient(fromY, spec.strideH), -liftY);
    Value outX = b.plus(b.quotient(fromX, spec.strideW), -liftX);
    Value inside = isInside(outY, oh, outX, ow);
    auto requireWhole = [&](Value from, int64_t stride) {
      if (stride == 1)
        return;
      Value whole = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, b.remainder(from, stride), b.index(0));
      inside = arith::AndIOp::create(b, inside, whole);
    };
    requireWhole(fromY, spec.strideH);
    requireWhole(fromX, spec.strideW);
    return chooseLazily(b, inside, b.number(0, shape.compute),
                        [&] { return load(input, place(image, outChannel, spec.co, outY, oh, outX, ow)); });
  }

  void emitBackwardData() {
    auto readA = [&](Value group, Value row, Value k) {
      Values at = indicesOf(b, k, {co, spec.kh, spec.kw});
      return weight(other, channel(group, at[0], co), row, at[1], at[2]);
    };
    auto readB = [&](Value group, Value k, Value column) {
      Values at = indicesOf(b, k, {co, spec.kh, spec.kw}),
             in = indicesOf(b, column, {spec.n, spec.h, spec.w});
      return windowOf(in[0], channel(group, at[0], co), in[1], in[2], at[1], at[2]);
    };
    auto finish = [&](Value group, Value row, Value column, Value sum) {
      Value inChannel = channel(group, row, ci);
      if (spec.hasBias)
        sum = arith::AddFOp::create(b, sum, load(b.flat(call.input(call.op()->getOperand(2))), inChannel));
      Values in = indicesOf(b, column, {spec.n, spec.h, spec.w});
      store(place(in[0], inChannel, spec.ci, in[1], spec.h, in[2], spec.w), sum);
    };
    emitProduct(b, shape, {readA, readB, finish});
  }

  void emitBackwardWeights() {
    int64_t oh = spec.outHeight(), ow = spec.outWidth();
    auto readA = [&](Value group, Value row, Value k) {
      Values out = indicesOf(b, k, {spec.n, oh, ow});
      return load(other, place(out[0], channel(group, row, co), spec.co, out[1], oh, out[2], ow));
    };
    auto readB = [&](Value group, Value k, Value column) {
      Values out = indicesOf(b, k, {spec.n, oh, ow}), at = indicesOf(b, column, {ci, spec.kh, spec.kw});
      return windowElement(input, out[0], channel(group, at[0], ci), out[1], out[2], at[1], at[2]);
    };
    auto finish = [&](Value group, Value row, Value column, Value sum) {
      store(b.plus(b.times(channel(group, row, co), ci * taps), column), sum);
    };
    emitProduct(b, shape, {readA, readB, finish});
  }
};

} // namespace

LaunchShape convolutionShape(train::KernelOp kernel) {
  ProductShape shape = ConvolutionThreads::productOf(convolutionSpec(kernel));
  return planProduct(shape).launch(shape);
}

LogicalResult emitConvolutionThreads(KernelBuilder &b, const KernelCall &call) {
  if (failed(checkProductTypes(call.op())))
    return failure();
  ConvolutionThreads(b, call).emit();
  return success();
}

} // namespace halfstep
