// The C header of a generated library and the example that uses it.
#include "codegen/library/Texts.h"

#include "runtime/embedded/bitcode.h"

#include "llvm/ADT/StringExtras.h"

namespace halfstep {
namespace {

/// `text` for a comment in C: a name from a model must not end the comment or the line.
std::string forComment(const std::string &text) {
  std::string safe;
  for (char c : text)
    safe += llvm::isPrint(c) && c != '*' && c != '\\' && c != '?' ? c : '_';
  return safe;
}

const char *cType(hs_dtype type) {
  switch (type) {
  case HS_F64:
    return "double";
  case HS_F16:
  case HS_BF16:
    return "uint16_t"; // C has no type for them: the bits
  case HS_I64:
    return "int64_t";
  case HS_I32:
    return "int32_t";
  case HS_U8:
    return "uint8_t";
  default:
    return "float";
  }
}

std::string shapeText(const std::vector<int64_t> &shape) {
  std::string text;
  for (int64_t extent : shape)
    text += "[" + std::to_string(extent) + "]";
  return text;
}

/// A line a tensor: " *   inputs[0]   x   float[32][64]".
std::string tensorLines(const char *array, const std::vector<TensorDescription> &tensors) {
  std::string text;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const TensorDescription &tensor = tensors[i];
    text += " *   " + std::string(array) + "[" + std::to_string(i) + "]  " + forComment(tensor.name) + ": " +
            cType(tensor.type) + shapeText(tensor.shape);
    if (tensor.type == HS_F16 || tensor.type == HS_BF16)
      text += std::string(" (the bits of ") + typeName(tensor.type) + ")";
    if (tensor.classes)
      text += ", ids in [0, " + std::to_string(tensor.classes) + ")";
    text += "\n";
  }
  return text;
}

std::string batchText(const LibraryDescription &library) {
  std::string text;
  for (const VariantDescription &variant : library.variants)
    text += (text.empty() ? "" : ", ") + std::to_string(variant.batch);
  return text;
}

constexpr const char *prototypes = R"(typedef struct $ID $ID;
typedef hs_config $ID_config;           /* fill with HS_CONFIG_INIT */
typedef hs_step_result $ID_step_result; /* fill with HS_STEP_RESULT_INIT */

/* Makes an instance with new weights. config may be NULL: the defaults. On failure *out is NULL and config->error, if
 * given, holds the reason. Of the calls below only $ID_save and $ID_load allocate memory. */
hs_status $ID_create(const $ID_config *config, $ID **out);
void $ID_destroy($ID *model); /* NULL is allowed */

/* Forward, backward and update. result may be NULL. HS_ERROR_NUMERICS: a gradient was not finite and on_nonfinite says
 * stop; the model is unchanged. */
hs_status $ID_train_step($ID *model, const void *const *inputs, const void *const *targets, $ID_step_result *result);

/* Of a library that was compiled to accumulate: forward and backward, whose gradients are added to those that wait
 * for an update. $ID_train_step adds its own and then updates once with the mean over all samples since the last
 * update; its result's loss is the mean over them too, and one gradient that is not finite skips them all. Batches may
 * differ in size. Buffers change in every step. HS_ERROR_UNSUPPORTED: the library was not compiled so. */
hs_status $ID_accumulate_step($ID *model, const void *const *inputs, const void *const *targets,
                              $ID_step_result *result);

/* Loss and outputs in inference mode; changes no state. outputs, any of its pointers and loss may be NULL. */
hs_status $ID_eval_step($ID *model, const void *const *inputs, const void *const *targets, void *const *outputs,
                        double *loss);

/* Outputs in inference mode. */
hs_status $ID_forward($ID *model, const void *const *inputs, void *const *outputs);

/* Changes to another compiled batch size: HS_ERROR_UNSUPPORTED for any other. Weights and optimizer state stay. */
hs_status $ID_set_batch($ID *model, int64_t batch);

/* Parameters and buffers under the names that the model file gives them. Values are those that the optimizer updates,
 * dense and row-major; bytes must be the whole parameter's. */
hs_status $ID_param_count(const $ID *model, int32_t *count);
hs_status $ID_param_info(const $ID *model, int32_t index, hs_param_info *info);
hs_status $ID_param_get(const $ID *model, int32_t index, void *out, size_t bytes);
hs_status $ID_param_set($ID *model, int32_t index, const void *in, size_t bytes);

/* The dynamic loss scale. With hysteresis, the overflows that are left until it shrinks are not in this state, but in
 * checkpoints; setting it leaves them alone. */
hs_status $ID_scaler_get(const $ID *model, hs_scaler_state *state);
hs_status $ID_scaler_set($ID *model, const hs_scaler_state *state);
hs_status $ID_set_lr($ID *model, float lr);

/* Checkpoints: one safetensors file with all state; it appears complete or not at all. metadata, UTF-8 or NULL, is kept
 * in it. HS_ERROR_USAGE while gradients wait for an update. A file of another model or recipe, or a damaged one: HS_ERROR_CHECKPOINT. */
hs_status $ID_save(const $ID *model, const char *path, const char *metadata);
hs_status $ID_load($ID *model, const char *path);

/* Why the last call that failed did so; owned by the model. */
const char *$ID_last_error(const $ID *model);
)";

