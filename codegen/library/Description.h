// What a generated library is, independent of how it is written: its tensors, parameters and variants. The
// model table inside it, the header, the manifest and the example are all made from this one description.
#ifndef HALFSTEP_CODEGEN_LIBRARY_DESCRIPTION_H
#define HALFSTEP_CODEGEN_LIBRARY_DESCRIPTION_H

#include "codegen/library/Contract.h"
#include "dialect/train/OptimizerTable.h"
#include "import/Recipe.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/StringSet.h"

#include <array>
#include <optional>
#include <string>
#include <vector>

namespace halfstep {

/// An input, a target or an output; `shape` begins with the default batch.
struct TensorDescription {
  std::string name;
  hs_dtype type;
  std::vector<int64_t> shape;
  int64_t classes = 0; ///< ids are in [0, classes): of classes, or of rows of an embedding; 0: not ids

  std::optional<int64_t> ignore; ///< an id that may stand there too
  int64_t count() const;
};

/// A parameter or buffer. Offsets are bytes in the arena, -1 for what there is not.
struct ParamDescription {
  std::string name;
  hs_dtype type;
  std::vector<int64_t> shape;
  int64_t count;
  bool buffer;
  bool split; ///< the values are the working copy and, at `offset`, their low halves
  int64_t offset, copyOffset = -1;
  hs_dtype copyType;
  std::array<int64_t, HS_MAX_SLOTS> slots;
  bool frozen;
  hs_init_kind init;
  double a, b;
  std::string data; ///< of HS_INIT_DATA: all values in `type`
};

/// One compiled batch size.
struct VariantDescription {
  int64_t batch;
  std::vector<int64_t> evalOutputs, forwardOutputs;
  std::vector<hs_primitive_desc> primitives;
};

struct LibraryDescription {
  std::string name;
  Recipe recipe;
  std::string recipeText, recipeSha256;
  int64_t stateBytes = 0, arenaBytes = 0, scratchBytes = 0;
  uint64_t seed = 0;                ///< the recipe's, else the model file's
  std::vector<OptimizerSlot> slots; ///< of the parameters that are trained
  std::vector<ParamDescription> params;
  std::vector<TensorDescription> inputs, targets, outputs;
  std::vector<VariantDescription> variants; ///< the first is the default batch
  std::vector<bool> levels;                 ///< which of cpuLevels() are compiled in

  bool hasPrimitives() const;
};

/// BadInput unless the three functions of an imported module agree: @train_step and @eval_step take the
/// inputs of @forward and then the targets, @eval_step returns the loss and the outputs of @forward.
void checkSignatures(mlir::ModuleOp imported, const std::string &file);

/// Memory when the tensors of an imported module are so large that their sizes could overflow.
void checkSizes(mlir::ModuleOp imported, const std::string &file);

/// Describes the library of a module after plan-memory for the recipe's batch, without variants and levels.
LibraryDescription describe(mlir::ModuleOp planned, const Recipe &recipe, const std::string &name);

/// Adds a variant. Its state must lie where the others' does: an instance may change its batch at any step.
void addVariant(LibraryDescription &library, mlir::ModuleOp planned, int64_t batch,
                std::vector<hs_primitive_desc> primitives);

/// Name of a type in manifests and headers: f32, i64...
const char *typeName(hs_dtype type);

/// Symbol prefix of the functions for a batch and a level.
std::string symbolPrefix(int64_t batch, llvm::StringRef level);

/// What a step function's symbol is after the prefix.
inline constexpr llvm::StringLiteral kTrainSuffix = "_train_step", kEvalSuffix = "_eval_step",
                                     kForwardSuffix = "_forward";

/// The symbols of the three step functions.
llvm::StringSet<> stepNames(const std::string &prefix);

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_LIBRARY_DESCRIPTION_H
