// The three products of a convolution:
//
//   forward            y [co x pixels]   = weight [co x taps]   x columns of x
//   backward data      columns of dx     = weight^T [taps x co] x dy [co x pixels], scattered into dx
//   backward weights   dweight^T [taps x co] = columns of x [taps x pixels] x dy^T [pixels x co], over images
//
// each for one group of one image (or of a few small ones, for weights) at a time, a band of output rows at a
// time. The gradients hold the columns of one tile's taps only, so these stay in the first-level cache.
#include "codegen/cpu/Convolution.h"

#include "codegen/cpu/ContractionPack.h"
#include "codegen/cpu/ContractionPanels.h"
#include "codegen/cpu/ConvolutionGather.h"
#include "codegen/cpu/DepthwiseConvolution.h"

using namespace mlir;

namespace halfstep {

namespace {

/// A part of the scratch buffer.
struct Part {
  int64_t elements = 0;
  Type type;

  int64_t bytes() const {
    return elements == 0 ? 0 : llvm::alignTo(elements * type.getIntOrFloatBitWidth() / 8, 64);
  }
};

/// What plan and emission share: shapes, tiles and the parts of the scratch buffer.
struct Layout {
  Layout(const ConvolutionSpec &spec, const CpuLevel &level)
      : form(elementForm(spec.type, level, /*usePairs=*/true)), g(spec, form) {
    padded = {int64_t(llvm::alignTo(g.paddedElements(), form.lanes)), g.pixel};
    switch (spec.kind) {
    case ConvolutionKind::Forward:
      tiles = planTiles(g.coGroup, g.bandPixels, form, level);
      columns = {form.steps(g.taps) * g.columnStride, form.panel};
      weights = {tiles.rowPanels * form.steps(g.taps) * tiles.rowWidth, form.panel};
      break;
    case ConvolutionKind::BackwardData:
      tiles = planTiles(g.taps, g.bandPixels, form, level);
      columns = {tallestPanel() * g.columnStride, form.compute};
      weights = {tiles.rowPanels * form.steps(g.coGroup) * tiles.rowWidth, form.panel};
      gradients = {tiles.columnPanels() * gradientPanel(), form.panel};
      break;
    case ConvolutionKind::BackwardWeights:
      tiles = planTiles(g.taps, g.coGroup, form, level);
      columns = {tallestPanel() * g.columnStride, g.pixel};
      weights = {g.coGroup * tiles.rowWidth, form.compute};
      gradients = {tiles.columnPanels() * gradientPanel(), form.panel};
      sums = {g.taps * sumStride(), form.compute};
      break;
    }
  }

  int64_t columnWidth() const { return llvm::alignTo(tiles.columns, form.lanes); }
  int64_t sumStride() const { return llvm::alignTo(g.coGroup, form.lanes); }
  int64_t tallestPanel() const { return tiles.rows + (tiles.tallPanels > 0 ? 1 : 0); }
  /// Elements of a packed column panel of dy.
  int64_t gradientPanel() const {
    bool data = g.spec.kind == ConvolutionKind::BackwardData;
    return (data ? form.steps(g.coGroup) : g.images * form.steps(g.bandPixels)) * columnWidth();
  }
  /// Items of a group.
  int64_t itemsPerGroup() const {
    return g.spec.kind == ConvolutionKind::BackwardWeights ? tiles.rowPanels : g.spec.n;
  }
  int64_t scratchBytes() const {
    return padded.bytes() + columns.bytes() + weights.bytes() + gradients.bytes() + sums.bytes();
  }

  ElementForm form;
  ConvolutionGeometry g;
  TilePlan tiles;
  /// `weights` is the weight in panels, or a strip of its gradient while that is turned round; `gradients` is
  /// dy in panels.
  Part padded, columns, weights, gradients, sums;
};

/// The loop nest of one emitConvolution.
struct Emitter {
  Emitter(ContractionBuilder &b, const Layout &layout) : b(b), l(layout), g(layout.g) {}

  ContractionBuilder &b;
  const Layout &l;
  const ConvolutionGeometry &g;
  Value input, other, bias, result;
  Value padded, columns, weights, gradients, sums;

  void carve(Value scratch) {
    int64_t offset = 0;
    auto carvePart = [&](const Part &part) {
      return part.elements == 0 ? Value() : b.carve(scratch, offset, part.elements, part.type);
    };
    padded = carvePart(l.padded);
    columns = carvePart(l.columns);
    weights = carvePart(l.weights);
    gradients = carvePart(l.gradients);
    sums = carvePart(l.sums);
  }

  PanelRange all(int64_t count) { return {b.index(0), b.index(count)}; }

  /// First element of the group in an image of `channels` channels of `pixels` pixels.
  Value imageAt(Value image, Value group, int64_t channels, int64_t pixels) {
    Value channel = b.plus(b.times(image, channels), b.times(group, channels / g.spec.groups));
    return b.times(channel, pixels);
  }
  Value xAt(Value image, Value group) { return imageAt(image, group, g.spec.ci, g.spec.h * g.spec.w); }
  Value yAt(Value image, Value group) { return imageAt(image, group, g.spec.co, g.outPixels); }
  Value weightAt(Value group) { return b.times(group, g.coGroup * g.taps); }

