// The module around the graph: parameters, attributes, the three functions and the loss.
#include "import/ModuleBuilder.h"
#include "import/GraphShapes.h"
#include "import/LossBuilder.h"
#include "import/ModuleBuilderFunction.h"
#include "import/RecipeAttributes.h"

#include "dialect/amp/AmpDialect.h"
#include "dialect/nn/NNDialect.h"
#include "dialect/train/TrainDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Verifier.h"

#include <filesystem>

using namespace mlir;

namespace halfstep {

void loadModelDialects(MLIRContext &context) {
  context.loadDialect<nn::NNDialect, amp::AmpDialect, train::TrainDialect, func::FuncDialect>();
}

namespace {

class Builder {
public:
  Builder(MLIRContext &context, const Graph &graph, const Recipe &recipe, int64_t batch)
      : builder(&context), graph(graph), recipe(recipe), batch(batch),
        element(elementTypeOf(&context, recipe.precision.params == "f64" ? "f64" : "f32")) {
    fileLoc = locationOf(&context, {graph.file, 0, 0, "", 0});
  }

  OwningOpRef<ModuleOp> build() {
    loadModelDialects(*context());
    module = ModuleOp::create(fileLoc, moduleName());
    builder.setInsertionPointToEnd(module->getBody());
    setRecipeAttributes(*module, recipe);
    if (graph.seed >= 0)
      (*module)->setAttr(kModelSeedAttr, builder.getI64IntegerAttr(graph.seed));
    for (const Parameter &parameter : graph.parameters)
      addParameter(parameter);
    applyGroups(*module, recipe);
    checkOutputs();
    addFunction(train::kTrainStep, /*training=*/true, /*loss=*/true, /*outputs=*/false);
    addFunction(train::kEvalStep, /*training=*/false, /*loss=*/true, /*outputs=*/true);
    addFunction(train::kForward, /*training=*/false, /*loss=*/false, /*outputs=*/true);
    if (failed(verify(*module)))
      throw Diagnostic(ExitCode::Internal, graph.file + ": the importer built a module that does not verify");
    return std::move(module);
  }

private:
  OpBuilder builder;
  const Graph &graph;
  const Recipe &recipe;
  int64_t batch;
  Type element;
  Location fileLoc = UnknownLoc::get(builder.getContext());
  OwningOpRef<ModuleOp> module;

  MLIRContext *context() { return builder.getContext(); }
  FloatAttr f64(double value) { return builder.getF64FloatAttr(value); }

  std::string moduleName() const {
    return graph.name.empty() ? std::filesystem::path(graph.file).stem().string() : graph.name;
  }

  ElementsAttr denseData(const Parameter &parameter, RankedTensorType type) {
    const std::vector<double> &data = parameter.init.data;
    if (element.isF64())
      return DenseElementsAttr::get(type, ArrayRef<double>(data));
    std::vector<float> single(data.begin(), data.end());
    return DenseElementsAttr::get(type, ArrayRef<float>(single));
  }

  void addParameter(const Parameter &parameter) {
    static constexpr StringLiteral kinds[] = {"constant", "uniform", "normal", "data"};
    RankedTensorType type = tensorType(parameter.shape, batch, element);
    const Init &init = parameter.init;
    ElementsAttr data;
    if (init.kind == Init::Kind::Data)
      data = denseData(parameter, type);
    train::ParamOp::create(
        builder, locationOf(context(), parameter.place, parameter.name), parameter.name, type,
        train::InitAttr::get(context(), kinds[size_t(init.kind)], f64(init.a), f64(init.b), data),
        parameter.buffer, /*copy_type=*/TypeAttr(),
        /*offsets=*/DenseI64ArrayAttr(), /*split=*/false, /*frozen=*/false, train::OptimizerAttr());
  }

  const Shape &outputShape(const std::string &name) {
    return graph.shapeOf(name, {graph.file, 0, 0, "outputs", 0});
  }

  /// Samples go in and come out by their first extent.
  void checkOutputs() {
    for (const std::string &output : graph.outputs) {
      if (graph.isIds(output))
        throw Diagnostic(ExitCode::BadInput, graph.file + ": the output '" + output +
                                                 "' is an input of ids; an output must be computed");
      RankedTensorType type = tensorType(outputShape(output), batch, element);
      if (type.getRank() == 0 || type.getDimSize(0) != batch)
        throw Diagnostic(ExitCode::BadInput, graph.file + ": the output '" + output + "' has shape " +
                                                 toString(outputShape(output)) +
                                                 "; its first extent must be the batch");
    }
  }

