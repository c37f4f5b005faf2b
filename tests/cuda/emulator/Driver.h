// The emulated driver: contexts of the devices, the current one of each thread, and how calls end.
#ifndef HALFSTEP_EMULATOR_DRIVER_H
#define HALFSTEP_EMULATOR_DRIVER_H

#include "Context.h"
#include "Finding.h"

#include "embedded/cuda_driver.h"

#include <mutex>

namespace halfstep::emulator {

/// Ends a call with a CUresult.
struct CallError {
  int code;
};

class Driver {
public:
  static Driver &get();

  void initialize();
  const Settings &settings() const { return values; }
  bool isInitialized() const { return initialized; }

  void retain(int device, Context **context);
  void release(int device);
  Context *find(const void *handle);

  std::recursive_mutex mutex; ///< held during each call

private:
  ~Driver();

  struct Primary {
    std::unique_ptr<Context> context;
    int users = 0;
  };
  Settings values;
  bool initialized = false;
  std::map<int, Primary> primaries;
};

/// The current context of the calling thread. Throws CallError.
Context &currentContext();
void setCurrentContext(Context *context);
Context *currentContextOrNull();

/// The living object of the handle; throws CallError, with a finding, for one that was destroyed or never
/// made.
template <typename T>
T &living(Registry<T> &registry, const void *handle, const char *what);
Stream &streamOf(Context &context, hs_cu_stream handle);

void reportMisuse(const std::string &text);

/// Runs a call: errors become its CUresult.
template <typename F>
int call(F body) {
  std::lock_guard<std::recursive_mutex> lock(Driver::get().mutex);
  try {
    if (!Driver::get().isInitialized())
      return HS_CU_NOT_INITIALIZED;
    body();
    return HS_CU_SUCCESS;
  } catch (const CallError &error) {
    return error.code;
  } catch (const Finding &finding) {
    reportMisuse(finding.what());
    return HS_CU_INVALID_VALUE;
  }
}

template <typename T>
T &living(Registry<T> &registry, const void *handle, const char *what) {
  if (T *object = registry.find(handle))
    return *object;
  reportMisuse(std::string("a call got a handle of no living ") + what);
  throw CallError{HS_CU_INVALID_HANDLE};
}

/// CUDA reports an error of earlier work at whatever call comes next.
inline void requireHealthy(const Context &context) {
  if (context.queue.failed())
    throw CallError{HS_CU_LAUNCH_FAILED};
}

} // namespace halfstep::emulator

#endif // HALFSTEP_EMULATOR_DRIVER_H
