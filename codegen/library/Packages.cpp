// What tools read of a generated library: the manifest, and the files by which CMake and pkg-config find it.
#include "codegen/library/Texts.h"

#include "codegen/cpu/CpuLevel.h"

#include "llvm/ADT/STLExtras.h"

#include <nlohmann/json.hpp>

using nlohmann::ordered_json;

namespace halfstep {

static ordered_json tensorList(const std::vector<TensorDescription> &tensors) {
  ordered_json list = ordered_json::array();
  for (const TensorDescription &tensor : tensors) {
    list.push_back({{"name", tensor.name}, {"dtype", typeName(tensor.type)}, {"shape", tensor.shape}});
    if (tensor.classes)
      list.back()["classes"] = tensor.classes;
    if (tensor.ignore)
      list.back()["ignore"] = *tensor.ignore;
  }
  return list;
}

static ordered_json paramList(const std::vector<ParamDescription> &params) {
  ordered_json list = ordered_json::array();
  for (const ParamDescription &param : params) {
    list.push_back({{"name", param.name}, {"shape", param.shape}, {"dtype", typeName(param.type)}});
    if (param.buffer)
      list.back()["buffer"] = true;
    if (param.frozen)
      list.back()["frozen"] = true;
  }
  return list;
}

static ordered_json lossOf(const LibraryDescription &library) {
  const LossSpec &loss = library.recipe.loss;
  ordered_json object = ordered_json::object();
  if (!loss.kind.empty())
    object["kind"] = loss.kind;
  if (!loss.weight.empty())
    object["weight"] = loss.weight;
  if (loss.reduction != "mean")
    object["reduction"] = loss.reduction;
  if (isOverClasses(loss)) {
    int64_t rank = int64_t(library.outputs[0].shape.size()), axis = loss.axis.value_or(-1);
    object["axis"] = axis < 0 ? axis + rank : axis;
  }
  return object;
}

std::string manifestText(const LibraryDescription &library) {
  ordered_json batches = ordered_json::array(), isas = ordered_json::array();
  for (const VariantDescription &variant : library.variants)
    batches.push_back(variant.batch);
  for (auto [level, compiled] : llvm::zip(cpuLevels(), library.levels))
    if (compiled)
      isas.push_back(level.name.str());
  ordered_json depends = {"libc.so.6", "libm.so.6"};
  if (library.hasPrimitives())
    depends.push_back("libdnnl.so.3");
  ordered_json manifest = {{"abi", HS_ABI},
                           {"name", library.name},
                           {"precision", library.recipe.precision.name},
                           {"recipe_sha256", library.recipeSha256},
                           {"target", library.recipe.target},
                           {"arena_bytes", library.arenaBytes},
                           {"state_bytes", library.stateBytes},
                           {"scratch_bytes", library.scratchBytes},
                           {"params", paramList(library.params)},
                           {"inputs", tensorList(library.inputs)},
                           {"outputs", tensorList(library.outputs)},
                           {"targets", tensorList(library.targets)},
                           {"batches", batches},
                           {"isas", isas},
                           {"depends", depends},
                           {"loss", lossOf(library)}};
  return manifest.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

std::string withName(std::string text, const std::string &name) {
  for (size_t at = 0; (at = text.find("$ID", at)) != std::string::npos; at += name.size())
    text.replace(at, 3, name);
  return text;
}

std::string cmakeConfigText(const LibraryDescription &library) {
  return withName(R"(# find_package($ID CONFIG) with $ID_DIR or CMAKE_PREFIX_PATH set to this folder gives
#   $ID::$ID         the archive
#   $ID::$ID_shared  the shared library
if(NOT TARGET $ID::$ID)
  add_library($ID::$ID STATIC IMPORTED)
  set_target_properties($ID::$ID PROPERTIES
    IMPORTED_LOCATION "${CMAKE_CURRENT_LIST_DIR}/lib$ID.a"
    INTERFACE_INCLUDE_DIRECTORIES "${CMAKE_CURRENT_LIST_DIR}"
    INTERFACE_LINK_LIBRARIES "m;pthread;${CMAKE_DL_LIBS}")
  add_library($ID::$ID_shared SHARED IMPORTED)
  set_target_properties($ID::$ID_shared PROPERTIES
    IMPORTED_LOCATION "${CMAKE_CURRENT_LIST_DIR}/lib$ID.so"
    IMPORTED_SONAME "lib$ID.so"
    INTERFACE_INCLUDE_DIRECTORIES "${CMAKE_CURRENT_LIST_DIR}")
endif()
)",
                  library.name);
}

std::string pkgConfigText(const LibraryDescription &library) {
  return withName(R"(prefix=${pcfiledir}

Name: $ID
Description: training library made by halfstep
Version: 0
Libs: -L${prefix} -l$ID
Libs.private: -lm -lpthread -ldl
Cflags: -I${prefix}
)",
                  library.name);
}

} // namespace halfstep
