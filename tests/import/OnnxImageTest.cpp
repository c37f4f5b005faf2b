// ONNX ops on images and lines: windows, transposed convolution, resizing, normalisation in groups, and what
// torch's exporters make of these.
#include "tests/import/Expect.h"
#include "tests/import/OnnxModel.h"

#include "import/OnnxReader.h"

namespace halfstep {
namespace {

using Integers = std::vector<int64_t>;

Graph read(const std::string &content, std::vector<std::string> *notes = nullptr) {
  return readOnnxModel(content, "m.onnx", 4, [&](const std::string &note) {
    if (notes)
      notes->push_back(note);
  });
}

/// A model of one node on `x` of `shape`, with the parameters that it reads.
Graph readNode(const Integers &shape, const std::string &op,
               const std::vector<std::pair<std::string, Integers>> &parameters,
               const std::function<void(onnx::NodeProto &)> &fill = {}) {
  OnnxModel model(shape);
  std::vector<std::string> inputs = {"x"};
  for (const auto &[name, extents] : parameters) {
    model.floats(name, extents);
    inputs.push_back(name);
  }
  onnx::NodeProto &node = model.node(op, inputs, {"y"});
  if (fill)
    fill(node);
  return read(model.finish());
}

void setText(onnx::NodeProto &node, const std::string &name, const std::string &value) {
  auto *attribute = node.add_attribute();
  attribute->set_name(name);
  attribute->set_type(onnx::AttributeProto::STRING);
  attribute->set_s(value);
}

TEST(OnnxImage, SamePaddingPutsTheOddRestAfterOrBefore) {
  for (auto [mode, padding] :
       {std::pair("SAME_UPPER", Integers{0, 0, 1, 1}), {"SAME_LOWER", Integers{1, 1, 0, 0}}}) {
    Graph graph = readNode({0, 1, 5, 5}, "Conv", {{"w", {2, 1, 2, 2}}},
                           [&](onnx::NodeProto &node) { setText(node, "auto_pad", mode); });
    EXPECT_EQ(graph.nodes[0].integers("padding"), padding) << mode;
    EXPECT_EQ(shapeText(graph, "y"), "[N, 2, 5, 5]");
  }
}

TEST(OnnxImage, LinesAreImagesOfHeightOne) {
  Graph graph = readNode({0, 2, 9}, "Conv", {{"w", {4, 2, 3}}, {"b", {4}}}, [](onnx::NodeProto &node) {
    OnnxModel::set(node, "strides", Integers{2});
    OnnxModel::set(node, "pads", Integers{1, 0});
  });
  EXPECT_EQ(opsOf(graph), "reshape reshape conv2d reshape");
  EXPECT_EQ(graph.nodes[2].integers("stride"), (Integers{1, 2}));
  EXPECT_EQ(graph.nodes[2].integers("padding"), (Integers{0, 1, 0, 0}));
  EXPECT_EQ(shapeText(graph, "y"), "[N, 4, 4]");

  Graph pool = readNode({0, 2, 9}, "MaxPool", {},
                        [](onnx::NodeProto &node) { OnnxModel::set(node, "kernel_shape", Integers{3}); });
  EXPECT_EQ(shapeText(pool, "y"), "[N, 2, 7]");
  EXPECT_EQ(shapeText(readNode({0, 2, 9}, "GlobalMaxPool", {}), "y"), "[N, 2, 1]");
}

TEST(OnnxImage, CeilAddsAWindowUnlessItBeginsInThePadding) {
  auto pooled = [](int64_t extent, int64_t pad) {
    return shapeText(readNode({0, 1, extent, extent}, "MaxPool", {},
                              [&](onnx::NodeProto &node) {
                                OnnxModel::set(node, "kernel_shape", Integers{2, 2});
                                OnnxModel::set(node, "strides", Integers{2, 2});
                                OnnxModel::set(node, "pads", Integers(4, pad));
                                OnnxModel::set(node, "ceil_mode", int64_t(1));
                              }),
                     "y");
  };
  EXPECT_EQ(pooled(4, 0), "[N, 1, 2, 2]");
  EXPECT_EQ(pooled(5, 0), "[N, 1, 3, 3]");
  EXPECT_EQ(pooled(5, 1), "[N, 1, 3, 3]"); // a fourth would hold padding alone
}

TEST(OnnxImage, MeansOfCeiledWindowsDoNotCountWhatCeilAdds) {
  Graph graph = readNode({0, 1, 5, 5}, "AveragePool", {}, [](onnx::NodeProto &node) {
    OnnxModel::set(node, "kernel_shape", Integers{2, 2});
    OnnxModel::set(node, "strides", Integers{2, 2});
    OnnxModel::set(node, "ceil_mode", int64_t(1));
    OnnxModel::set(node, "count_include_pad", int64_t(1));
  });
  EXPECT_EQ(graph.nodes[0].integers("uncounted"), (Integers{1, 1}));
}

TEST(OnnxImage, TransposedConvolutionByPadsAndByExtents) {
  auto shaped = [](const std::function<void(onnx::NodeProto &)> &fill) {
    return readNode({0, 2, 3, 3}, "ConvTranspose", {{"w", {2, 4, 3, 3}}, {"b", {4}}}, fill);
  };
  auto stride = [](onnx::NodeProto &node) { OnnxModel::set(node, "strides", Integers{2, 2}); };
  EXPECT_EQ(shapeText(shaped(stride), "y"), "[N, 4, 7, 7]");
  Graph given = shaped([&](onnx::NodeProto &node) {
    stride(node);
    OnnxModel::set(node, "output_shape", Integers{6, 8});
  });
  EXPECT_EQ(given.nodes[0].integers("padding"), (Integers{1, 0, 0, 0}));
  EXPECT_EQ(given.nodes[0].integers("output_padding"), (Integers{0, 1}));
  EXPECT_EQ(shapeText(given, "y"), "[N, 4, 6, 8]");
  Graph same = shaped([&](onnx::NodeProto &node) {
    stride(node);
    setText(node, "auto_pad", "SAME_UPPER");
  });
  EXPECT_EQ(shapeText(same, "y"), "[N, 4, 6, 6]");
  expectDiagnostic(ExitCode::BadInput, {"output padding 2 is not below the stride 2"}, [&] {
    shaped([&](onnx::NodeProto &node) {
      stride(node);
      OnnxModel::set(node, "output_padding", Integers{2, 2});
    });
  });
}

/// Resize with these attributes, by scales of 2 along the pixels.
Graph resized(const std::vector<std::pair<std::string, std::string>> &attributes) {
  OnnxModel model({0, 1, 3, 4});
  onnx::TensorProto &scales = model.floats("scales", {4});
  scales.set_float_data(2, 2);
  scales.set_float_data(3, 2);
  onnx::NodeProto &node = model.node("Resize", {"x", "", "scales"}, {"y"});
  for (const auto &[name, value] : attributes)
    setText(node, name, value);
  return read(model.finish());
}

TEST(OnnxImage, ResizeIsAMapOfPlaces) {
  Graph linear = resized({{"mode", "linear"}});
  EXPECT_EQ(opsOf(linear), "resize2d");
  EXPECT_EQ(linear.nodes[0].number("factor_h"), 0.5);
  EXPECT_EQ(linear.nodes[0].number("offset_w"), -0.25);
  EXPECT_TRUE(linear.nodes[0].flag("linear"));
  EXPECT_EQ(shapeText(linear, "y"), "[N, 1, 6, 8]");

  Graph corners = resized({{"mode", "linear"}, {"coordinate_transformation_mode", "align_corners"}});
  EXPECT_EQ(corners.nodes[0].number("factor_h"), 2.0 / 5);
  EXPECT_EQ(corners.nodes[0].number("offset_h"), 0.0);

  // floor(p) and ceil(p - 0.5) are how ONNX rounds by default and by request.
  Graph nearest = resized({{"coordinate_transformation_mode", "asymmetric"}, {"nearest_mode", "floor"}});
  EXPECT_FALSE(nearest.nodes[0].flag("ceil"));
  EXPECT_EQ(nearest.nodes[0].number("offset_h"), 0.0);
  Graph preferFloor = resized({{"coordinate_transformation_mode", "asymmetric"}});
  EXPECT_TRUE(preferFloor.nodes[0].flag("ceil"));
  EXPECT_EQ(preferFloor.nodes[0].number("offset_h"), -0.5);
}

TEST(OnnxImage, ResizeSaysWhatItDoesNotKnow) {
  expectDiagnostic(ExitCode::Unsupported, {"mode = cubic", "nearest or linear"},
                   [] { resized({{"mode", "cubic"}}); });
  expectDiagnostic(ExitCode::Unsupported, {"coordinate_transformation_mode = tf_crop_and_resize"},
                   [] { resized({{"coordinate_transformation_mode", "tf_crop_and_resize"}}); });
  expectDiagnostic(ExitCode::BadInput, {"'nearest_mode' is 'up'"}, [] { resized({{"nearest_mode", "up"}}); });
}

TEST(OnnxImage, ResizeBySizesAndOfLines) {
  OnnxModel model({0, 1, 3});
  model.integers("sizes", {4, 1, 6});
  model.node("Resize", {"x", "", "", "sizes"}, {"y"});
  // The batch of the sizes is not that of the input, which is symbolic.
  expectDiagnostic(ExitCode::Unsupported, {"not along samples and channels"}, [&] { read(model.finish()); });

  OnnxModel bound({4, 1, 3});
  bound.integers("sizes", {4, 1, 6});
  bound.node("Resize", {"x", "", "", "sizes"}, {"y"});
  EXPECT_EQ(shapeText(read(bound.finish()), "y"), "[4, 1, 6]");
}

/// x of two channels through the five nodes that torch writes for a group normalisation.
std::string groupNorm(float one, std::vector<std::string> names = {"gn.weight", "gn.bias"}) {
  OnnxModel model({0, 4, 3, 3});
  model.floats("ones", {2}, one);
  model.floats("zeros", {2}, 0);
  model.integers("groups", {0, 2, -1});
  model.floats(names[0], {4, 1, 1});
  model.floats(names[1], {4, 1, 1}, 0);
  model.node("Reshape", {"x", "groups"}, {"rows"});
  model.node("InstanceNormalization", {"rows", "ones", "zeros"}, {"normal"});
  model.node("Shape", {"x"}, {"shape"});
  model.node("Reshape", {"normal", "shape"}, {"image"});
  model.node("Mul", {"image", names[0]}, {"scaled"});
  model.node("Add", {names[1], "scaled"}, {"y"});
  return model.finish();
}

TEST(OnnxImage, InstanceNormalizationBetweenReshapesIsOneGroupNorm) {
  std::vector<std::string> notes;
  Graph graph = read(groupNorm(1), &notes);
  EXPECT_EQ(opsOf(graph), "group_norm"); // its vectors are read in the shape that they have in PyTorch
  EXPECT_EQ(graph.nodes.back().integer("groups"), 2);
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_NE(notes[0].find("InstanceNormalization_node"), std::string::npos);
}

TEST(OnnxImage, ScalesOfItsOwnKeepAnInstanceNormalization) {
  EXPECT_EQ(opsOf(read(groupNorm(2))), "reshape group_norm reshape mul add");
}

TEST(OnnxImage, GroupNormalizationHasOneScaleAChannelSinceOpset21) {
  for (int64_t opset : {20, 21}) {
    OnnxModel model({0, 4, 3}, opset);
    model.floats("s", {4});
    OnnxModel::set(model.node("GroupNormalization", {"x", "s", "s"}, {"y"}), "num_groups", int64_t(2));
    if (opset == 21)
      EXPECT_EQ(opsOf(read(model.finish())), "group_norm");
    else
      expectDiagnostic(ExitCode::Unsupported, {"export with opset 21"}, [&] { read(model.finish()); });
  }
}

TEST(OnnxImage, FoldedBatchNormIsReported) {
  std::vector<std::string> notes;
  OnnxModel anonymous({0, 1, 4, 4});
  anonymous.floats("onnx::Conv_12", {2, 1, 3, 3});
  anonymous.node("Conv", {"x", "onnx::Conv_12"}, {"y"});
  read(anonymous.finish(), &notes);
  OnnxModel said({0, 1, 4, 4});
  said.floats("conv.weight", {2, 1, 3, 3});
  auto *entry = said.node("Conv", {"x", "conv.weight"}, {"y"}).add_metadata_props();
  entry->set_key("pkg.onnxscript.rewriter.rule_name");
  entry->set_value("FuseBatchNormIntoConv, RemoveOptionalBiasFromConv");
  read(said.finish(), &notes);
  OnnxModel plain({0, 1, 4, 4});
  plain.floats("conv.weight", {2, 1, 3, 3});
  plain.node("Conv", {"x", "conv.weight"}, {"y"});
  ASSERT_EQ(notes.size(), 2u);
  for (const std::string &note : notes)
    EXPECT_NE(note.find("BatchNormalization was folded"), std::string::npos) << note;
  read(plain.finish(), &notes);
  EXPECT_EQ(notes.size(), 2u);
}

TEST(OnnxImage, MergedParametersGetTheirOwnAgain) {
  OnnxModel model({0, 4});
  model.floats("a.weight", {4});
  model.floats("tied", {4}).set_float_data(1, 2);
  auto add = [&](const std::string &op, const std::vector<std::string> &inputs, const std::string &output,
                 const std::string &module) {
    onnx::NodeProto &node = model.node(op, inputs, {output});
    for (const auto &[key, value] :
         {std::pair<std::string, std::string>("name_scopes", "['', '" + module + "', 'op']"),
          {"fx_node", "%y = op(args = (%x, %p_" + module + "_weight, %p_tied), kwargs = {})"}}) {
      auto *entry = node.add_metadata_props();
      entry->set_key("pkg.torch.onnx." + key);
      entry->set_value(value);
    }
  };
  add("LayerNormalization", {"x", "a.weight", "tied"}, "h", "a");
  add("LayerNormalization", {"h", "a.weight", "tied"}, "i", "b");
  model.floats("val_3", {4, 1, 1});
  add("Mul", {"i", "a.weight"}, "j", "c");
  add("Mul", {"j", "val_3"}, "y", "d");
  std::vector<std::string> notes;
  Graph graph = read(model.finish(), &notes);
  EXPECT_EQ(graph.nodes[0].inputs[1], "a.weight");
  EXPECT_EQ(graph.nodes[1].inputs[1], "b.weight");
  EXPECT_EQ(graph.nodes[2].inputs[1], "c.weight");
  EXPECT_EQ(graph.nodes[3].inputs[1], "d.weight");
  // Elements that differ are no accident: that parameter is shared.
  EXPECT_EQ(graph.nodes[1].inputs[2], "tied");
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_NE(notes[0].find("c.weight"), std::string::npos) << notes[0];
}

/// A Gather of the flat tensor by the places that as_strided writes, with `stride` along the samples.
std::string strided(int64_t stride) {
  OnnxModel model({0, 6, 1});
  for (auto [name, value] :
       {std::pair("zero", int64_t(0)), {"one", int64_t(1)}, {"six", int64_t(6)}, {"stride", stride}})
    model.integers(name, {value}).clear_dims();
  model.integers("flat", {-1});
  model.integers("columns", {1});
  model.integers("rows", {0});
  OnnxModel::set(model.node("Shape", {"x"}, {"n"}), "end", int64_t(1));
  model.node("Squeeze", {"n"}, {"batch"});
  model.node("Range", {"zero", "batch", "one"}, {"samples"});
  model.node("Mul", {"samples", "stride"}, {"starts"});
  model.node("Unsqueeze", {"starts", "columns"}, {"first"});
  model.node("Add", {"zero", "first"}, {"with"});
  model.node("Range", {"zero", "six", "one"}, {"places"});
  model.node("Mul", {"places", "one"}, {"steps"});
  model.node("Unsqueeze", {"steps", "rows"}, {"second"});
  model.node("Add", {"with", "second"}, {"all"});
  model.node("Reshape", {"x", "flat"}, {"line"});
  model.node("Gather", {"line", "all"}, {"y"});
  return model.finish();
}

TEST(OnnxImage, PlacesInOrderAreAReshape) {
  Graph graph = read(strided(6));
  EXPECT_EQ(shapeText(graph, "y"), "[N, 6]");
  EXPECT_EQ(graph.nodes.back().op, "reshape");
  expectDiagnostic(ExitCode::Unsupported, {"all of them in order only"}, [] { read(strided(3)); });
}

TEST(OnnxImage, HostileAttributesGiveOneDiagnostic) {
  auto conv = [](const std::string &name, const Integers &values) {
    return [=](onnx::NodeProto &node) { OnnxModel::set(node, name, values); };
  };
  for (const auto &[name, values] : {std::pair<std::string, Integers>("strides", {0, 1}),
                                     {"strides", {1}},
                                     {"dilations", {INT64_MAX, 1}},
                                     {"pads", {-1, 0, 0, 0}},
                                     {"pads", {1, 1}},
                                     {"kernel_shape", {2, 2}}})
    for (const char *op : {"Conv", "ConvTranspose"})
      expectDiagnostic(ExitCode::BadInput, {"attribute '" + name + "'"},
                       [&] { readNode({0, 2, 5, 5}, op, {{"w", {2, 2, 3, 3}}}, conv(name, values)); });
  expectDiagnostic(ExitCode::BadInput, {"attribute 'group' must be positive"}, [] {
    readNode({0, 2, 5, 5}, "ConvTranspose", {{"w", {2, 2, 3, 3}}},
             [](onnx::NodeProto &node) { OnnxModel::set(node, "group", int64_t(0)); });
  });
  expectDiagnostic(ExitCode::BadInput, {"attribute 'kernel_shape' is missing"},
                   [] { readNode({0, 2, 5, 5}, "MaxPool", {}); });
  expectDiagnostic(ExitCode::Unsupported, {"lines [n, c, w] and images [n, c, h, w]"},
                   [] { readNode({0, 2, 5, 5, 5}, "Conv", {{"w", {2, 2, 3, 3, 3}}}); });
  expectDiagnostic(ExitCode::BadInput, {"2 groups do not divide the 3 channels"}, [] {
    OnnxModel model({0, 3, 4}, 21);
    model.floats("s", {3});
    OnnxModel::set(model.node("GroupNormalization", {"x", "s", "s"}, {"y"}), "num_groups", int64_t(2));
    read(model.finish());
  });
}

} // namespace
} // namespace halfstep
