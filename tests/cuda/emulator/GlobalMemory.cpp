// See GlobalMemory.h.
#include "GlobalMemory.h"

#include "Finding.h"

#include <cstdio>

namespace halfstep::emulator {

uint64_t GlobalMemory::allocate(uint64_t bytes) {
  if (bytes > limit - used)
    return 0;
  const uint64_t address = next;
  allocations[address] = {bytes, std::make_unique<ShadowedBytes>(bytes, /*shared=*/false, order)};
  // The gap keeps an index that runs past one allocation from landing in the next.
  next += (bytes / 512 + 1) * 512 + (1 << 20);
  used += bytes;
  ++count;
  return address;
}

bool GlobalMemory::release(uint64_t address) {
  auto found = allocations.find(address);
  if (found == allocations.end() || !found->second.memory)
    return false;
  if (last == found->second.memory.get())
    last = nullptr;
  found->second.memory.reset();
  used -= found->second.bytes;
  --count;
  return true;
}

GlobalMemory::Place GlobalMemory::search(uint64_t address, uint64_t count) {
  char where[96];
  std::snprintf(where, sizeof where, "accesses %llu bytes at 0x%llx, ",
                static_cast<unsigned long long>(count), static_cast<unsigned long long>(address));
  auto after = allocations.upper_bound(address);
  if (after == allocations.begin())
    throw Finding(where + std::string("which is not memory of the device"));
  auto &[base, allocation] = *std::prev(after);
  const uint64_t offset = address - base;
  if (offset >= allocation.bytes || allocation.bytes - offset < count)
    throw Finding(where + std::string("which ends ") + std::to_string(offset + count - allocation.bytes) +
                  " bytes behind the end of an allocation of " + std::to_string(allocation.bytes));
  if (!allocation.memory)
    throw Finding(where + std::string("in an allocation that was freed"));
  last = allocation.memory.get();
  lastBase = base;
  return {last, offset};
}

} // namespace halfstep::emulator
