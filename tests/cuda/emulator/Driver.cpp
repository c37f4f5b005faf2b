// See Driver.h. Also the calls about devices and contexts.
#include "Driver.h"

#include "Report.h"

#include <cstdio>

namespace halfstep::emulator {

static thread_local Context *current = nullptr;

Driver &Driver::get() {
  Report::get(); // lives longer than the driver, which reports leaks at its end
  static Driver driver;
  return driver;
}

Driver::~Driver() {
  for (auto &[device, primary] : primaries)
    if (primary.context) {
      Report::get().add("the program ends with the primary context of device " + std::to_string(device));
      primary.context->reportLeaks();
    }
}

void Driver::initialize() {
  if (!initialized || primaries.empty()) {
    values = Settings::read();
    Report::get().start(values);
  }
  initialized = true;
}

void Driver::retain(int device, Context **context) {
  Primary &primary = primaries[device];
  if (!primary.context)
    primary.context = std::make_unique<Context>(values, device);
  ++primary.users;
  *context = primary.context.get();
}

void Driver::release(int device) {
  auto found = primaries.find(device);
  if (found == primaries.end())
    throw CallError{HS_CU_INVALID_CONTEXT};
  if (--found->second.users > 0)
    return;
  found->second.context->queue.waitAll();
  found->second.context->reportLeaks();
  if (current == found->second.context.get())
    current = nullptr;
  primaries.erase(found);
}

Context *Driver::find(const void *handle) {
  for (auto &[device, primary] : primaries)
    if (primary.context.get() == handle)
      return primary.context.get();
  return nullptr;
}

Context *currentContextOrNull() { return Driver::get().find(current); }
void setCurrentContext(Context *context) { current = context; }

Context &currentContext() {
  Context *context = currentContextOrNull();
  if (!context)
    throw CallError{HS_CU_INVALID_CONTEXT};
  return *context;
}

Stream &streamOf(Context &context, hs_cu_stream handle) {
  return handle ? living(context.streams, handle, "stream") : context.defaultStream;
}

void reportMisuse(const std::string &text) { Report::get().add(text); }

static void requireDevice(int device) {
  if (device < 0 || device >= Driver::get().settings().devices)
    throw CallError{HS_CU_INVALID_DEVICE};
}

} // namespace halfstep::emulator

using namespace halfstep::emulator;

extern "C" {

int cuInit(unsigned flags) {
  Driver &driver = Driver::get();
  std::lock_guard<std::recursive_mutex> lock(driver.mutex);
  if (flags)
    return HS_CU_INVALID_VALUE;
  driver.initialize();
  return driver.settings().devices ? HS_CU_SUCCESS : HS_CU_NO_DEVICE;
}

__attribute__((visibility("default"))) int cuDriverGetVersion(int *version) {
  *version = Settings::read().driver;
  return HS_CU_SUCCESS;
}

int cuDeviceGetCount(int *count) {
  return call([&] { *count = Driver::get().settings().devices; });
}

int cuDeviceGet(int *device, int ordinal) {
  return call([&] {
    requireDevice(ordinal);
    *device = ordinal;
  });
}

int cuDeviceGetName(char *name, int bytes, int device) {
  return call([&] {
    requireDevice(device);
    std::snprintf(name, static_cast<size_t>(bytes), "emulated sm_%d", Driver::get().settings().arch);
  });
}

int cuDeviceGetAttribute(int *value, int attribute, int device) {
  return call([&] {
    requireDevice(device);
    if (attribute == HS_CU_ATTRIBUTE_CAPABILITY_MAJOR)
      *value = Driver::get().settings().arch / 10;
    else if (attribute == HS_CU_ATTRIBUTE_CAPABILITY_MINOR)
      *value = Driver::get().settings().arch % 10;
    else
      throw Finding("cuDeviceGetAttribute: attribute " + std::to_string(attribute) + " is not emulated");
  });
}

int cuDevicePrimaryCtxRetain(hs_cu_context *context, int device) {
  return call([&] {
    requireDevice(device);
    Context *made = nullptr;
    Driver::get().retain(device, &made);
    *context = reinterpret_cast<hs_cu_context>(made);
  });
}

int cuDevicePrimaryCtxRelease(int device) {
  return call([&] {
    requireDevice(device);
    Driver::get().release(device);
  });
}

int cuCtxGetCurrent(hs_cu_context *context) {
  return call([&] { *context = reinterpret_cast<hs_cu_context>(currentContextOrNull()); });
}

int cuCtxSetCurrent(hs_cu_context context) {
  return call([&] {
    Context *found = Driver::get().find(context);
    if (context && !found)
      throw CallError{HS_CU_INVALID_CONTEXT};
    setCurrentContext(found);
  });
}

} // extern "C"
