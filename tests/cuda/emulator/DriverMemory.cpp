// The calls that allocate and copy.
#include "Driver.h"

#include <cstdlib>
#include <cstring>

using namespace halfstep::emulator;

/// Copies are stamped as one thread of one block.
static Stamp copyStamp(uint32_t operation) { return Stamp::of(operation, 0, 0, 0); }

static void requirePinned(const Context &context, const void *memory, size_t bytes, const char *what) {
  if (!context.isPinned(memory, bytes))
    throw Finding(std::string(what) + ": the host memory is not pinned, so the copy is not asynchronous");
}

extern "C" {

int cuMemAlloc(hs_cu_pointer *pointer, size_t bytes) {
  return call([&] {
    Context &context = currentContext();
    if (!bytes)
      throw CallError{HS_CU_INVALID_VALUE};
    *pointer = context.memory.allocate(bytes);
    if (!*pointer)
      throw CallError{HS_CU_OUT_OF_MEMORY};
  });
}

int cuMemFree(hs_cu_pointer pointer) {
  return call([&] {
    if (pointer && !currentContext().memory.release(pointer))
      throw Finding("cuMemFree: the pointer is not the start of a living allocation");
  });
}

int cuMemHostAlloc(void **memory, size_t bytes, unsigned) {
  return call([&] {
    Context &context = currentContext();
    *memory = std::malloc(bytes ? bytes : 1);
    if (!*memory)
      throw CallError{HS_CU_OUT_OF_MEMORY};
    context.pinned[*memory] = bytes;
  });
}

int cuMemFreeHost(void *memory) {
  return call([&] {
    Context &context = currentContext();
    if (!context.pinned.erase(memory))
      throw Finding("cuMemFreeHost: the pointer is not that of pinned memory");
    context.queue.waitAll(); // as the driver does: work under way may use it
    std::free(memory);
  });
}

int cuMemcpyHtoDAsync(hs_cu_pointer to, const void *from, size_t bytes, hs_cu_stream stream) {
  return call([&] {
    Context &context = currentContext();
    requireHealthy(context);
    requirePinned(context, from, bytes, "cuMemcpyHtoDAsync");
    Work work;
    work.what = "copy to the device";
    work.hostSource = from;
    work.hostBytes = bytes;
    work.run = [&context, to, from, bytes](uint32_t operation) {
      if (!bytes)
        return;
      const GlobalMemory::Place place = context.memory.find(to, bytes);
      place.bytes->checkWrite(place.offset, bytes, copyStamp(operation));
      std::memcpy(place.bytes->data() + place.offset, from, bytes);
    };
    context.submit(streamOf(context, stream), work);
  });
}

int cuMemcpyDtoHAsync(void *to, hs_cu_pointer from, size_t bytes, hs_cu_stream stream) {
  return call([&] {
    Context &context = currentContext();
    requireHealthy(context);
    requirePinned(context, to, bytes, "cuMemcpyDtoHAsync");
    Work work;
    work.what = "copy from the device";
    work.hostTarget = to;
    work.hostBytes = bytes;
    work.run = [&context, to, from, bytes](uint32_t operation) {
      if (!bytes)
        return;
      const GlobalMemory::Place place = context.memory.find(from, bytes);
      place.bytes->checkRead(place.offset, bytes, copyStamp(operation));
      std::memcpy(to, place.bytes->data() + place.offset, bytes);
    };
    context.submit(streamOf(context, stream), work);
  });
}

int cuMemsetD8Async(hs_cu_pointer to, unsigned char value, size_t bytes, hs_cu_stream stream) {
  return call([&] {
    Context &context = currentContext();
    requireHealthy(context);
    Work work;
    work.what = "fill of device memory";
    work.run = [&context, to, value, bytes](uint32_t operation) {
      if (!bytes)
        return;
      const GlobalMemory::Place place = context.memory.find(to, bytes);
      place.bytes->checkWrite(place.offset, bytes, copyStamp(operation));
      std::memset(place.bytes->data() + place.offset, value, bytes);
    };
    context.submit(streamOf(context, stream), work);
  });
}

} // extern "C"
