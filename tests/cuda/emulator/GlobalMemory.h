// The memory of a device: allocations at addresses that the host cannot dereference and that are never used
// again.
#ifndef HALFSTEP_EMULATOR_GLOBALMEMORY_H
#define HALFSTEP_EMULATOR_GLOBALMEMORY_H

#include "Shadow.h"

#include <map>

namespace halfstep::emulator {

class GlobalMemory {
public:
  /// limit: bytes that the device has. order must outlive this.
  GlobalMemory(uint64_t limit, const OperationOrder *order) : limit(limit), order(order) {}

  struct Place {
    ShadowedBytes *bytes;
    size_t offset;
  };

  /// The address, aligned to 512 bytes, or 0 when the device has too little left.
  uint64_t allocate(uint64_t bytes);
  /// False when the address is not the start of a living allocation.
  bool release(uint64_t address);

  /// Where [address, address + count) lies. Throws Finding unless it lies in one living allocation.
  Place find(uint64_t address, uint64_t count) {
    if (last && address - lastBase < last->size() && last->size() - (address - lastBase) >= count)
      return {last, address - lastBase};
    return search(address, count);
  }

  size_t living() const { return count; }

private:
  struct Allocation {
    uint64_t bytes;
    std::unique_ptr<ShadowedBytes> memory; ///< null after release
  };
  Place search(uint64_t address, uint64_t count);

  uint64_t limit, used = 0;
  const OperationOrder *order;
  std::map<uint64_t, Allocation> allocations; ///< by address; released ones too
  size_t count = 0;
  uint64_t next = 0x00D0'0000'0000'0200; ///< not a canonical address of the host
  ShadowedBytes *last = nullptr;         ///< what find found last
  uint64_t lastBase = 0;
};

} // namespace halfstep::emulator

#endif // HALFSTEP_EMULATOR_GLOBALMEMORY_H
