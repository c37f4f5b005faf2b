/* The part of NVIDIA's driver interface that a CUDA library uses, found at run time: nothing of CUDA is
 * needed to build. Names, signatures and numbers are those of the CUDA driver API reference; all functions
 * return a CUresult.
 */
#ifndef HALFSTEP_EMBEDDED_CUDA_DRIVER_H
#define HALFSTEP_EMBEDDED_CUDA_DRIVER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef uint64_t hs_cu_pointer; /* CUdeviceptr */
typedef struct hs_cu_context_s *hs_cu_context;
typedef struct hs_cu_module_s *hs_cu_module;
typedef struct hs_cu_function_s *hs_cu_function;
typedef struct hs_cu_stream_s *hs_cu_stream;
typedef struct hs_cu_event_s *hs_cu_event;
typedef struct hs_cu_graph_s *hs_cu_graph;
typedef struct hs_cu_graph_exec_s *hs_cu_graph_exec;

enum { /* CUresult */
       HS_CU_SUCCESS = 0,
       HS_CU_INVALID_VALUE = 1,
       HS_CU_OUT_OF_MEMORY = 2,
       HS_CU_NOT_INITIALIZED = 3,
       HS_CU_NO_DEVICE = 100,
       HS_CU_INVALID_DEVICE = 101,
       HS_CU_INVALID_IMAGE = 200,
       HS_CU_INVALID_CONTEXT = 201,
       HS_CU_NO_BINARY_FOR_GPU = 209,
       HS_CU_INVALID_PTX = 218,
       HS_CU_UNSUPPORTED_PTX_VERSION = 222,
       HS_CU_INVALID_HANDLE = 400,
       HS_CU_NOT_FOUND = 500,
       HS_CU_ILLEGAL_ADDRESS = 700,
       HS_CU_LAUNCH_OUT_OF_RESOURCES = 701,
       HS_CU_LAUNCH_FAILED = 719,
       HS_CU_NOT_SUPPORTED = 801,
       HS_CU_STREAM_CAPTURE_UNSUPPORTED = 900
};

enum {
  HS_CU_ATTRIBUTE_CAPABILITY_MAJOR = 75, /* CUdevice_attribute */
  HS_CU_ATTRIBUTE_CAPABILITY_MINOR = 76,
  HS_CU_STREAM_NON_BLOCKING = 1,
  HS_CU_EVENT_DISABLE_TIMING = 2,
  HS_CU_CAPTURE_THREAD_LOCAL = 1,
  HS_CU_FUNCTION_MAX_DYNAMIC_SHARED = 8, /* CUfunction_attribute */
  HS_CU_JIT_ERROR_LOG_BUFFER = 5,        /* CUjit_option */
  HS_CU_JIT_ERROR_LOG_BYTES = 6,
  HS_CU_API_VERSION = 12000 /* the interface that is asked for, and the oldest driver that has it */
};

/* Every function, by the name that cuGetProcAddress_v2 takes. */
#define HS_CUDA_FUNCTIONS(X)                                                                                 \
  X(cuInit, (unsigned flags))                                                                                \
  X(cuDeviceGetCount, (int *count))                                                                          \
  X(cuDeviceGet, (int *device, int ordinal))                                                                 \
  X(cuDeviceGetName, (char *name, int bytes, int device))                                                    \
  X(cuDeviceGetAttribute, (int *value, int attribute, int device))                                           \
  X(cuDevicePrimaryCtxRetain, (hs_cu_context * context, int device))                                         \
  X(cuDevicePrimaryCtxRelease, (int device))                                                                 \
  X(cuCtxGetCurrent, (hs_cu_context * context))                                                              \
  X(cuCtxSetCurrent, (hs_cu_context context))                                                                \
  X(cuModuleLoadDataEx,                                                                                      \
    (hs_cu_module * module, const void *image, unsigned count, int *options, void **values))                 \
  X(cuModuleUnload, (hs_cu_module module))                                                                   \
  X(cuModuleGetFunction, (hs_cu_function * function, hs_cu_module module, const char *name))                 \
  X(cuFuncSetAttribute, (hs_cu_function function, int attribute, int value))                                 \
  X(cuMemAlloc, (hs_cu_pointer * pointer, size_t bytes))                                                     \
  X(cuMemFree, (hs_cu_pointer pointer))                                                                      \
  X(cuMemHostAlloc, (void **memory, size_t bytes, unsigned flags))                                           \
  X(cuMemFreeHost, (void *memory))                                                                           \
  X(cuMemcpyHtoDAsync, (hs_cu_pointer to, const void *from, size_t bytes, hs_cu_stream stream))              \
  X(cuMemcpyDtoHAsync, (void *to, hs_cu_pointer from, size_t bytes, hs_cu_stream stream))                    \
  X(cuMemsetD8Async, (hs_cu_pointer to, unsigned char value, size_t bytes, hs_cu_stream stream))             \
  X(cuStreamCreate, (hs_cu_stream * stream, unsigned flags))                                                 \
  X(cuStreamDestroy, (hs_cu_stream stream))                                                                  \
  X(cuStreamSynchronize, (hs_cu_stream stream))                                                              \
  X(cuStreamWaitEvent, (hs_cu_stream stream, hs_cu_event event, unsigned flags))                             \
  X(cuStreamBeginCapture, (hs_cu_stream stream, int mode))                                                   \
  X(cuStreamEndCapture, (hs_cu_stream stream, hs_cu_graph * graph))                                          \
  X(cuEventCreate, (hs_cu_event * event, unsigned flags))                                                    \
  X(cuEventDestroy, (hs_cu_event event))                                                                     \
  X(cuEventRecord, (hs_cu_event event, hs_cu_stream stream))                                                 \
  X(cuGraphInstantiateWithFlags, (hs_cu_graph_exec * exec, hs_cu_graph graph, unsigned long long flags))     \
  X(cuGraphLaunch, (hs_cu_graph_exec exec, hs_cu_stream stream))                                             \
  X(cuGraphExecDestroy, (hs_cu_graph_exec exec))                                                             \
  X(cuGraphDestroy, (hs_cu_graph graph))                                                                     \
  X(cuLaunchKernel, (hs_cu_function function, unsigned grid_x, unsigned grid_y, unsigned grid_z,             \
                     unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared_bytes,            \
                     hs_cu_stream stream, void **arguments, void **extra))                                   \
  X(cuGetErrorName, (int error, const char **name))                                                          \
  X(cuGetErrorString, (int error, const char **text))

typedef struct hs_cuda_driver {
#define HS_CUDA_FIELD(name, parameters) int(*name) parameters;
  HS_CUDA_FUNCTIONS(HS_CUDA_FIELD)
#undef HS_CUDA_FIELD
} hs_cuda_driver;

#ifdef __cplusplus
}
#endif
#endif /* HALFSTEP_EMBEDDED_CUDA_DRIVER_H */
