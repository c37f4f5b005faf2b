// See Description.h.
#include "codegen/library/Description.h"

#include "dialect/train/TrainDialect.h"
#include "import/ModuleBuilder.h"
#include "passes/ArenaOffsets.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/SHA256.h"

#include <algorithm>
#include <numeric>

using namespace mlir;

namespace halfstep {

static func::FuncOp functionOf(ModuleOp module, StringRef name) {
  return module.lookupSymbol<func::FuncOp>(name);
}

static hs_dtype dtypeOf(Type type) {
  if (type.isF64())
    return HS_F64;
  if (type.isF16())
    return HS_F16;
  if (type.isBF16())
    return HS_BF16;
  if (type.isInteger(64))
    return HS_I64;
  if (type.isInteger(32))
    return HS_I32;
  if (type.isInteger(8))
    return HS_U8;
  return HS_F32;
}

const char *typeName(hs_dtype type) {
  static constexpr const char *names[] = {"f32", "f64", "f16", "bf16", "i64", "i32", "u8"};
  return names[type];
}

static int64_t countOf(ArrayRef<int64_t> shape) {
  return std::accumulate(shape.begin(), shape.end(), int64_t(1), std::multiplies<>());
}

int64_t TensorDescription::count() const { return countOf(shape); }

bool LibraryDescription::hasPrimitives() const {
  return llvm::any_of(variants,
                      [](const VariantDescription &variant) { return !variant.primitives.empty(); });
}

//===----------------------------------------------------------------------===//
// Signatures
//===----------------------------------------------------------------------===//

void checkSignatures(ModuleOp imported, const std::string &file) {
  auto require = [&](bool holds, const char *what) {
    if (!holds)
      throw Diagnostic(ExitCode::BadInput, file + ": " + what);
  };
  for (StringRef name : {train::kTrainStep, train::kEvalStep, train::kForward})
    require(functionOf(imported, name).getBody().hasOneBlock(),
            "@train_step, @eval_step and @forward must have a body of one block");
  FunctionType train = functionOf(imported, train::kTrainStep).getFunctionType();
  FunctionType eval = functionOf(imported, train::kEvalStep).getFunctionType();
  FunctionType forward = functionOf(imported, train::kForward).getFunctionType();
  size_t inputs = forward.getNumInputs();
  require(inputs > 0, "@forward has no arguments, expected the model's inputs");
  require(train.getInputs() == eval.getInputs(), "@train_step and @eval_step must take the same arguments");
  require(train.getNumInputs() >= inputs && train.getInputs().take_front(inputs) == forward.getInputs(),
          "the arguments of @train_step must begin with those of @forward");
  auto isLoss = [](Type type) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    return tensor && tensor.getRank() == 0 && isa<FloatType>(tensor.getElementType());
  };
  require(train.getNumResults() == 1 && isLoss(train.getResult(0)),
          "@train_step must return the loss, a float tensor of rank 0");
  require(eval.getNumResults() > 0 && isLoss(eval.getResult(0)) &&
              eval.getResults().drop_front() == forward.getResults(),
          "@eval_step must return the loss and then what @forward returns");
  for (Type type : forward.getResults()) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    require(tensor && tensor.hasStaticShape() && tensor.getRank() > 0 && tensor.getNumElements() > 0 &&
                tensor.getDimSize(0) == cast<RankedTensorType>(forward.getInput(0)).getDimSize(0),
            "each result of @forward must be a tensor of static shape that begins with the batch");
  }
}

void checkSizes(ModuleOp imported, const std::string &file) {
  // No machine addresses more; below it, no sum of sizes that later stages form can overflow.
  constexpr int64_t mostBytes = int64_t(1) << 46;
  int64_t left = mostBytes;
  auto take = [&](Type type) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor || !tensor.hasStaticShape() || llvm::is_contained(tensor.getShape(), 0))
      return;
    int64_t bytes = std::max(1u, tensor.getElementTypeBitWidth() / 8);
    for (int64_t extent : tensor.getShape()) {
      if (extent > mostBytes / bytes)
        throw Diagnostic(ExitCode::Memory, file + ": a tensor of the step is larger than 64 TiB");
      bytes *= extent;
    }
    left -= std::min(left, bytes);
  };
  imported.walk([&](Operation *op) {
    llvm::for_each(op->getResultTypes(), take);
    if (auto param = dyn_cast<train::ParamOp>(op))
      take(param.getTensorType());
  });
  if (left == 0)
    throw Diagnostic(ExitCode::Memory, file + ": the tensors of the step are larger than 64 TiB together");
}

