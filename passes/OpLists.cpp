// The lists of torch 2.13's autocast for CPU and CUDA and of Apex's O1, for the ops that nn has. Torch
// decides composite ops that it does not list at their leaves: cross_entropy on CUDA is fp32, since
// log_softmax and nll_loss are. Apex lists the operators of tensors beside torch's functions: sub is __sub__.
#include "passes/OpLists.h"

#include "llvm/ADT/STLExtras.h"

using namespace llvm;

namespace halfstep {

namespace {

struct Row {
  StringLiteral key;
  PrecisionClass cpu, cuda, apex;
};

} // namespace

using enum PrecisionClass;

/// Key, cpu, cuda, apex. Keys that are not here are untouched in every list.
static constexpr Row rows[] = {
    {"matmul", Lower, Lower, Lower},
    {"conv2d", Lower, Lower, Lower},
    {"conv_transpose2d", Lower, Lower, Lower},
    {"scaled_dot_product_attention", Lower, Lower, Untouched},
    {"mse_loss", Fp32, Fp32, Fp32},
    {"cross_entropy", Fp32, Fp32, Fp32},
    {"nll_loss", Fp32, Fp32, Fp32},
    {"l1_loss", Fp32, Fp32, Fp32},
    {"smooth_l1_loss", Fp32, Fp32, Fp32},
    {"huber_loss", Fp32, Fp32, Untouched},
    {"binary_cross_entropy_with_logits", Fp32, Fp32, Fp32},
    {"binary_cross_entropy", Fp32, Banned, Banned},
    {"softmax", Untouched, Fp32Out, Fp32},
    {"layer_norm", Untouched, Fp32, Fp32},
    {"group_norm", Untouched, Fp32, Fp32},
    {"interpolate", Untouched, Fp32, Untouched},
    {"rms_norm", Untouched, Fp32, Fp32},
    {"gelu", Untouched, Untouched, Fp32},
    {"sum", Untouched, Fp32Out, Fp32},
    {"cat", Promote, Untouched, Promote},
    {"add", Untouched, Untouched, Promote},
    {"sub", Untouched, Untouched, Promote},
    {"mul", Untouched, Untouched, Promote},
    {"div", Untouched, Untouched, Promote},
    {"eq", Untouched, Untouched, Promote},
    {"exp", Untouched, Fp32, Fp32},
    {"log", Untouched, Fp32, Fp32},
    {"reciprocal", Untouched, Fp32, Fp32},
    {"pow", Untouched, Fp32, Fp32},
    {"softplus", Untouched, Fp32, Fp32},
    {"log_softmax", Untouched, Fp32Out, Fp32},
    {"prod", Fp32, Fp32Out, Fp32},
    {"prelu", Lower, Lower, Lower},
};

/// In the order of PrecisionClass.
static constexpr StringLiteral classNames[] = {"lower", "fp32", "fp32_out", "promote", "banned", "untouched"};

StringRef classNameOf(PrecisionClass precisionClass) { return classNames[size_t(precisionClass)]; }

std::optional<PrecisionClass> parsePrecisionClass(StringRef name) {
  const StringLiteral *found = find(classNames, name);
  return found == std::end(classNames) ? std::nullopt
                                       : std::optional(PrecisionClass(found - std::begin(classNames)));
}

std::optional<PrecisionClass> lookupPrecisionClass(StringRef list, StringRef key) {
  if (!is_contained({"cpu", "cuda", "apex"}, list))
    return std::nullopt;
  const Row *row = find_if(rows, [&](const Row &each) { return each.key == key; });
  if (row == std::end(rows))
    return Untouched;
  return list == "cpu" ? row->cpu : list == "cuda" ? row->cuda : row->apex;
}

bool isKept(StringRef keep, StringRef key) {
  if (key == "batch_norm")
    return !keep.empty();
  return keep == "norms" && (key == "layer_norm" || key == "group_norm" || key == "rms_norm");
}

} // namespace halfstep
