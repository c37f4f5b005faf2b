// See RecipeAttributes.h.
#include "import/RecipeAttributes.h"

#include "dialect/amp/AmpDialect.h"
#include "dialect/interfaces/Glob.h"
#include "dialect/train/TrainDialect.h"

using namespace mlir;

namespace halfstep {

Type elementTypeOf(MLIRContext *context, const std::string &name) {
  if (name == "f64")
    return Float64Type::get(context);
  if (name == "bf16")
    return BFloat16Type::get(context);
  if (name == "f16")
    return Float16Type::get(context);
  return Float32Type::get(context);
}

/// Overrides as an attribute; null when there are none.
static DictionaryAttr classesOf(MLIRContext *context, const std::map<std::string, std::string> &classes) {
  if (classes.empty())
    return {};
  SmallVector<NamedAttribute> entries;
  for (const auto &[key, name] : classes)
    entries.emplace_back(StringAttr::get(context, key), StringAttr::get(context, name));
  return DictionaryAttr::get(context, entries);
}

static amp::PolicyAttr policyOf(MLIRContext *context, const PrecisionSpec &p) {
  // Absent where it is what every module has.
  Type output = p.convert && p.output != "f32" ? elementTypeOf(context, p.output) : Type();
  return amp::PolicyAttr::get(
      context, p.name, elementTypeOf(context, p.params), elementTypeOf(context, p.compute), p.casts, p.lists,
      p.rounding, p.scaler, FloatAttr::get(Float64Type::get(context), p.lossScale), output, p.convert, p.keep,
      p.masters, p.update, classesOf(context, p.ops), classesOf(context, p.layers));
}

/// The constants that differ from their defaults, after `changed`.
static train::OptimizerAttr optimizerOf(MLIRContext *context, const Recipe &recipe,
                                        const std::map<std::string, double> &changed) {
  const OptimizerRow &row = *findOptimizer(recipe.optimizer.kind);
  SmallVector<NamedAttribute> constants;
  auto add = [&](const OptimizerConstant &constant) {
    std::string name(constant.name);
    auto own = changed.find(name);
    double value = own != changed.end()   ? own->second
                   : name == "clip_value" ? recipe.clipValue
                                          : recipe.optimizer.constant(name);
    if (value == constant.fallback)
      return;
    Attribute attribute = constant.range == OptimizerConstant::Range::Switch
                              ? Attribute(BoolAttr::get(context, value != 0))
                              : FloatAttr::get(Float64Type::get(context), value);
    constants.emplace_back(StringAttr::get(context, name), attribute);
  };
  llvm::for_each(row.constants, add);
  llvm::for_each(commonConstants(), add);
  return train::OptimizerAttr::get(context, row.kind, DictionaryAttr::get(context, constants));
}

void setRecipeAttributes(ModuleOp module, const Recipe &recipe) {
  MLIRContext *context = module.getContext();
  module->setAttr(amp::kPolicyAttrName, policyOf(context, recipe.precision));
  module->setAttr(train::kOptimizerAttrName, optimizerOf(context, recipe, {}));
}

//===----------------------------------------------------------------------===//
// Groups
//===----------------------------------------------------------------------===//

static void apply(train::ParamOp param, const GroupSpec &group, const Recipe &recipe) {
  param.setFrozen(group.frozen);
  std::map<std::string, double> changed;
  if (group.weightDecay)
    changed["weight_decay"] = *group.weightDecay;
  if (group.lr || group.lrScale)
    changed["lr_scale"] = group.lr ? *group.lr / recipe.optimizer.lr : *group.lrScale;
  train::OptimizerAttr common = optimizerOf(param.getContext(), recipe, {}),
                       own = optimizerOf(param.getContext(), recipe, changed);
  if (own != common)
    param.setOptimizerAttr(own);
}

/// "; did you mean 'fc1.bias'?" or some of the names that there are.
static std::string hintFor(const std::string &pattern, const std::vector<std::string> &names) {
  std::string near = nearestHint(pattern, names);
  if (!near.empty() || names.empty())
    return near;
  constexpr size_t most = 8;
  std::vector<std::string> some(names.begin(), names.begin() + long(std::min(most, names.size())));
  return "; it has " + quotedList(some) + (names.size() > most ? ", ..." : "");
}

void applyGroups(ModuleOp module, const Recipe &recipe) {
  const std::vector<GroupSpec> &groups = recipe.optimizer.groups;
  std::vector<std::string> names;
  std::vector<bool> matched(groups.size());
  for (auto param : module.getOps<train::ParamOp>()) {
    if (param.getBuffer())
      continue;
    names.push_back(param.getSymName().str());
    bool decided = false;
    for (auto [i, group] : llvm::enumerate(groups)) {
      if (!matchesGlob(group.match, param.getSymName()))
        continue;
      matched[i] = true;
      if (!decided)
        apply(param, group, recipe);
      decided = true;
    }
  }
  for (auto [i, group] : llvm::enumerate(groups))
    if (!matched[i])
      throw Diagnostic(ExitCode::BadInput, "/optimizer/groups/" + std::to_string(i) + "/match: '" +
                                               group.match + "' matches no parameter of the model" +
                                               hintFor(group.match, names));
}

void weighBatch(OpBuilder &builder, Location loc, const Recipe &recipe, int64_t batch, Value count) {
  if (recipe.accumulate == 1)
    return;
  bool isMean = recipe.loss.reduction == "mean";
  FloatAttr samples = isMean && !count ? builder.getF64FloatAttr(double(batch)) : FloatAttr();
  train::WeighOp::create(builder, loc, count, samples);
}

} // namespace halfstep
