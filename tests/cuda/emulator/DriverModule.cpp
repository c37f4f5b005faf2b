// The calls that load PTX and launch its kernels.
#include "Driver.h"
#include "Report.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

using namespace halfstep::emulator;

/// CUDA 11.0 takes PTX 7.0, 12.0 takes 8.0, 13.0 takes 9.0.
static int newestPtx(int driver) { return (driver / 1000 - 4) * 10 + driver % 1000 / 10; }

static void fillLog(unsigned count, const int *options, void **values, const std::string &text) {
  char *log = nullptr;
  size_t bytes = 0;
  for (unsigned i = 0; i < count; ++i) {
    if (options[i] == HS_CU_JIT_ERROR_LOG_BUFFER)
      log = static_cast<char *>(values[i]);
    else if (options[i] == HS_CU_JIT_ERROR_LOG_BYTES)
      bytes = reinterpret_cast<size_t>(values[i]);
    else
      throw Finding("cuModuleLoadDataEx: option " + std::to_string(options[i]) + " is not emulated");
  }
  if (log && bytes)
    std::snprintf(log, bytes, "%s", text.c_str());
}

static void placeVariables(Context &context, Module &module) {
  for (const Variable &variable : module.ptx.variables) {
    if (variable.space == Space::Shared)
      continue;
    const uint64_t address = context.memory.allocate(variable.bytes);
    if (!address)
      throw CallError{HS_CU_OUT_OF_MEMORY};
    module.variables[variable.name] = address;
    const GlobalMemory::Place place = context.memory.find(address, variable.bytes);
    std::memcpy(place.bytes->data(), variable.initial.data(), variable.initial.size());
    place.bytes->checkWrite(0, variable.bytes, {});
  }
}

/// Shared variables of the module are each kernel's own.
static void decodeKernels(Module &module) {
  for (Kernel &kernel : module.ptx.kernels) {
    for (const Variable &variable : module.ptx.variables)
      if (variable.space == Space::Shared && !variable.dynamic)
        kernel.variables.push_back(variable);
    for (const Variable &variable : module.ptx.variables)
      if (variable.dynamic) // behind the others
        kernel.variables.push_back(variable);
    module.programs.emplace(kernel.name, decode(kernel, module.variables));
  }
}

static void loadPtx(Context &context, Module &module, const char *text) {
  module.ptx = parsePtx(text);
  if (module.ptx.version > newestPtx(context.settings.driver))
    throw CallError{HS_CU_UNSUPPORTED_PTX_VERSION};
  if (module.ptx.target > context.settings.arch)
    throw CallError{HS_CU_NO_BINARY_FOR_GPU};
  placeVariables(context, module);
  decodeKernels(module);
}

/// The same checks as the driver's at a launch.
static void checkShape(const Function &function, const Launch &launch) {
  const Kernel &kernel = *launch.program->kernel;
  uint64_t threads = 1;
  for (uint32_t extent : launch.block)
    threads *= extent;
  const bool gridFits = launch.grid[0] && launch.grid[1] && launch.grid[2] && launch.grid[0] <= 0x7FFFFFFF &&
                        launch.grid[1] <= 65535 && launch.grid[2] <= 65535;
  if (!gridFits || threads == 0 || threads > 1024 || launch.block[2] > 64)
    throw CallError{HS_CU_INVALID_VALUE};
  if ((kernel.requiredThreads && threads != kernel.requiredThreads) ||
      (kernel.maximumThreads && threads > kernel.maximumThreads))
    throw CallError{HS_CU_INVALID_VALUE};
  if (launch.program->sharedBytes > 48 << 10 || launch.dynamicShared > function.maxDynamicShared ||
      launch.program->sharedBytes + launch.dynamicShared >
          std::max<uint64_t>(function.maxDynamicShared, 48 << 10))
    throw CallError{HS_CU_INVALID_VALUE};
}

extern "C" {

int cuModuleLoadDataEx(hs_cu_module *module, const void *image, unsigned count, int *options, void **values) {
  return call([&] {
    Context &context = currentContext();
    if (std::memcmp(image, "\177ELF", 4) == 0) // machine code is for real devices
      throw CallError{HS_CU_NO_BINARY_FOR_GPU};
    auto made = std::make_unique<Module>();
    try {
      loadPtx(context, *made, static_cast<const char *>(image));
    } catch (const PtxError &error) {
      fillLog(count, options, values, error.what());
      Report::get().add(std::string("PTX is refused: ") + error.what());
      for (const auto &[name, address] : made->variables)
        context.memory.release(address);
      throw CallError{HS_CU_INVALID_PTX};
    }
    fillLog(count, options, values, "");
    *module = reinterpret_cast<hs_cu_module>(context.modules.add(std::move(made)));
  });
}

int cuModuleUnload(hs_cu_module module) {
  return call([&] {
    Context &context = currentContext();
    for (const auto &[name, address] : living(context.modules, module, "module").variables)
      context.memory.release(address);
    context.modules.remove(module);
  });
}

int cuModuleGetFunction(hs_cu_function *function, hs_cu_module module, const char *name) {
  return call([&] {
    Context &context = currentContext();
    const Module &found = living(context.modules, module, "module");
    auto program = found.programs.find(name);
    if (program == found.programs.end())
      throw CallError{HS_CU_NOT_FOUND};
    auto made = std::make_unique<Function>();
    made->module = &found;
    made->program = &program->second;
    *function = reinterpret_cast<hs_cu_function>(context.functions.add(std::move(made)));
  });
}

int cuFuncSetAttribute(hs_cu_function function, int attribute, int value) {
  return call([&] {
    Function &found = living(currentContext().functions, function, "function");
    if (attribute != HS_CU_FUNCTION_MAX_DYNAMIC_SHARED)
      throw Finding("cuFuncSetAttribute: attribute " + std::to_string(attribute) + " is not emulated");
    if (value < 0 || static_cast<uint64_t>(value) + found.program->sharedBytes > 163 << 10)
      throw CallError{HS_CU_INVALID_VALUE};
    found.maxDynamicShared = static_cast<uint64_t>(value);
  });
}

int cuLaunchKernel(hs_cu_function function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX,
                   unsigned blockY, unsigned blockZ, unsigned sharedBytes, hs_cu_stream stream,
                   void **arguments, void **extra) {
  return call([&] {
    Context &context = currentContext();
    requireHealthy(context);
    const Function &found = living(context.functions, function, "function");
    if (extra)
      throw Finding("cuLaunchKernel: extra options are not emulated");
    Launch launch;
    launch.program = found.program;
    launch.grid = {gridX, gridY, gridZ};
    launch.block = {blockX, blockY, blockZ};
    launch.dynamicShared = sharedBytes;
    checkShape(found, launch);
    launch.parameters.resize(found.program->parameterBytes);
    const auto &parameters = found.program->kernel->parameters;
    for (size_t i = 0; i < parameters.size(); ++i)
      std::memcpy(launch.parameters.data() + parameters[i].offset, arguments[i], parameters[i].bytes);
    Work work;
    work.what = "kernel '" + found.program->kernel->name + "'";
    work.run = [&context, launch](uint32_t operation) {
      uint64_t instructions = 0;
      runLaunch(launch, context.memory, operation, context.queue.randomness(), instructions);
      Report::get().countLaunch(instructions);
    };
    context.submit(streamOf(context, stream), work);
  });
}

} // extern "C"
