// See ModelTable.h.
#include "codegen/library/ModelTable.h"
#include "codegen/cpu/CpuLevel.h"
#include "codegen/library/Record.h"

#include "llvm/IR/IRBuilder.h"

#include <numeric>

using namespace llvm;

namespace halfstep {
namespace {

class TableWriter {
public:
  TableWriter(Module &module, const LibraryDescription &library) : module(module), library(library) {}

  Constant *write() {
    RecordArray<hs_model> table(1);
    hs_model &model = table.items[0];
    setNumbers(model);
    table.point(model.name, addString(module, library.name.c_str()));
    table.point(model.precision, addString(module, library.recipe.precision.name.c_str()));
    table.point(model.recipe_sha256, addString(module, library.recipeSha256.c_str()));
    table.point(model.params, params());
    for (auto [i, slot] : enumerate(library.slots)) {
      table.point(model.slot_name[i], addString(module, std::string(slot.name).c_str()));
      if (!slot.initial.empty())
        model.slot_init[i] = library.recipe.optimizer.constant(std::string(slot.initial));
    }
    table.point(model.inputs, tensors("inputs", library.inputs));
    table.point(model.targets, tensors("targets", library.targets));
    table.point(model.outputs, tensors("outputs", library.outputs));
    table.point(model.variants, variants());
    if (library.hasPrimitives())
      table.point(model.primitive_ops, named("hs_onednn_primitive_ops"));
    return table.write(module, "hs_model");
  }

private:
  Module &module;
  const LibraryDescription &library;

  void setNumbers(hs_model &model) const {
    const Recipe &recipe = library.recipe;
    model.abi = HS_ABI;
    model.state_bytes = library.stateBytes;
    model.arena_bytes = library.arenaBytes;
    model.scratch_bytes = library.scratchBytes;
    model.param_count = int32_t(library.params.size());
    model.input_count = int32_t(library.inputs.size());
    model.target_count = int32_t(library.targets.size());
    model.output_count = int32_t(library.outputs.size());
    model.variant_count = int32_t(library.variants.size());
    model.lr = float(recipe.optimizer.lr);
    model.clip_norm = float(recipe.clipNorm);
    model.has_scaler = recipe.precision.scaler;
    model.loss_scale = float(recipe.precision.lossScale);
    const ScalerSpec &scaling = recipe.precision.scaling;
    model.growth = scaling.growth;
    model.backoff = scaling.backoff;
    model.growth_interval = int32_t(scaling.interval);
    // torch's scaler has no floor: there the minimum is the trainer's alone.
    model.scale_min = scaling.preset == "torch" ? 0 : float(scaling.min.value_or(0));
    model.scale_max = float(scaling.max.value_or(0));
    model.hysteresis = int32_t(scaling.hysteresis);
    model.hysteresis_refill = !scaling.refillAtGrowth;
    model.seed = library.seed;
    model.accumulates = recipe.accumulate > 1;
  }

  Constant *named(StringRef name) {
    Constant *found = module.getNamedValue(name);
    if (!found)
      throw Diagnostic(ExitCode::Internal, "the code of the library lacks '" + name.str() + "'");
    return found;
  }

  Constant *initialData(const ParamDescription &param) {
    return param.init == HS_INIT_DATA
               ? addBytes(module, "initial_values", param.data.data(), param.data.size(), HS_ALIGNMENT)
               : nullptr;
  }

  Constant *params() {
    RecordArray<hs_param_desc> table(library.params.size());
    for (auto [item, param] : zip(table.items, library.params)) {
      item.info.struct_size = sizeof item.info;
      item.info.dtype = param.type;
      item.info.rank = int32_t(param.shape.size());
      item.info.count = param.count;
      item.info.kind = param.buffer ? HS_BUFFER : HS_PARAMETER;
      item.offset = param.split ? -1 : param.offset;
      item.low_offset = param.split ? param.offset : -1;
      item.copy_offset = param.copyOffset;
      item.copy_dtype = param.copyType;
      for (size_t i = 0; i < HS_MAX_SLOTS; ++i)
        item.slot_offset[i] = param.slots[i];
      item.slot_dtype = param.type;
      item.init = param.init;
      item.init_a = param.a;
      item.init_b = param.b;
      table.point(item.info.name, addString(module, param.name.c_str()));
      table.point(item.info.shape, addValues(module, "shape", param.shape));
      table.point(item.init_data, initialData(param));
    }
    return table.write(module, "params");
  }

