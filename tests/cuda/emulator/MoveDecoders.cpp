// mov with packing and unpacking, and cvta. Meanings after the PTX ISA description, chapters 9.7.9.3
// and 9.7.9.20.
#include "Decoder.h"
#include "Warp.h"

namespace halfstep::emulator {
namespace {

/// result = the elements of detail->sources side by side, the first one lowest; bytes: of an element.
void pack(Warp &warp, const Op &op, uint32_t mask) {
  const auto &parts = op.detail->sources;
  const size_t whole = parts.size() * op.bytes;
  for (size_t i = 0; i < parts.size(); ++i) {
    warp.requireWritten(parts[i], mask);
    for (unsigned lane = 0; lane < kLanes; ++lane)
      if (mask >> lane & 1)
        std::memcpy(warp.lanes<uint8_t>(op.result) + lane * whole + i * op.bytes,
                    warp.lanes<uint8_t>(parts[i]) + lane * op.bytes, op.bytes);
  }
}

void unpack(Warp &warp, const Op &op, uint32_t mask) {
  const auto &parts = op.detail->results;
  const size_t whole = parts.size() * op.bytes;
  for (size_t i = 0; i < parts.size(); ++i) {
    for (unsigned lane = 0; lane < kLanes; ++lane)
      if (mask >> lane & 1)
        std::memcpy(warp.lanes<uint8_t>(parts[i]) + lane * op.bytes,
                    warp.lanes<uint8_t>(op.sources[0]) + lane * whole + i * op.bytes, op.bytes);
    warp.setWritten(parts[i], mask);
  }
}

void decodePack(Decoder &decoder, unsigned bits) {
  const Operand &to = decoder.in().operands[0], &from = decoder.in().operands[1];
  const unsigned part = bits / static_cast<unsigned>(from.parts.size());
  std::vector<Slot> sources;
  for (const Operand &each : from.parts)
    sources.push_back(decoder.source(each, part));
  const Slot out = decoder.result(to, bits);
  Op &op = decoder.emit(pack);
  op.result = out;
  op.bytes = static_cast<uint8_t>(part / 8);
  decoder.detail(op).sources = sources;
}

void decodeUnpack(Decoder &decoder, unsigned bits) {
  const Operand &to = decoder.in().operands[0], &from = decoder.in().operands[1];
  const unsigned part = bits / static_cast<unsigned>(to.parts.size());
  std::vector<Slot> results;
  for (const Operand &each : to.parts)
    results.push_back(decoder.result(each, part));
  const Slot source = decoder.source(from, bits);
  Op &op = decoder.emit(unpack);
  op.sources[0] = source;
  op.bytes = static_cast<uint8_t>(part / 8);
  decoder.detail(op).results = results;
}

/// Only the forms with braces come here; the plain ones are lanewise.
void decodeMove(Decoder &decoder, Modifiers &modifiers) {
  unsigned bits = 0;
  if (modifiers.takeType(bits) != "b" + std::to_string(bits))
    decoder.refuse();
  decoder.expectOperands(2);
  const bool packs = decoder.in().operands[1].kind == Operand::Kind::Vector;
  const size_t count = decoder.in().operands[packs ? 1 : 0].parts.size();
  if (count == 0 || bits % (8 * count) != 0 || bits / count < 16)
    decoder.refuse();
  packs ? decodePack(decoder, bits) : decodeUnpack(decoder, bits);
}

/// result = sources[0] + immediate: between an address of a space and a generic one.
template <typename T>
void shift(Warp &warp, const Op &op, uint32_t mask) {
  for (unsigned lane = 0; lane < kLanes; ++lane)
    if (mask >> lane & 1)
      warp.lanes<T>(op.result)[lane] = warp.lanes<T>(op.sources[0])[lane] + static_cast<T>(op.immediate);
}

void decodeCvta(Decoder &decoder, Modifiers &modifiers) {
  decoder.expectOperands(2);
  const bool toSpace = modifiers.take("to");
  uint64_t window = 0;
  if (modifiers.take("shared"))
    window = kSharedWindow;
  else if (modifiers.take("local"))
    window = kLocalWindow;
  else if (!modifiers.take("global") && !modifiers.take("param"))
    decoder.refuse();
  if (!modifiers.take("u64"))
    decoder.refuse();
  const Slot from = decoder.source(decoder.in().operands[1], 64),
             to = decoder.result(decoder.in().operands[0], 64);
  Op &op = decoder.emit(shift<uint64_t>);
  op.result = to;
  op.sources[0] = from;
  op.immediate = static_cast<int64_t>(toSpace ? -window : window);
}

} // namespace

void addMoveDecoders(InstructionDecoders &decoders) {
  decoders["mov"] = decodeMove;
  decoders["cvta"] = decodeCvta;
}

} // namespace halfstep::emulator
