// See Library.h.
#include "runtime/trainer/Library.h"

#include "runtime/trainer/ElfFile.h"

#include <dlfcn.h>

#include <filesystem>

namespace fs = std::filesystem;

namespace halfstep {
namespace {

constexpr std::string_view manifestSuffix = ".manifest.json";

/// ID and folder of a library.
struct Place {
  fs::path folder;
  std::string id;
};

Place findInFolder(const fs::path &folder) {
  std::vector<std::string> ids;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    std::string name = at->path().filename().string();
    if (name.ends_with(manifestSuffix))
      ids.push_back(name.substr(0, name.size() - manifestSuffix.size()));
  }
  if (error)
    throw Diagnostic(ExitCode::Io, folder.string() + ": " + error.message());
  if (ids.empty())
    throw Diagnostic(ExitCode::BadInput,
                     folder.string() + ": holds no compiled library (no ID.manifest.json)");
  if (ids.size() > 1)
    throw Diagnostic(ExitCode::Usage, folder.string() + ": holds several libraries, " + quotedNames(ids) +
                                          "; give the .so of one");
  return {folder, ids[0]};
}

Place findLibrary(const std::string &path) {
  std::error_code error;
  fs::path absolute = fs::canonical(path, error);
  if (error)
    throw Diagnostic(ExitCode::Io, path + ": " + error.message());
  if (fs::is_directory(absolute, error))
    return findInFolder(absolute);
  // The given name, not the one a symbolic link leads to, says the ID.
  std::string name = fs::path(path).filename().string();
  if (!name.starts_with("lib") || !name.ends_with(".so") || name.size() == 6)
    throw Diagnostic(ExitCode::BadInput, path + ": expected libID.so or a folder that holds it");
  return {fs::absolute(path).parent_path(), name.substr(3, name.size() - 6)};
}

template <typename Function>
void resolve(void *handle, const std::string &path, const std::string &symbol, Function &function) {
  function = reinterpret_cast<Function>(dlsym(handle, symbol.c_str()));
  if (!function)
    throw Diagnostic(ExitCode::BadInput, path + ": lacks the function '" + symbol + "'");
}

} // namespace

std::shared_ptr<const Library> Library::open(const std::string &given) {
  Place place = findLibrary(given);
  std::shared_ptr<Library> library(new Library);
  library->path = (place.folder / ("lib" + place.id + ".so")).string();
  library->description = readManifest(place.folder.string(), place.id);
  std::error_code error;
  if (!fs::exists(library->path, error))
    throw Diagnostic(ExitCode::Io, library->path + ": no such file");
  requireWholeLibrary(library->path);
  library->handle = dlopen(library->path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library->handle)
    throw Diagnostic(ExitCode::BadInput, std::string("cannot load the library: ") + dlerror());
  LibraryFunctions &table = library->table;
  auto find = [&](const char *name, auto &function) {
    resolve(library->handle, library->path, place.id + "_" + name, function);
  };
  find("create", table.create);
  find("destroy", table.destroy);
  find("train_step", table.trainStep);
  find("accumulate_step", table.accumulateStep);
  find("eval_step", table.evalStep);
  find("forward", table.forward);
  find("set_batch", table.setBatch);
  find("param_count", table.paramCount);
  find("param_info", table.paramInfo);
  find("param_get", table.paramGet);
  find("param_set", table.paramSet);
  find("scaler_get", table.scalerGet);
  find("scaler_set", table.scalerSet);
  find("set_lr", table.setLr);
  find("save", table.save);
  find("load", table.load);
  find("last_error", table.lastError);
  library->stamps =
      static_cast<const uint64_t *>(dlsym(library->handle, (place.id + "_kernel_stamps").c_str()));
  return library;
}

Library::~Library() {
  if (handle)
    dlclose(handle);
}

Instance::Instance(std::shared_ptr<const Library> source, hs_config config) : library(std::move(source)) {
  char message[512] = "";
  config.error = message;
  config.error_bytes = sizeof message;
  hs_status status = library->functions().create(&config, &handle);
  if (status != HS_OK)
    throw Diagnostic(ExitCode(status), library->file() + ": " +
                                           (*message ? message : "cannot create an instance of the model"));
}

void Instance::require(hs_status status) const {
  if (status == HS_OK)
    return;
  const char *message = library->functions().lastError(handle);
  throw Diagnostic(ExitCode(status), message && *message ? message : "the library reported an error");
}

hs_step_result Instance::trainStep(const void *const *inputs, const void *const *targets) {
  hs_step_result result = HS_STEP_RESULT_INIT;
  trainStep(inputs, targets, result);
  return result;
}

void Instance::trainStep(const void *const *inputs, const void *const *targets, hs_step_result &result) {
  require(library->functions().trainStep(handle, inputs, targets, &result));
}

void Instance::accumulateStep(const void *const *inputs, const void *const *targets) {
  require(library->functions().accumulateStep(handle, inputs, targets, nullptr));
}

double Instance::evalStep(const void *const *inputs, const void *const *targets, void *const *outputs) {
  double loss = 0;
  require(library->functions().evalStep(handle, inputs, targets, outputs, &loss));
  return loss;
}

void Instance::forward(const void *const *inputs, void *const *outputs) {
  require(library->functions().forward(handle, inputs, outputs));
}

void Instance::setBatch(int64_t batch) { require(library->functions().setBatch(handle, batch)); }

void Instance::setLr(float lr) { require(library->functions().setLr(handle, lr)); }

hs_scaler_state Instance::scaler() const {
  hs_scaler_state state = {1, 0};
  require(library->functions().scalerGet(handle, &state));
  return state;
}

std::vector<InstanceParameter> Instance::parameters() const {
  int32_t count = 0;
  require(library->functions().paramCount(handle, &count));
  std::vector<InstanceParameter> parameters;
  for (int32_t i = 0; i < count; ++i) {
    hs_param_info info = HS_PARAM_INFO_INIT;
    require(library->functions().paramInfo(handle, i, &info));
    parameters.push_back(
        {info.name, DataType(info.dtype), {info.shape, info.shape + info.rank}, size_t(info.count)});
  }
  return parameters;
}

std::vector<std::byte> Instance::get(size_t index, const InstanceParameter &parameter) const {
  std::vector<std::byte> values(parameter.bytes());
  require(library->functions().paramGet(handle, int32_t(index), values.data(), values.size()));
  return values;
}

void Instance::set(size_t index, const std::vector<std::byte> &values) {
  require(library->functions().paramSet(handle, int32_t(index), values.data(), values.size()));
}

void Instance::save(const std::string &path, const std::string &metadata) const {
  require(library->functions().save(handle, path.c_str(), metadata.c_str()));
}

void Instance::load(const std::string &path) { require(library->functions().load(handle, path.c_str())); }

} // namespace halfstep
