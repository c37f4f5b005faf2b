// Reads a model file, tells its kind by content, and dispatches to the reader of that kind.
#include "import/Import.h"
#include "import/JsonReader.h"
#include "import/ModuleBuilder.h"
#include "import/OnnxReader.h"
#include "import/RecipeAttributes.h"

#include "dialect/amp/AmpDialect.h"
#include "dialect/train/TrainDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

using namespace mlir;

namespace halfstep {

/// protobuf's own limit; no model in another form comes near.
static constexpr uintmax_t kMaxFileBytes = (uintmax_t(1) << 31) - 1;

std::string readModelFile(const std::string &path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error))
    throw Diagnostic(ExitCode::Io, path + ": is a folder, expected a model file");
  std::ifstream stream(path, std::ios::binary);
  if (!stream)
    throw Diagnostic(ExitCode::Io, path + ": cannot open: " + std::strerror(errno));
  uintmax_t size = std::filesystem::file_size(path, error);
  if (!error && size > kMaxFileBytes)
    throw Diagnostic(ExitCode::BadInput, path + ": larger than 2 GiB");
  std::string content{std::istreambuf_iterator<char>(stream), {}};
  if (stream.bad())
    throw Diagnostic(ExitCode::Io, path + ": cannot read: " + std::strerror(errno));
  if (content.empty())
    throw Diagnostic(ExitCode::BadInput, path + ": is empty");
  return content;
}

ModelKind kindOfModel(const std::string &content) {
  constexpr size_t probe = 4096;
  std::string_view head(content.data(), std::min(content.size(), probe));
  auto isControl = [](unsigned char c) { return c < 0x20 && !std::strchr("\t\n\r\f", c); };
  if (std::any_of(head.begin(), head.end(), [&](char c) { return c == 0 || isControl(c); }))
    return ModelKind::Onnx;
  // A byte order mark may stand before JSON.
  size_t first = head.find_first_not_of("\xef\xbb\xbf \t\r\n");
  if (first != std::string_view::npos && (head[first] == '[' || head.substr(first, 1) == "{"))
    return ModelKind::Json;
  return ModelKind::Mlir;
}

/// MLIR's parser recurses once a nested bracket: a file with absurd depth must not exhaust the stack.
static void checkNesting(const std::string &content, const std::string &path) {
  constexpr int64_t maxDepth = 500;
  int64_t depth = 0;
  char before = 0;
  for (char c : content) {
    if (std::strchr("([{<", c) && c)
      ++depth;
    else if (c && (std::strchr(")]}", c) || (c == '>' && before != '-')))
      depth = std::max<int64_t>(0, depth - 1);
    if (depth > maxDepth)
      throw Diagnostic(ExitCode::BadInput,
                       path + ": brackets nested deeper than " + std::to_string(maxDepth));
    before = c;
  }
}

/// The three functions must be there, with the batch asked for.
static void checkMlirModule(ModuleOp module, const std::string &path, int64_t batch) {
  for (StringRef name : {train::kTrainStep, train::kEvalStep, train::kForward}) {
    auto function = module.lookupSymbol<func::FuncOp>(name);
    if (!function)
      throw Diagnostic(ExitCode::BadInput, path + ": has no function @" + name.str() +
                                               "; a model needs @train_step, @eval_step and @forward");
    for (Type type : function.getArgumentTypes()) {
      auto tensor = dyn_cast<RankedTensorType>(type);
      if (!tensor || !tensor.hasStaticShape() || tensor.getRank() == 0)
        throw Diagnostic(ExitCode::BadInput,
                         path + ": the arguments of @" + name.str() + " must be tensors of static shape");
      if (tensor.getDimSize(0) != batch)
        throw Diagnostic(ExitCode::BadInput, path + ": @" + name.str() + " is for a batch of " +
                                                 std::to_string(tensor.getDimSize(0)) + ", asked for " +
                                                 std::to_string(batch) + "; use --batch " +
                                                 std::to_string(tensor.getDimSize(0)));
    }
  }
}

/// "file:line:column: " of a location in the file at `path`.
static std::string placeOf(const std::string &path, Location loc) {
  auto at = loc->findInstanceOf<FileLineColLoc>();
  return path + (at ? ":" + std::to_string(at.getLine()) + ":" + std::to_string(at.getColumn()) : "") + ": ";
}

/// Every value is a tensor whose extents are numbers: the memory plan and the kernels need them.
static void checkStaticShapes(ModuleOp module, const std::string &path) {
  module.walk([&](Operation *op) {
    for (Type type : op->getResultTypes()) {
      auto tensor = dyn_cast<RankedTensorType>(type);
      if (tensor && tensor.hasStaticShape())
        continue;
      std::string shown;
      llvm::raw_string_ostream(shown) << type;
      throw Diagnostic(ExitCode::BadInput,
                       placeOf(path, op->getLoc()) + "'" + op->getName().getStringRef().str() +
                           "' has a result of type " + shown + ", expected a tensor of static shape");
    }
  });
}

/// Gradients, updates and kernels are what the passes make of a model; they make them once.
static void checkIsModel(ModuleOp module, const std::string &path) {
  module.walk([&](Operation *op) {
    if (isa<train::GradientOp, train::UpdateOp, train::WeighOp, train::KernelOp, amp::CheckFiniteOp>(op))
      throw Diagnostic(ExitCode::BadInput,
                       placeOf(path, op->getLoc()) + "'" + op->getName().getStringRef().str() +
                           "' is what the compiler adds to a model; expected the model alone, "
                           "as 'halfstep inspect --after import' prints it");
  });
}

static OwningOpRef<ModuleOp> readMlir(MLIRContext &context, const std::string &content,
                                      const std::string &path, const Recipe &recipe, int64_t batch) {
  checkNesting(content, path);
  loadModelDialects(context);
  std::string first;
  ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() == DiagnosticSeverity::Error && first.empty())
      first = placeOf(path, diagnostic.getLocation()) + diagnostic.str();
    return success();
  });
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(content, ParserConfig(&context), path);
  if (!module)
    throw Diagnostic(ExitCode::BadInput, first.empty() ? path + ": not a module" : first);
  checkMlirModule(*module, path, batch);
  checkStaticShapes(*module, path);
  checkIsModel(*module, path);
  setRecipeAttributes(*module, recipe);
  applyGroups(*module, recipe);
  // What is no step is found later.
  if (auto step = module->lookupSymbol<func::FuncOp>(train::kTrainStep); step.getBody().hasOneBlock()) {
    OpBuilder builder(step.getBody().front().getTerminator());
    weighBatch(builder, step.getLoc(), recipe, batch, /*count=*/Value());
  }
  return module;
}

OwningOpRef<ModuleOp> importModel(MLIRContext &context, const std::string &path, const Recipe &recipe,
                                  int64_t batch, const NoteSink &note) {
  std::string content = readModelFile(path);
  switch (kindOfModel(content)) {
  case ModelKind::Mlir:
    return readMlir(context, content, path, recipe, batch);
  case ModelKind::Json:
    return buildModule(context, readJsonModel(content, path, batch), recipe, batch);
  case ModelKind::Onnx:
    return buildModule(context, readOnnxModel(content, path, batch, note), recipe, batch);
  }
  llvm_unreachable("all kinds of file are handled");
}

} // namespace halfstep