//===----------------------------------------------------------------------===//
// Tensors and parameters
//===----------------------------------------------------------------------===//

static TensorDescription tensor(Type type, DictionaryAttr attributes, const std::string &fallback) {
  auto ranked = cast<RankedTensorType>(type);
  auto name = attributes ? attributes.getAs<StringAttr>(kValueNameAttr) : StringAttr();
  auto classes = attributes ? attributes.getAs<IntegerAttr>(kClassesAttr) : IntegerAttr();
  TensorDescription description;
  description.name = name ? name.str() : fallback;
  description.type = dtypeOf(ranked.getElementType());
  description.shape = ranked.getShape().vec();
  description.classes = classes ? classes.getInt() : 0;
  if (auto ignore = attributes ? attributes.getAs<IntegerAttr>(kIgnoreAttr) : IntegerAttr())
    description.ignore = ignore.getInt();
  return description;
}

/// A model in MLIR need not name its values.
static std::string fallbackName(const char *stem, unsigned index) {
  return index ? stem + std::to_string(index) : stem;
}

static void describeTensors(ModuleOp planned, LibraryDescription &library) {
  func::FuncOp train = functionOf(planned, train::kTrainStep), forward = functionOf(planned, train::kForward);
  unsigned inputs = forward.getNumArguments();
  for (unsigned i = 0; i < train.getNumArguments(); ++i) {
    bool input = i < inputs;
    std::string fallback = input ? fallbackName("x", i) : fallbackName("y", i - inputs);
    (input ? library.inputs : library.targets)
        .push_back(tensor(train.getArgumentTypes()[i], train.getArgAttrDict(i), fallback));
  }
  for (unsigned i = 0; i < forward.getNumResults(); ++i)
    library.outputs.push_back(
        tensor(forward.getResultTypes()[i], forward.getResultAttrDict(i), fallbackName("output", i)));
}

static hs_init_kind initKind(StringRef kind) {
  return kind == "uniform"  ? HS_INIT_UNIFORM
         : kind == "normal" ? HS_INIT_NORMAL
         : kind == "data"   ? HS_INIT_DATA
                            : HS_INIT_CONSTANT;
}

static std::string initialData(train::ParamOp param) {
  auto dense = dyn_cast_or_null<DenseElementsAttr>(param.getInit().getData());
  if (!dense)
    throw Diagnostic(ExitCode::Internal,
                     "the initial values of '" + param.getSymName().str() + "' are not dense");
  ArrayRef<char> raw = dense.getRawData();
  std::string bytes;
  for (int64_t copies = dense.isSplat() ? param.getTensorType().getNumElements() : 1; copies > 0; --copies)
    bytes.append(raw.data(), raw.size());
  return bytes;
}

/// All but the initial data.
static ParamDescription parameter(train::ParamOp param) {
  RankedTensorType type = param.getTensorType();
  train::InitAttr init = param.getInit();
  ParamDescription description;
  description.name = param.getSymName().str();
  description.type = dtypeOf(type.getElementType());
  description.shape = type.getShape().vec();
  description.count = type.getNumElements();
  description.buffer = param.getBuffer();
  description.split = param.getSplit();
  description.frozen = param.getFrozen();
  description.offset = paramOffset(param, 0);
  description.copyOffset = paramOffset(param, 1);
  description.copyType = param.getCopyType() ? dtypeOf(*param.getCopyType()) : description.type;
  for (unsigned slot = 0; slot < HS_MAX_SLOTS; ++slot)
    description.slots[slot] = paramOffset(param, 2 + slot);
  description.init = initKind(init.getKind());
  description.a = init.getA().getValueAsDouble();
  description.b = init.getB().getValueAsDouble();
  return description;
}

