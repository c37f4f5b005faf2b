// The interpreter's loop and the divergence of a warp. Of several groups of lanes the one that is furthest
// behind runs, so that groups meet where their paths join; at a convergent instruction all that can still
// come are awaited.
#include "Warp.h"

#include "Finding.h"

#include <algorithm>
#include <bit>

namespace halfstep::emulator {

static constexpr uint32_t kNoJoin = 0xFFFFFFFF;

Warp::Warp(const Program &program)
    : program(program), storage(program.slotBytes / sizeof(Line) + 1), written(program.slotCount) {
  file.start = storage.data()->bytes;
  for (const Program::Constant &constant : program.constants) {
    if (constant.bits == 1)
      predicate(constant.slot) = constant.value ? kAllLanes : 0;
    for (unsigned lane = 0; lane < kLanes; ++lane) {
      const unsigned bytes = constant.bits / 8;
      std::memcpy(file.data() + constant.slot.offset + lane * bytes, &constant.value, bytes);
    }
  }
  local.resize(program.localBytes * kLanes);
}

void Warp::start(Block &owner, unsigned index) {
  block = &owner;
  firstThread = index * kLanes;
  std::fill(written.begin(), written.end(), 0);
  written[0] = kAllLanes;
  localWritten.assign(local.size(), 0);
  const uint32_t threads = std::min<uint32_t>(kLanes, owner.threads - firstThread);
  started = active = threads == kLanes ? kAllLanes : (1u << threads) - 1;
  pc = current = 0;
  join = kNoJoin;
  others.clear();
  waiting.clear();
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    openCopies[lane].clear();
    copyGroups[lane].clear();
  }
  state = State::Running;
}

void Warp::run(uint64_t &budget) {
  state = State::Running;
  while (state == State::Running) {
    if (pc >= join)
      switchGroup();
    if (!step())
      continue;
    if (--budget == 0)
      throw Finding("runs for longer than the emulator's limit of instructions");
  }
}

/// One instruction; false when the lanes have to wait for others first.
bool Warp::step() {
  const Op &op = program.ops[pc];
  current = pc;
  if (op.convergent && !gather())
    return false;
  uint32_t mask = active;
  if (op.guarded) {
    requireWritten(op.guard, mask);
    const uint32_t guard = predicate(op.guard);
    mask &= op.guardNegated ? ~guard : guard;
  }
  ++pc;
  if (!mask)
    return true;
  if (mask & ~(written[op.sources[0].index] & written[op.sources[1].index] & written[op.sources[2].index]))
    for (Slot source : op.sources)
      requireWritten(source, mask);
  op.run(*this, op, mask);
  written[op.result.index] |= mask;
  return true;
}

/// True when no other lane can come to this instruction before it runs.
bool Warp::gather() {
  if (others.empty() && waiting.empty())
    return true;
  waiting.push_back({pc, active});
  active = 0;
  if (!others.empty()) {
    switchGroup();
    return false;
  }
  auto behind = [](const Group &a, const Group &b) { return a.pc < b.pc; };
  pc = std::min_element(waiting.begin(), waiting.end(), behind)->pc;
  for (const Group &group : waiting)
    active |= group.pc == pc ? group.mask : 0;
  std::erase_if(waiting, [&](const Group &group) { return group.pc == pc; });
  current = pc;
  return true;
}

/// Goes on with the group that is furthest behind.
void Warp::switchGroup() {
  if (active)
    others.push_back({pc, active});
  pc = kNoJoin;
  for (const Group &group : others)
    pc = std::min(pc, group.pc);
  active = 0;
  for (const Group &group : others)
    active |= group.pc == pc ? group.mask : 0;
  std::erase_if(others, [&](const Group &group) { return group.pc == pc; });
  setJoin();
}

void Warp::setJoin() {
  join = kNoJoin;
  for (const Group &group : others)
    join = std::min(join, group.pc);
}

void Warp::branch(uint32_t target, uint32_t mask) {
  if (mask == active) {
    pc = target;
    return;
  }
  others.push_back({target, mask});
  active &= ~mask;
  setJoin();
}

void Warp::exitLanes(uint32_t mask) {
  for (unsigned lane = 0; lane < kLanes; ++lane)
    if (mask >> lane & 1 && (!openCopies[lane].empty() || !copyGroups[lane].empty())) {
      faultLane = lane;
      throw Finding("ends while its asynchronous copies are in flight");
    }
  active &= ~mask;
  if (active)
    return;
  if (!others.empty()) {
    switchGroup();
  } else if (!waiting.empty()) {
    pc = waiting.back().pc;
    active = waiting.back().mask;
    waiting.pop_back();
  } else {
    state = State::Done;
  }
}

uint8_t *Warp::localMemory(unsigned lane, uint64_t offset, uint64_t bytes, bool write) {
  if (offset > program.localBytes || program.localBytes - offset < bytes)
    throw Finding("accesses local memory behind its end");
  uint8_t *state = localWritten.data() + lane * program.localBytes + offset;
  if (write)
    std::fill_n(state, bytes, 1);
  else if (std::find(state, state + bytes, 0) != state + bytes)
    throw Finding("reads local memory that nothing has written");
  return local.data() + lane * program.localBytes + offset;
}

void Warp::failUnwritten(Slot slot, uint32_t mask) const {
  const uint32_t missing = mask & ~written[slot.index];
  faultLane = static_cast<unsigned>(std::countr_zero(missing));
  throw Finding("reads a register that it has not written");
}

} // namespace halfstep::emulator
