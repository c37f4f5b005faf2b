// cp.async: copies from global to shared memory that arrive only when they are waited for, so that a wait too
// few is seen as a read of bytes in flight. Meanings after the PTX ISA description, chapter 9.7.9.25.
#include "Decoder.h"
#include "Finding.h"
#include "Warp.h"

namespace halfstep::emulator {
namespace {

/// sources: shared address, global address, bytes that are read. bytes: of the copy; those not read become
/// zero.
void startCopy(Warp &warp, const Op &op, uint32_t mask) {
  const Slot sharedAddress = op.sources[0];
  const bool wide = op.detail->sharedIsWide;
  for (unsigned lane = 0; lane < kLanes; ++lane)
    if (mask >> lane & 1) {
      warp.faultLane = lane;
      const uint64_t to =
          (wide ? warp.lanes<uint64_t>(sharedAddress)[lane] : warp.lanes<uint32_t>(sharedAddress)[lane]) +
          static_cast<uint64_t>(op.immediate);
      const uint64_t from =
          warp.lanes<uint64_t>(op.sources[1])[lane] + static_cast<uint64_t>(op.detail->globalOffset);
      const uint32_t count = warp.lanes<uint32_t>(op.sources[2])[lane];
      if (to % op.bytes || from % op.bytes)
        throw Finding("copies " + std::to_string(op.bytes) + " bytes between addresses not aligned to them");
      if (count > op.bytes)
        throw Finding("copies " + std::to_string(count) + " bytes to " + std::to_string(op.bytes));
      if (to > warp.block->shared->size() || warp.block->shared->size() - to < op.bytes)
        throw Finding("copies to " + std::to_string(to) + " of " +
                      std::to_string(warp.block->shared->size()) + " bytes of shared memory");
      Warp::Copy copy = {static_cast<uint32_t>(to), op.bytes, {}};
      if (count) {
        const GlobalMemory::Place place = warp.block->global->find(from, count);
        place.bytes->checkRead(place.offset, count, warp.stamp(lane));
        std::memcpy(copy.bytes.data(), place.bytes->data() + place.offset, count);
      }
      warp.block->shared->beginCopy(to, op.bytes, warp.stamp(lane));
      warp.openCopies[lane].push_back(copy);
    }
}

void commitGroup(Warp &warp, const Op &, uint32_t mask) {
  for (unsigned lane = 0; lane < kLanes; ++lane)
    if (mask >> lane & 1) {
      warp.copyGroups[lane].push_back(std::move(warp.openCopies[lane]));
      warp.openCopies[lane].clear();
    }
}

/// Waits until at most `immediate` groups are in flight.
void waitGroup(Warp &warp, const Op &op, uint32_t mask) {
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    auto &groups = warp.copyGroups[lane];
    while (mask >> lane & 1 && groups.size() > static_cast<size_t>(op.immediate)) {
      for (const Warp::Copy &copy : groups.front()) {
        std::memcpy(warp.block->shared->data() + copy.offset, copy.bytes.data(), copy.count);
        warp.block->shared->endCopy(copy.offset, copy.count, warp.stamp(lane));
      }
      groups.pop_front();
    }
  }
}

void waitAll(Warp &warp, const Op &op, uint32_t mask) {
  commitGroup(warp, op, mask);
  waitGroup(warp, op, mask);
}

void decodeCopy(Decoder &decoder, Modifiers &modifiers) {
  const auto &operands = decoder.in().operands;
  if (operands.size() < 3 || operands[2].kind != Operand::Kind::Literal ||
      (!modifiers.take("cg") && !modifiers.take("ca")) ||
      (!modifiers.take("shared") && !modifiers.take("shared::cta")) || !modifiers.take("global"))
    decoder.refuse();
  for (const char *hint : {"L2::64B", "L2::128B", "L2::256B"})
    modifiers.take(hint);
  const Decoder::Address to = decoder.address(operands[0]), from = decoder.address(operands[1]);
  const uint64_t bytes = operands[2].bits;
  if ((bytes != 4 && bytes != 8 && bytes != 16) || from.bits != 64)
    decoder.refuse();
  const Slot count = operands.size() > 3 ? decoder.source(operands[3], 32) : decoder.constant(bytes, 32);
  Op &op = decoder.emit(startCopy);
  op.sources = {to.base, from.base, count};
  op.immediate = to.offset;
  op.bytes = static_cast<uint8_t>(bytes);
  Detail &detail = decoder.detail(op);
  detail.globalOffset = from.offset;
  detail.sharedIsWide = to.bits == 64;
}

void decodeAsync(Decoder &decoder, Modifiers &modifiers) {
  if (!modifiers.take("async"))
    decoder.refuse();
  if (modifiers.take("commit_group")) {
    decoder.emit(commitGroup);
  } else if (modifiers.take("wait_all")) {
    decoder.emit(waitAll).immediate = 0;
  } else if (modifiers.take("wait_group")) {
    decoder.expectOperands(1);
    decoder.emit(waitGroup).immediate = static_cast<int64_t>(decoder.in().operands[0].bits);
  } else {
    decodeCopy(decoder, modifiers);
  }
}

} // namespace

void addAsyncCopyDecoders(InstructionDecoders &decoders) { decoders["cp"] = decodeAsync; }

} // namespace halfstep::emulator