/// Groups do not differ in what state they need.
static std::vector<OptimizerSlot> slotsOf(ModuleOp planned) {
  static_assert(HS_MAX_SLOTS + 2 == kParamParts);
  auto slots = planned->getAttrOfType<train::OptimizerAttr>(train::kOptimizerAttrName).slots();
  return {slots.begin(), slots.end()};
}

static int64_t moduleBytes(ModuleOp planned, StringRef attribute) {
  auto bytes = planned->getAttrOfType<IntegerAttr>(attribute);
  if (!bytes)
    throw Diagnostic(ExitCode::Internal, "the module has no memory plan");
  return bytes.getInt();
}

LibraryDescription describe(ModuleOp planned, const Recipe &recipe, const std::string &name) {
  LibraryDescription library;
  library.name = name;
  library.recipe = recipe;
  library.recipeText = writeRecipe(recipe);
  library.recipeSha256 = llvm::toHex(llvm::SHA256::hash(llvm::arrayRefFromStringRef(library.recipeText)),
                                     /*LowerCase=*/true);
  library.stateBytes = moduleBytes(planned, kStateBytesAttr);
  library.seed = library.recipe.seed;
  if (auto seed = planned->getAttrOfType<IntegerAttr>(kModelSeedAttr); seed && library.seed == 0)
    library.seed = uint64_t(seed.getInt());
  library.slots = slotsOf(planned);
  describeTensors(planned, library);
  for (auto param : planned.getOps<train::ParamOp>()) {
    library.params.push_back(parameter(param));
    if (library.params.back().init == HS_INIT_DATA)
      library.params.back().data = initialData(param);
  }
  return library;
}

//===----------------------------------------------------------------------===//
// Variants
//===----------------------------------------------------------------------===//

static std::vector<int64_t> outputOffsets(func::FuncOp function, unsigned skipped) {
  std::vector<int64_t> offsets;
  Operation *terminator = function.getBody().front().getTerminator();
  for (Value output : terminator->getOperands().drop_front(skipped)) {
    std::optional<int64_t> offset = arenaOffset(output);
    if (!offset)
      throw Diagnostic(ExitCode::Internal,
                       "an output of @" + function.getName().str() + " has no place in the arena");
    offsets.push_back(*offset);
  }
  return offsets;
}

static bool sameState(const ParamDescription &a, const ParamDescription &b) {
  return a.name == b.name && a.type == b.type && a.shape == b.shape && a.offset == b.offset &&
         a.split == b.split && a.copyOffset == b.copyOffset && a.copyType == b.copyType && a.slots == b.slots;
}

void addVariant(LibraryDescription &library, ModuleOp planned, int64_t batch,
                std::vector<hs_primitive_desc> primitives) {
  std::vector<ParamDescription> params;
  for (auto param : planned.getOps<train::ParamOp>())
    params.push_back(parameter(param));
  if (moduleBytes(planned, kStateBytesAttr) != library.stateBytes ||
      !std::equal(params.begin(), params.end(), library.params.begin(), library.params.end(), sameState))
    throw Diagnostic(ExitCode::Internal, "the state for a batch of " + std::to_string(batch) +
                                             " lies elsewhere than that for " +
                                             std::to_string(library.recipe.batch));
  library.arenaBytes = std::max(library.arenaBytes, moduleBytes(planned, kArenaBytesAttr));
  VariantDescription variant;
  variant.batch = batch;
  variant.evalOutputs = outputOffsets(functionOf(planned, train::kEvalStep), /*skipped=*/1);
  variant.forwardOutputs = outputOffsets(functionOf(planned, train::kForward), /*skipped=*/0);
  variant.primitives = std::move(primitives);
  library.variants.push_back(std::move(variant));
}

std::string symbolPrefix(int64_t batch, StringRef level) {
  // No library's name begins with hs_: mangleIdentifier.
  std::string prefix = "hs_b" + std::to_string(batch) + "_" + level.str();
  std::replace(prefix.begin(), prefix.end(), '-', '_');
  return prefix;
}

llvm::StringSet<> stepNames(const std::string &prefix) {
  llvm::StringSet<> names;
  for (StringRef suffix : {kTrainSuffix, kEvalSuffix, kForwardSuffix})
    names.insert(prefix + suffix.str());
  return names;
}

} // namespace halfstep