  /// The group's weight as packed rows; `view` tells which of its dimensions are rows and depth.
  void packWeight(const OperandView &view, int64_t depth) {
    forEachRowPanel(b, l.tiles, all(l.tiles.rowPanels), [&](Value panel, Value row, int64_t rows) {
      emitPack(b, view, row, rows, depth, weights, weightPanel(panel, depth).base, l.tiles.rowWidth);
    });
  }
  TileRows weightPanel(Value panel, int64_t depth) {
    return {weights, b.times(panel, l.form.steps(depth) * l.tiles.rowWidth), 1, l.tiles.rowWidth};
  }

  /// Packs dy, seen as lanes x `depth`, into all column panels, from step `step` on.
  void packGradient(const OperandView &view, int64_t depth, Value step) {
    forEachColumnPanel(b, l.tiles, all(l.tiles.columnPanels()), [&](Value column, int64_t width) {
      Value at = b.plus(gradientPanel(column).base, b.times(step, l.columnWidth()));
      emitPack(b, view, column, width, depth, gradients, at, l.columnWidth());
    });
  }
  TileColumns gradientPanel(Value column) {
    Value panel = b.quotient(column, l.tiles.columns);
    return {gradients, b.times(panel, l.gradientPanel()), l.columnWidth(), /*padded=*/true};
  }

  /// for each band: body(first output row, first output pixel)
  void forEachBand(function_ref<void(Value, Value)> body) {
    b.loop(g.bands, [&](Value band) { body(b.times(band, g.bandRows), b.times(band, g.bandPixels)); });
  }

  void forward(Value group, PanelRange images) {
    packWeight({other, weightAt(group), g.taps, 1}, g.taps);
    emitClear(b, padded, g.paddedElements());
    b.loop(images.lo, images.hi, 1, [&](Value image) {
      emitPadImage(b, g, input, xAt(image, group), all(g.ciGroup), padded, b.index(0));
      forEachBand([&](Value firstRow, Value firstPixel) {
        emitGatherPanel(b, g, padded, firstRow, columns);
        forwardTiles(group, b.plus(yAt(image, group), firstPixel));
      });
    });
  }

  void forwardTiles(Value group, Value outputAt) {
    forEachColumnPanel(b, l.tiles, all(l.tiles.columnPanels()), [&](Value column, int64_t width) {
      TileColumns pixels{columns, column, g.columnStride, /*padded=*/true};
      forEachRowPanel(b, l.tiles, all(l.tiles.rowPanels), [&](Value panel, Value row, int64_t rows) {
        TileShape shape{rows, width};
        Tile tile = accumulateTile(b, shape, weightPanel(panel, g.taps), pixels, g.taps, zeroTile(b, shape));
        Value at = b.plus(outputAt, b.plus(b.times(row, g.outPixels), column));
        Value biasAt = b.plus(b.times(group, g.coGroup), row);
        storeTile(b, shape, tile, {result, at, g.outPixels, bias, biasAt, /*biasByRow=*/true});
      });
    });
  }

  void backwardData(Value group, PanelRange images) {
    packWeight({other, weightAt(group), 1, g.taps}, g.coGroup);
    b.loop(images.lo, images.hi, 1, [&](Value image) {
      emitClear(b, padded, g.paddedElements());
      forEachBand([&](Value firstRow, Value firstPixel) {
        packGradient({input, b.plus(yAt(image, group), firstPixel), 1, g.outPixels}, g.coGroup, b.index(0));
        backwardDataTiles(firstRow);
      });
      emitCropImage(b, g, padded, result, xAt(image, group), bias, b.times(group, g.ciGroup));
    });
  }

  void backwardDataTiles(Value firstRow) {
    forEachRowPanel(b, l.tiles, all(l.tiles.rowPanels), [&](Value panel, Value tap, int64_t rows) {
      forEachColumnPanel(b, l.tiles, all(l.tiles.columnPanels()), [&](Value column, int64_t width) {
        TileShape shape{rows, width};
        Tile tile = accumulateTile(b, shape, weightPanel(panel, g.coGroup), gradientPanel(column), g.coGroup,
                                   zeroTile(b, shape));
        saveTile(b, shape, tile, columns, column, g.columnStride);
      });
      emitScatterColumns(b, g, columns, {tap, b.plus(tap, rows)}, firstRow, padded);
    });
  }

