# What halfstep uses besides MLIR. Each is installed by setup/setup.sh, which `make build` runs.
#
#   HalfstepOnnxProto   ONNX's protobuf classes: `#include "onnx-ml.pb.h"`
#   HalfstepXxhash      xxHash, for checksums
#   PNG::PNG            libpng, for images
#   CLI11::CLI11, nlohmann_json::nlohmann_json, spdlog::spdlog
#   HALFSTEP_ONEDNN_INCLUDE_DIR, HALFSTEP_ONEDNN_LIBRARY
#                       oneDNN 3.2, compiled against but opened at run time; empty when it is not there

# halfstep_missing(WHAT): ends the configuration with the way out.
function(halfstep_missing what)
  message(FATAL_ERROR "${what} was not found. `setup/setup.sh test` installs all that this build needs "
                      "(`make build` and `make test` run it).")
endfunction()

# halfstep_package(NAME ARGS...): find_package, with our error.
macro(halfstep_package name)
  find_package(${name} ${ARGN} QUIET)
  if(NOT ${name}_FOUND)
    halfstep_missing("${name}")
  endif()
endmacro()

halfstep_package(nlohmann_json 3.11)
halfstep_package(PNG)

find_path(HALFSTEP_XXHASH_INCLUDE_DIR xxhash.h)
find_library(HALFSTEP_XXHASH_LIBRARY xxhash)
mark_as_advanced(HALFSTEP_XXHASH_INCLUDE_DIR HALFSTEP_XXHASH_LIBRARY)
if(NOT HALFSTEP_XXHASH_INCLUDE_DIR OR NOT HALFSTEP_XXHASH_LIBRARY)
  halfstep_missing("xxHash")
endif()
add_library(HalfstepXxhash INTERFACE)
target_include_directories(HalfstepXxhash SYSTEM INTERFACE ${HALFSTEP_XXHASH_INCLUDE_DIR})
target_link_libraries(HalfstepXxhash INTERFACE ${HALFSTEP_XXHASH_LIBRARY})

set(HALFSTEP_ONEDNN_INCLUDE_DIR "")
set(HALFSTEP_ONEDNN_LIBRARY "")
if(EXISTS ${HALFSTEP_DEPS_DIR}/onednn/include/dnnl.h)
  set(HALFSTEP_ONEDNN_INCLUDE_DIR ${HALFSTEP_DEPS_DIR}/onednn/include)
  set(HALFSTEP_ONEDNN_LIBRARY ${HALFSTEP_DEPS_DIR}/onednn/lib/libdnnl.so.3)
elseif(HALFSTEP_COMPILER)
  halfstep_missing("oneDNN (${HALFSTEP_DEPS_DIR}/onednn)")
endif()

if(NOT HALFSTEP_COMPILER)
  return()
endif()

halfstep_package(CLI11 2.1)
halfstep_package(spdlog 1.10)
halfstep_package(Protobuf)

set(HALFSTEP_ONNX_SCHEMA ${HALFSTEP_DEPS_DIR}/onnx/onnx-ml.proto)
if(NOT EXISTS ${HALFSTEP_ONNX_SCHEMA})
  halfstep_missing("ONNX's schema (${HALFSTEP_ONNX_SCHEMA})")
endif()
set(HALFSTEP_ONNX_DIR ${CMAKE_BINARY_DIR}/onnx)
file(MAKE_DIRECTORY ${HALFSTEP_ONNX_DIR})
add_custom_command(
  OUTPUT ${HALFSTEP_ONNX_DIR}/onnx-ml.pb.cc ${HALFSTEP_ONNX_DIR}/onnx-ml.pb.h
  COMMAND protobuf::protoc --proto_path=${HALFSTEP_DEPS_DIR}/onnx --cpp_out=${HALFSTEP_ONNX_DIR} onnx-ml.proto
  DEPENDS ${HALFSTEP_ONNX_SCHEMA}
  COMMENT "Generating ONNX's protobuf classes"
  VERBATIM)
add_library(HalfstepOnnxProto STATIC ${HALFSTEP_ONNX_DIR}/onnx-ml.pb.cc ${HALFSTEP_ONNX_DIR}/onnx-ml.pb.h)
# protoc's code is not ours to keep free of warnings.
target_compile_options(HalfstepOnnxProto PRIVATE -w)
target_include_directories(HalfstepOnnxProto SYSTEM PUBLIC ${HALFSTEP_ONNX_DIR})
target_link_libraries(HalfstepOnnxProto PUBLIC protobuf::libprotobuf-lite)
