// Overrides of op classes by op and by layer. See Overrides.h.
#include "passes/Overrides.h"

#include "dialect/nn/NNDialect.h"

#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace halfstep {

StringRef layerOf(Operation *op) {
  if (!isa_and_nonnull<nn::NNDialect>(op->getDialect()) || op->hasTrait<OpTrait::ConstantLike>())
    return {};
  auto name = op->getLoc()->findInstanceOf<NameLoc>();
  return name ? name.getName().getValue() : StringRef();
}

StringRef precisionKeyOf(Operation *op) {
  auto keyed = dyn_cast<PrecisionClassOpInterface>(op);
  return keyed ? keyed.getPrecisionKey() : StringRef();
}

static size_t literalsOf(StringRef pattern) {
  return llvm::count_if(pattern, [](char c) { return c != '*' && c != '?'; });
}

/// The entries of `globs` that match with the most literal characters.
static SmallVector<NamedAttribute> bestMatches(DictionaryAttr globs, StringRef layer) {
  SmallVector<NamedAttribute> best;
  for (NamedAttribute glob : globs) {
    if (!matchesGlob(glob.getName(), layer))
      continue;
    size_t literals = literalsOf(glob.getName());
    size_t most = best.empty() ? 0 : literalsOf(best.front().getName());
    if (literals > most)
      best.clear();
    if (literals >= most)
      best.push_back(glob);
  }
  return best;
}

static std::optional<PrecisionClass> classIn(NamedAttribute entry) {
  auto name = dyn_cast<StringAttr>(entry.getValue());
  return name ? parsePrecisionClass(name) : std::nullopt;
}

static Override overrideOf(StringRef kind, NamedAttribute entry) {
  return {*classIn(entry), (kind + " '" + entry.getName().getValue() + "'").str()};
}

std::optional<Override> findOverride(amp::PolicyAttr policy, Operation *op) {
  StringRef layer = layerOf(op), key = precisionKeyOf(op);
  if (DictionaryAttr layers = policy.getLayers(); layers && !layer.empty())
    if (SmallVector<NamedAttribute> best = bestMatches(layers, layer); !best.empty())
      return overrideOf("layers", best.front());
  if (DictionaryAttr ops = policy.getOps(); ops && !key.empty())
    if (std::optional<NamedAttribute> entry = ops.getNamed(key))
      return overrideOf("ops", *entry);
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Checks
//===----------------------------------------------------------------------===//

/// The names of a model that overrides can match, each once, in program order.
using Names = llvm::SetVector<StringRef>;

/// "; did you mean 'a'?" or, where nothing is near, some of what there is.
static std::string hintFor(StringRef word, const Names &names) {
  // Names longer than a spec may have are near none; this also bounds the work on hostile models.
  constexpr size_t longest = 256;
  Names near;
  for (StringRef name : names)
    if (name.size() <= longest)
      near.insert(name);
  if (near.empty())
    return "";
  StringRef best = *llvm::min_element(
      near, [&](StringRef a, StringRef b) { return word.edit_distance(a) < word.edit_distance(b); });
  if (word.edit_distance(best) <= std::max<size_t>(2, word.size() / 3))
    return ("; did you mean '" + best + "'?").str();
  constexpr size_t most = 8;
  std::string text = "; it has ";
  for (StringRef name : near.getArrayRef().take_front(most))
    text += (name == near.front() ? "'" : ", '") + name.str() + "'";
  return text + (near.size() > most ? ", ..." : "");
}

static LogicalResult checkEntries(ModuleOp module, StringRef kind, StringRef what, DictionaryAttr entries,
                                  const Names &names, bool globs) {
  for (NamedAttribute entry : entries ? entries.getValue() : ArrayRef<NamedAttribute>()) {
    StringRef key = entry.getName();
    if (!classIn(entry))
      return module.emitError() << "precision spec: " << kind << " '" << key << "' is " << entry.getValue()
                                << ", expected lower, fp32, fp32_out, promote, banned or untouched";
    if (llvm::none_of(names, [&](StringRef name) { return globs ? matchesGlob(key, name) : key == name; }))
      return module.emitError() << "precision spec: " << kind << " '" << key << "' matches no " << what
                                << " of the model" << hintFor(key, names);
  }
  return success();
}

/// Globs that decide for one layer must agree.
static LogicalResult checkTies(Operation *op, DictionaryAttr layers) {
  SmallVector<NamedAttribute> best = bestMatches(layers, layerOf(op));
  for (NamedAttribute other : best)
    if (other.getValue() != best.front().getValue())
      return op->emitError() << "precision spec: layers '" << best.front().getName().getValue() << "' and '"
                             << other.getName().getValue() << "' match with equally many characters and say "
                             << best.front().getValue() << " and " << other.getValue()
                             << "; make one of them longer";
  return success();
}

LogicalResult checkOverrides(ModuleOp module, amp::PolicyAttr policy) {
  if (!policy.getOps() && !policy.getLayers())
    return success();
  Names layers, keys;
  SmallVector<Operation *> named;
  module.walk([&](Operation *op) {
    if (StringRef key = precisionKeyOf(op); !key.empty())
      keys.insert(key);
    if (StringRef layer = layerOf(op); !layer.empty()) {
      layers.insert(layer);
      named.push_back(op);
    }
  });
  if (failed(checkEntries(module, "ops", "op", policy.getOps(), keys, /*globs=*/false)) ||
      failed(checkEntries(module, "layers", "layer", policy.getLayers(), layers, /*globs=*/true)))
    return failure();
  for (Operation *op : policy.getLayers() ? named : SmallVector<Operation *>())
    if (failed(checkTies(op, policy.getLayers())))
      return failure();
  return success();
}

} // namespace halfstep