  Constant *tensors(const char *name, const std::vector<TensorDescription> &tensors) {
    RecordArray<hs_tensor_desc> table(tensors.size());
    for (auto [item, tensor] : zip(table.items, tensors)) {
      item.dtype = tensor.type;
      item.rank = int32_t(tensor.shape.size());
      item.classes = tensor.classes;
      item.batched = 1;
      item.has_ignore = tensor.ignore.has_value();
      item.ignore = tensor.ignore.value_or(0);
      table.point(item.name, addString(module, tensor.name.c_str()));
      table.point(item.shape, addValues(module, "shape", tensor.shape));
    }
    return table.write(module, name);
  }

  Constant *variants() {
    RecordArray<hs_variant_desc> table(library.variants.size());
    for (auto [item, variant] : zip(table.items, library.variants)) {
      item.batch = variant.batch;
      item.primitive_count = int32_t(variant.primitives.size());
      table.point(item.primitives, addValues(module, "primitives", variant.primitives));
      table.point(item.eval_output_offset, addValues(module, "offsets", variant.evalOutputs));
      table.point(item.forward_output_offset, addValues(module, "offsets", variant.forwardOutputs));
      for (auto [i, level] : enumerate(cpuLevels())) {
        if (!library.levels[i])
          continue;
        std::string prefix = symbolPrefix(variant.batch, level.name);
        table.point(item.train[i], named(prefix + kTrainSuffix.str()));
        table.point(item.eval[i], named(prefix + kEvalSuffix.str()));
        table.point(item.forward[i], named(prefix + kForwardSuffix.str()));
      }
    }
    return table.write(module, "variants");
  }
};

/// Adds `symbol`, which passes `first`, if given, and its arguments to `target`.
void addThunk(Function *target, const std::string &symbol, Constant *first) {
  LLVMContext &context = target->getContext();
  FunctionType *type = target->getFunctionType();
  type =
      FunctionType::get(type->getReturnType(), type->params().drop_front(first ? 1 : 0), /*isVarArg=*/false);
  auto *thunk = Function::Create(type, GlobalValue::ExternalLinkage, symbol, target->getParent());
  thunk->addFnAttrs(AttrBuilder(context, target->getAttributes().getFnAttrs()));
  IRBuilder<> builder(BasicBlock::Create(context, "", thunk));
  SmallVector<Value *> arguments;
  if (first)
    arguments.push_back(first);
  for (Argument &argument : thunk->args())
    arguments.push_back(&argument);
  CallInst *call = builder.CreateCall(target, arguments);
  call->setTailCall();
  if (type->getReturnType()->isVoidTy())
    builder.CreateRetVoid();
  else
    builder.CreateRet(call);
}

} // namespace

Constant *addModelTable(Module &module, const LibraryDescription &library) {
  return TableWriter(module, library).write();
}

StringSet<> addInterface(Module &module, const std::string &name, Constant *model) {
  static constexpr const char *names[] = {
      "create",      "destroy",    "train_step", "accumulate_step", "eval_step",  "forward",    "set_batch",
      "param_count", "param_info", "param_get",  "param_set",       "scaler_get", "scaler_set", "set_lr",
      "save",        "load",       "last_error"};
  StringSet<> symbols;
  for (StringRef function : names) {
    Function *target = module.getFunction(("hs_instance_" + function).str());
    if (!target)
      throw Diagnostic(ExitCode::Internal, "the embedded runtime lacks hs_instance_" + function.str());
    std::string symbol = name + "_" + function.str();
    if (module.getNamedValue(symbol))
      throw Diagnostic(ExitCode::Usage, "a library called '" + name + "' would have a function '" + symbol +
                                            "', as the C library does; choose another name with --name");
    // Only _create takes the model; the others find it in the instance.
    addThunk(target, symbol, function == "create" ? model : nullptr);
    symbols.insert(symbol);
  }
  return symbols;
}

} // namespace halfstep