constexpr const char *exampleBody = R"(
int main(void) {
  const void *inputs[] = {$INPUTS};
  const void *targets[] = {$TARGETS};
  $ID_config config = HS_CONFIG_INIT;
  $ID_step_result step = HS_STEP_RESULT_INIT;
  $ID *model = NULL;
  char error[512] = "";

  config.error = error;
  config.error_bytes = sizeof error;
  if ($ID_create(&config, &model) != HS_OK) {
    fprintf(stderr, "error: %s\n", error);
    return 1;
  }
  if ($ID_train_step(model, inputs, targets, &step) != HS_OK) {
    fprintf(stderr, "error: %s\n", $ID_last_error(model));
    $ID_destroy(model);
    return 1;
  }
  printf("loss %g, %lld update\n", step.loss, (long long)step.updates);
  $ID_destroy(model);
  return 0;
}
)";

/// Arrays of zeros for the tensors; `pointers` becomes the list of their names.
std::string exampleArrays(const char *stem, const std::vector<TensorDescription> &tensors,
                          std::string &pointers) {
  std::string text;
  for (size_t i = 0; i < tensors.size(); ++i) {
    std::string name = stem + std::to_string(i);
    text += std::string("static ") + cType(tensors[i].type) + " " + name + "[" +
            std::to_string(tensors[i].count()) + "]; /* " + forComment(tensors[i].name) + ": " +
            typeName(tensors[i].type) + shapeText(tensors[i].shape) + " */\n";
    pointers += (pointers.empty() ? "" : ", ") + name;
  }
  if (pointers.empty())
    pointers = "NULL";
  return text;
}

void replaceOnce(std::string &text, const std::string &from, const std::string &to) {
  text.replace(text.find(from), from.size(), to);
}

} // namespace

std::string headerText(const LibraryDescription &library) {
  const std::string guard = "HALFSTEP_MODEL_" + library.name + "_H";
  std::string text =
      "/* " + library.name + ": a training library that halfstep made. Precision " +
      library.recipe.precision.name + ", optimizer " + library.recipe.optimizer.kind + ".\n *\n" +
      " * The arrays that steps take, dense and row-major, for the default batch:\n" +
      tensorLines("inputs", library.inputs) + tensorLines("targets", library.targets) +
      tensorLines("outputs", library.outputs) +
      " * Compiled batch sizes, the first extent of each; the first is the default: " + batchText(library) +
      ".\n * Memory of an instance: " + std::to_string(library.arenaBytes) + " bytes, and " +
      std::to_string(library.scratchBytes) + " a thread.\n */\n";
  text += "#ifndef " + guard + "\n#define " + guard + "\n\n";
  text.append(reinterpret_cast<const char *>(halfstep_types_h), halfstep_types_h_size);
  text += "\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n" + withName(prototypes, library.name) +
          "\n#ifdef __cplusplus\n}\n#endif\n#endif /* " + guard + " */\n";
  return text;
}

std::string exampleText(const LibraryDescription &library) {
  std::string inputs, targets;
  std::string text = "/* One training step of " + library.name +
                     " on zeros. Build it in this folder:\n *   cc example.c lib" + library.name +
                     ".a -lm -o example\n */\n#include \"" + library.name + ".h\"\n\n#include <stdio.h>\n\n";
  text += exampleArrays("input", library.inputs, inputs) + exampleArrays("target", library.targets, targets);
  std::string body = withName(exampleBody, library.name);
  replaceOnce(body, "$INPUTS", inputs);
  replaceOnce(body, "$TARGETS", targets);
  return text + body;
}

} // namespace halfstep