  /// `panels` are row panels of taps: no two items write the same weights, and each sums all images in order.
  void backwardWeights(Value group, PanelRange panels) {
    auto firstTap = [&](Value panel) {
      return b.plus(b.times(panel, l.tiles.rows), b.smaller(panel, b.index(l.tiles.tallPanels)));
    };
    int64_t tapsOfChannel = g.spec.kh * g.spec.kw;
    PanelRange channels{b.quotient(firstTap(panels.lo), tapsOfChannel),
                        b.quotient(b.plus(firstTap(panels.hi), tapsOfChannel - 1), tapsOfChannel)};
    emitClear(b, padded, g.paddedElements());
    emitClear(b, sums, l.sums.elements);
    b.loop(b.index(0), b.index(g.spec.n), g.images, [&](Value firstImage) {
      b.loop(g.images, [&](Value i) {
        Value at = xAt(b.plus(firstImage, i), group);
        emitPadImage(b, g, input, at, channels, padded, b.times(i, g.imageElements));
      });
      forEachBand([&](Value firstRow, Value firstPixel) {
        b.loop(g.images, [&](Value i) {
          Value at = b.plus(yAt(b.plus(firstImage, i), group), firstPixel);
          packGradient({other, at, g.outPixels, 1}, g.bandPixels, b.times(i, l.form.steps(g.bandPixels)));
        });
        backwardWeightsTiles(panels, firstRow);
      });
    });
    storeWeights(group, panels);
  }

  void backwardWeightsTiles(PanelRange panels, Value firstRow) {
    forEachRowPanel(b, l.tiles, panels, [&](Value, Value tap, int64_t rows) {
      b.loop(g.images, [&](Value i) {
        emitGatherColumns(b, g, padded, b.times(i, g.imageElements), {tap, b.plus(tap, rows)}, firstRow,
                          columns, b.times(i, g.bandPixels));
      });
      TileRows pixels{columns, b.index(0), g.columnStride, l.form.depthPerStep};
      forEachColumnPanel(b, l.tiles, all(l.tiles.columnPanels()), [&](Value channel, int64_t width) {
        TileShape shape{rows, width};
        Value sumAt = b.plus(b.times(tap, l.sumStride()), channel);
        Tile tile = loadTile(b, shape, sums, sumAt, l.sumStride());
        tile = accumulateTile(b, shape, pixels, gradientPanel(channel), g.images * g.bandPixels, tile);
        saveTile(b, shape, tile, sums, sumAt, l.sumStride());
      });
    });
  }

  /// Turns the sums [taps][co] round into the weight's order, a panel of taps at a time.
  void storeWeights(Value group, PanelRange panels) {
    ContractionBuilder plain(b, b.getLoc(), b.level, elementForm(l.form.compute, b.level, false));
    OperandView view{sums, plain.index(0), l.sumStride(), 1};
    Value base = plain.times(group, g.coGroup * g.taps);
    forEachRowPanel(plain, l.tiles, panels, [&](Value, Value tap, int64_t rows) {
      emitPack(plain, view, tap, rows, g.coGroup, weights, plain.index(0), l.tiles.rowWidth);
      plain.loop(g.coGroup, [&](Value channel) {
        Value at = plain.plus(plain.plus(base, plain.times(channel, g.taps)), tap);
        for (int64_t lane = 0; lane < rows; lane += l.form.lanes) {
          Value from = plain.plus(plain.times(channel, l.tiles.rowWidth), lane);
          Value sum = plain.load(weights, from, l.form.lanes, l.form.lanes);
          plain.store(plain.round(sum, result), result, plain.plus(at, lane),
                      std::min(l.form.lanes, rows - lane));
        }
      });
    });
  }

  void run(Value lo, Value hi) {
    forEachBatch(b, g.spec.groups, l.itemsPerGroup(), lo, hi, [&](Value group, PanelRange items) {
      switch (g.spec.kind) {
      case ConvolutionKind::Forward:
        return forward(group, items);
      case ConvolutionKind::BackwardData:
        return backwardData(group, items);
      case ConvolutionKind::BackwardWeights:
        return backwardWeights(group, items);
      }
    });
  }
};

} // namespace

ContractionPlan planConvolution(const ConvolutionSpec &spec, const CpuLevel &level) {
  if (isDepthwise(spec))
    return planDepthwise(spec, level);
  Layout l(spec, level);
  ContractionPlan plan;
  plan.items = spec.groups * l.itemsPerGroup();
  int64_t operations = spec.n * spec.co * l.g.taps * l.g.outPixels;
  plan.grain = grainFor(operations / plan.items, plan.items);
  plan.scratchBytes = l.scratchBytes();
  return plan;
}

LogicalResult emitConvolution(OpBuilder &builder, Location loc, const ConvolutionSpec &spec,
                              const CpuLevel &level, Value input, Value other, Value bias, Value result,
                              Value lo, Value hi, Value scratch) {
  if (!isProductType(spec.type))
    return emitError(loc) << "convolution of " << spec.type << ": expected f32, f64, bf16 or f16";
  if (isDepthwise(spec))
    return emitDepthwise(builder, loc, spec, level, input, other, bias, result, lo, hi, scratch), success();
  Layout layout(spec, level);
  ContractionBuilder b(builder, loc, level, layout.form);
  Emitter emitter(b, layout);
  emitter.input = b.flat(input);
  emitter.other = b.flat(other);
  emitter.bias = bias ? b.flat(bias) : Value();
  emitter.result = b.flat(result);
  emitter.carve(scratch);
  emitter.run(lo, hi);
  builder.setInsertionPoint(b.getInsertionBlock(), b.getInsertionPoint());
  return success();
}

} // namespace halfstep
