// A generated library that is loaded at run time, and instances of its model.
#ifndef HALFSTEP_RUNTIME_TRAINER_LIBRARY_H
#define HALFSTEP_RUNTIME_TRAINER_LIBRARY_H

#include "runtime/trainer/Manifest.h"
#include "runtime/trainer/data/Tensor.h"

#include "halfstep/diagnostic.hpp"
#include "halfstep/types.h"

#include <memory>
#include <string>
#include <vector>

namespace halfstep {

/// The functions of a library, without their prefix. The handle is opaque.
struct LibraryFunctions {
  hs_status (*create)(const hs_config *, void **) = nullptr;
  void (*destroy)(void *) = nullptr;
  hs_status (*trainStep)(void *, const void *const *, const void *const *, hs_step_result *) = nullptr;
  hs_status (*accumulateStep)(void *, const void *const *, const void *const *, hs_step_result *) = nullptr;
  hs_status (*evalStep)(void *, const void *const *, const void *const *, void *const *, double *) = nullptr;
  hs_status (*forward)(void *, const void *const *, void *const *) = nullptr;
  hs_status (*setBatch)(void *, int64_t) = nullptr;
  hs_status (*paramCount)(const void *, int32_t *) = nullptr;
  hs_status (*paramInfo)(const void *, int32_t, hs_param_info *) = nullptr;
  hs_status (*paramGet)(const void *, int32_t, void *, size_t) = nullptr;
  hs_status (*paramSet)(void *, int32_t, const void *, size_t) = nullptr;
  hs_status (*scalerGet)(const void *, hs_scaler_state *) = nullptr;
  hs_status (*scalerSet)(void *, const hs_scaler_state *) = nullptr;
  hs_status (*setLr)(void *, float) = nullptr;
  hs_status (*save)(const void *, const char *, const char *) = nullptr;
  hs_status (*load)(void *, const char *) = nullptr;
  const char *(*lastError)(const void *) = nullptr;
};

/// Loaded for as long as this object lives.
class Library {
public:
  /// `path` is libID.so or a folder with one ID.manifest.json. Throws Diagnostic: Io when it is missing,
  /// Usage for a folder with several, BadInput when it is no library of ours or a folder without one.
  static std::shared_ptr<const Library> open(const std::string &path);

  Library(const Library &) = delete;
  ~Library();

  const Manifest &manifest() const { return description; }
  const LibraryFunctions &functions() const { return table; }
  const std::string &file() const { return path; } ///< the .so
  /// What a profiled training step writes: the time stamp counter at its start and after each kernel. Null
  /// for a library that was not compiled for it.
  const uint64_t *kernelStamps() const { return stamps; }

private:
  Library() = default;

  Manifest description;
  LibraryFunctions table;
  std::string path;
  const uint64_t *stamps = nullptr;
  void *handle = nullptr;
};

/// A parameter or buffer of a library. Not `Parameter`, which import/ has: the tool links both.
struct InstanceParameter {
  std::string name;
  DataType type;
  std::vector<int64_t> shape;
  size_t count;
  size_t bytes() const { return count * byteSize(type); }
};

/// One instance. Every call throws a Diagnostic with the library's message; its exit code is the status.
class Instance {
public:
  /// Fields of `config` beyond threads, seed and on_nonfinite are left alone.
  Instance(std::shared_ptr<const Library> library, hs_config config);
  Instance(const Instance &) = delete;
  ~Instance() { library->functions().destroy(handle); }

  const Manifest &manifest() const { return library->manifest(); }
  void *raw() const { return handle; } ///< as the library's functions take it

  hs_step_result trainStep(const void *const *inputs, const void *const *targets);
  /// The same, with the result also of a step that it then throws for (Numerics).
  void trainStep(const void *const *inputs, const void *const *targets, hs_step_result &result);
  /// Of a library that accumulates: adds the gradients of a batch to those that the next training step
  /// applies.
  void accumulateStep(const void *const *inputs, const void *const *targets);
  /// `outputs` may be null.
  double evalStep(const void *const *inputs, const void *const *targets, void *const *outputs);
  void forward(const void *const *inputs, void *const *outputs);
  void setBatch(int64_t batch);
  void setLr(float lr);
  hs_scaler_state scaler() const;

  std::vector<InstanceParameter> parameters() const;
  std::vector<std::byte> get(size_t index, const InstanceParameter &parameter) const;
  void set(size_t index, const std::vector<std::byte> &values);

  void save(const std::string &path, const std::string &metadata) const;
  void load(const std::string &path);

private:
  void require(hs_status status) const;

  std::shared_ptr<const Library> library;
  void *handle = nullptr;
};

} // namespace halfstep

#endif // HALFSTEP_RUNTIME_TRAINER_LIBRARY_H
