// ld, st, atom and red. Every access is checked for alignment, bounds, initialisation and races. Meanings
// after the PTX ISA description, chapters 9.7.9.8 to 9.7.9.12 and 9.7.13.
#include "Decoder.h"
#include "Finding.h"
#include "Warp.h"

#include <algorithm>

namespace halfstep::emulator {
namespace {

enum class Access { Read, Write, Atomic };

/// The bytes of one lane's access, checked.
template <Access access>
uint8_t *resolve(Warp &warp, Space space, unsigned lane, uint64_t address, unsigned count) {
  warp.faultLane = lane;
  if (space == Space::Generic) {
    const uint64_t window = address & kWindowMask;
    space = window == kSharedWindow ? Space::Shared : window == kLocalWindow ? Space::Local : Space::Global;
    address -= space == Space::Global ? 0 : window;
  }
  if (address % count != 0)
    throw Finding("accesses " + std::to_string(count) + " bytes at an address that is not aligned to them (" +
                  std::to_string(address % count) + " too far)");
  if (space == Space::Local)
    return warp.localMemory(lane, address, count, access == Access::Write);
  ShadowedBytes *bytes = warp.block->shared;
  size_t offset = address;
  if (space == Space::Global) {
    const GlobalMemory::Place place = warp.block->global->find(address, count);
    bytes = place.bytes;
    offset = place.offset;
  } else if (address > bytes->size() || bytes->size() - address < count) {
    throw Finding("accesses " + std::to_string(count) + " bytes at " + std::to_string(address) + " of " +
                  std::to_string(bytes->size()) + " bytes of shared memory");
  }
  if constexpr (access == Access::Read)
    bytes->checkRead(offset, count, warp.stamp(lane));
  else if constexpr (access == Access::Write)
    bytes->checkWrite(offset, count, warp.stamp(lane));
  else
    bytes->checkAtomic(offset, count, warp.stamp(lane));
  return bytes->data() + offset;
}

uint64_t addressOf(Warp &warp, const Op &op, unsigned lane, bool wide) {
  return (wide ? warp.lanes<uint64_t>(op.sources[0])[lane] : warp.lanes<uint32_t>(op.sources[0])[lane]) +
         static_cast<uint64_t>(op.immediate);
}

template <typename T, Space space, bool wide>
void load(Warp &warp, const Op &op, uint32_t mask) {
  const auto &results = op.detail->results;
  const auto count = static_cast<unsigned>(results.size() * sizeof(T));
  for (unsigned lane = 0; lane < kLanes; ++lane)
    if (mask >> lane & 1) {
      const uint8_t *from = resolve<Access::Read>(warp, space, lane, addressOf(warp, op, lane, wide), count);
      for (size_t i = 0; i < results.size(); ++i)
        std::memcpy(&warp.lanes<T>(results[i])[lane], from + i * sizeof(T), sizeof(T));
    }
  for (Slot result : results)
    warp.setWritten(result, mask);
}

template <typename T, Space space, bool wide>
void store(Warp &warp, const Op &op, uint32_t mask) {
  const auto &sources = op.detail->sources;
  const auto count = static_cast<unsigned>(sources.size() * sizeof(T));
  for (Slot source : sources)
    warp.requireWritten(source, mask);
  for (unsigned lane = 0; lane < kLanes; ++lane)
    if (mask >> lane & 1) {
      uint8_t *to = resolve<Access::Write>(warp, space, lane, addressOf(warp, op, lane, wide), count);
      for (size_t i = 0; i < sources.size(); ++i)
        std::memcpy(to + i * sizeof(T), &warp.lanes<T>(sources[i])[lane], sizeof(T));
    }
}

template <typename T, Space space>
Op::Run chooseWidth(bool loads, bool wide) {
  return loads ? (wide ? load<T, space, true> : load<T, space, false>)
               : (wide ? store<T, space, true> : store<T, space, false>);
}

template <typename T>
Op::Run chooseSpace(bool loads, Space space, bool wide) {
  switch (space) {
  case Space::Shared:
    return chooseWidth<T, Space::Shared>(loads, wide);
  case Space::Local:
    return chooseWidth<T, Space::Local>(loads, wide);
  case Space::Generic:
    return chooseWidth<T, Space::Generic>(loads, wide);
  default:
    return chooseWidth<T, Space::Global>(loads, wide);
  }
}

Op::Run chooseAccess(bool loads, Space space, unsigned bits, bool wide) {
  switch (bits) {
  case 8:
    return chooseSpace<uint8_t>(loads, space, wide);
  case 16:
    return chooseSpace<uint16_t>(loads, space, wide);
  case 32:
    return chooseSpace<uint32_t>(loads, space, wide);
  default:
    return chooseSpace<uint64_t>(loads, space, wide);
  }
}

template <typename T>
void loadParameter(Warp &warp, const Op &op, uint32_t mask) {
  T value;
  std::memcpy(&value, warp.block->parameters->data() + op.immediate, sizeof value);
  for (unsigned lane = 0; lane < kLanes; ++lane)
    if (mask >> lane & 1)
      warp.lanes<T>(op.result)[lane] = value;
}

void decodeParameter(Decoder &decoder, Modifiers &modifiers) {
  unsigned bits = 0;
  const std::string type = modifiers.takeType(bits);
  const Operand &from = decoder.in().operands[1];
  const Variable *parameter = decoder.findVariable(from.name);
  if (from.kind != Operand::Kind::Address || !parameter || parameter->space != Space::Param)
    decoder.fail("ld.param expects a parameter");
  if (from.bits + bits / 8 > parameter->bytes)
    decoder.fail("ld.param reads behind the end of '" + from.name + "'");
  const Slot out = decoder.widenedResult(decoder.in().operands[0], bits, type[0] == 's');
  Op &op = decoder.emit(bits == 8    ? loadParameter<uint8_t>
                        : bits == 16 ? loadParameter<uint16_t>
                        : bits == 32 ? loadParameter<uint32_t>
                                     : loadParameter<uint64_t>);
  op.result = out;
  op.immediate = static_cast<int64_t>(parameter->offset + from.bits);
}

Space takeSpace(Modifiers &modifiers) {
  for (auto [word, space] : {std::pair("global", Space::Global),
                             {"shared", Space::Shared},
                             {"local", Space::Local},
                             {"const", Space::Const},
                             {"param", Space::Param}})
    if (modifiers.take(word))
      return space;
  modifiers.take("shared::cta");
  return Space::Generic;
}

/// How long a value stays in caches does not change what a program computes.
void takeCacheHints(Modifiers &modifiers) {
  for (const char *hint : {"nc", "volatile", "weak", "ca", "cg", "cs", "lu", "wb", "wt", "L1::no_allocate",
                           "L1::evict_last", "L1::evict_first", "L2::64B", "L2::128B", "L2::256B"})
    modifiers.take(hint);
}

void decodeAccess(Decoder &decoder, Modifiers &modifiers) {
  const bool loads = modifiers.first() == "ld";
  decoder.expectOperands(2);
  const Space space = takeSpace(modifiers);
  takeCacheHints(modifiers);
  if (space == Space::Param && loads)
    return decodeParameter(decoder, modifiers);
  const size_t count = modifiers.take("v4") ? 4 : modifiers.take("v2") ? 2 : 1;
  unsigned bits = 0;
  const std::string type = modifiers.takeType(bits);
  const Operand &values = decoder.in().operands[loads ? 0 : 1], &place = decoder.in().operands[loads ? 1 : 0];
  const std::vector<Operand> parts =
      values.kind == Operand::Kind::Vector ? values.parts : std::vector{values};
  if (parts.size() != count || space == Space::Param || bits < 8 || bits > 64 || count * bits > 128 ||
      (bits == 8 && space == Space::Shared))
    decoder.refuse();
  std::vector<Slot> slots;
  for (const Operand &part : parts)
    slots.push_back(loads ? decoder.widenedResult(part, bits, type[0] == 's')
                          : decoder.narrowedSource(part, bits));
  const Decoder::Address address = decoder.address(place);
  Op &op = decoder.emit(chooseAccess(loads, space, bits, address.bits == 64));
  op.sources[0] = address.base;
  op.immediate = address.offset;
  Detail &detail = decoder.detail(op);
  (loads ? detail.results : detail.sources) = slots;
}

// --- atomics ---

template <typename T>
using Combine = T (*)(T old, T operand);

template <typename T, Combine<T> combine>
void update(Warp &warp, const Op &op, uint32_t mask) {
  const Space space = static_cast<Space>(op.bytes & 0xF);
  for (unsigned lane = 0; lane < kLanes; ++lane)
    if (mask >> lane & 1) {
      uint8_t *place =
          resolve<Access::Atomic>(warp, space, lane, addressOf(warp, op, lane, op.bytes & 0x10), sizeof(T));
      T old;
      std::memcpy(&old, place, sizeof old);
      const T made = combine(old, warp.lanes<T>(op.sources[1])[lane]);
      std::memcpy(place, &made, sizeof made);
      warp.lanes<T>(op.result)[lane] = old;
    }
}

struct Atomic {
  Op::Run run;
  unsigned bits;
};

const std::map<std::string, Atomic> kAtomics = {
    {"or.b32", {update<uint32_t, [](uint32_t a, uint32_t b) { return a | b; }>, 32}},
    {"and.b32", {update<uint32_t, [](uint32_t a, uint32_t b) { return a & b; }>, 32}},
    {"xor.b32", {update<uint32_t, [](uint32_t a, uint32_t b) { return a ^ b; }>, 32}},
    {"exch.b32", {update<uint32_t, [](uint32_t, uint32_t b) { return b; }>, 32}},
    {"add.u32", {update<uint32_t, [](uint32_t a, uint32_t b) { return a + b; }>, 32}},
    {"add.s32", {update<uint32_t, [](uint32_t a, uint32_t b) { return a + b; }>, 32}},
    {"add.u64", {update<uint64_t, [](uint64_t a, uint64_t b) { return a + b; }>, 64}},
    {"add.f32", {update<float, [](float a, float b) { return a + b; }>, 32}},
    {"add.f64", {update<double, [](double a, double b) { return a + b; }>, 64}},
    {"max.u32", {update<uint32_t, [](uint32_t a, uint32_t b) { return std::max(a, b); }>, 32}},
    {"max.s32", {update<int32_t, [](int32_t a, int32_t b) { return std::max(a, b); }>, 32}},
    {"min.u32", {update<uint32_t, [](uint32_t a, uint32_t b) { return std::min(a, b); }>, 32}},
    {"min.s32", {update<int32_t, [](int32_t a, int32_t b) { return std::min(a, b); }>, 32}}};

/// red is atom without a result.
void decodeAtomic(Decoder &decoder, Modifiers &modifiers) {
  const bool returns = modifiers.first() == "atom";
  decoder.expectOperands(returns ? 3 : 2);
  const Space space = takeSpace(modifiers);
  for (const char *word : {"relaxed", "gpu", "cta"})
    modifiers.take(word);
  if (modifiers.left().size() != 2)
    decoder.refuse();
  auto known = kAtomics.find(modifiers.left()[0] + "." + modifiers.left()[1]);
  if (known == kAtomics.end())
    decoder.refuse();
  unsigned bits = 0;
  modifiers.takeType(bits);
  modifiers.take(std::string(modifiers.left()[0]));
  const auto &operands = decoder.in().operands;
  const Decoder::Address address = decoder.address(operands[returns ? 1 : 0]);
  const Slot value = decoder.source(operands.back(), bits);
  const Slot out = returns ? decoder.result(operands[0], bits) : decoder.temporary(bits);
  Op &op = decoder.emit(known->second.run);
  op.result = out;
  op.sources[0] = address.base;
  op.sources[1] = value;
  op.immediate = address.offset;
  op.bytes = static_cast<uint8_t>(static_cast<int>(space) | (address.bits == 64 ? 0x10 : 0));
}

} // namespace

void addMemoryDecoders(InstructionDecoders &decoders) {
  decoders["ld"] = decodeAccess;
  decoders["st"] = decodeAccess;
  decoders["atom"] = decodeAtomic;
  decoders["red"] = decodeAtomic;
}

} // namespace halfstep::emulator