  Type inputElement(const GraphInput &input) {
    return input.type == ElementType::I64 ? Type(builder.getI64Type()) : element;
  }

  /// Rows of the smallest table that the ids of `input` look up; 0 where none does.
  int64_t rowsBehind(const GraphInput &input) const {
    int64_t least = 0;
    for (const Node &node : graph.nodes) {
      if (node.op != "embedding" || graph.sourceOfIds(node.inputs[1]) != input.name)
        continue;
      int64_t rows = graph.shapeOf(node.inputs[0], node.place)[0].size;
      least = least ? std::min(least, rows) : rows;
    }
    return least;
  }

  DictionaryAttr nameAttr(const std::string &name) {
    return builder.getDictionaryAttr(builder.getNamedAttr(kValueNameAttr, builder.getStringAttr(name)));
  }

  /// The target's name: `y`, or the output's when an input already bears that.
  std::string targetName() {
    for (const GraphInput &input : graph.inputs)
      if (input.name == "y")
        return graph.outputs[0];
    return "y";
  }

  /// The first `count` outputs of the model, each marked as such.
  SmallVector<Value> markOutputs(GraphEmitter &emitter, size_t count) {
    SmallVector<Value> results;
    for (const std::string &output : ArrayRef(graph.outputs).take_front(count)) {
      Location loc = NameLoc::get(builder.getStringAttr(output), fileLoc);
      results.push_back(amp::OutputOp::create(builder, loc, emitter.valueOf(output)));
    }
    return results;
  }

  void addFunction(StringRef name, bool training, bool loss, bool outputs) {
    SmallVector<Type> arguments;
    for (const GraphInput &input : graph.inputs)
      arguments.push_back(tensorType(input.shape, batch, inputElement(input)));
    RankedTensorType first = tensorType(outputShape(graph.outputs[0]), batch, element);
    LossBuilder lossBuilder(recipe.loss, first, graph.file, graph.outputs[0]);
    if (loss)
      arguments.push_back(lossBuilder.targetType());
    auto function = func::FuncOp::create(builder, fileLoc, name, builder.getFunctionType(arguments, {}));
    for (auto [i, input] : llvm::enumerate(graph.inputs)) {
      function.setArgAttrs(i, nameAttr(input.name));
      if (int64_t rows = rowsBehind(input))
        function.setArgAttr(i, kClassesAttr, builder.getI64IntegerAttr(rows));
    }
    if (loss) {
      unsigned target = graph.inputs.size();
      function.setArgAttrs(target, nameAttr(targetName()));
      if (int64_t classes = lossBuilder.classes())
        function.setArgAttr(target, kClassesAttr, builder.getI64IntegerAttr(classes));
      if (recipe.loss.ignoreIndex)
        function.setArgAttr(target, kIgnoreAttr, builder.getI64IntegerAttr(*recipe.loss.ignoreIndex));
    }

    OpBuilder::InsertionGuard guard(builder);
    Block *block = function.addEntryBlock();
    builder.setInsertionPointToEnd(block);
    GraphEmitter emitter(builder, graph, batch, element, training);
    for (auto [input, argument] : llvm::zip(graph.inputs, block->getArguments())) {
      argument.setLoc(NameLoc::get(builder.getStringAttr(input.name), fileLoc));
      emitter.bind(input.name, argument);
    }
    emitter.emitNodes();
    SmallVector<Value> results = markOutputs(emitter, outputs ? graph.outputs.size() : 1), returned;
    if (loss) {
      Location loc = NameLoc::get(builder.getStringAttr("loss"), fileLoc);
      LossBuilder::Loss made = lossBuilder.emit(builder, loc, results[0], block->getArguments().back());
      returned.push_back(made.value);
      if (training)
        weighBatch(builder, loc, recipe, batch, made.count);
    }
    if (outputs)
      llvm::append_range(returned, results);
    emitter.emitAssigns();
    func::ReturnOp::create(builder, fileLoc, returned);
    function.setType(builder.getFunctionType(arguments, ValueRange(returned).getTypes()));
    for (unsigned i = 0; i < returned.size(); ++i)
      function.setResultAttrs(i, nameAttr(loss && i == 0 ? "loss" : graph.outputs[i - unsigned(loss)]));
  }
};

} // namespace

OwningOpRef<ModuleOp> buildModule(MLIRContext &context, const Graph &graph, const Recipe &recipe,
                                  int64_t batch) {
  return Builder(context, graph, recipe, batch).build();
}

} // namespace halfstep
