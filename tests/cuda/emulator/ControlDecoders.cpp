// Branches, ends, barriers, and what the lanes of a warp tell each other. Meanings after the PTX ISA
// description, chapters 9.7.12, 9.7.13.1 and 9.7.9.6.
#include "Decoder.h"
#include "Finding.h"
#include "Warp.h"

namespace halfstep::emulator {
namespace {

void decodeBranch(Decoder &decoder, Modifiers &modifiers) {
  modifiers.take("uni");
  decoder.expectOperands(1);
  const uint32_t target = decoder.label(decoder.in().operands[0]);
  Op &op = decoder.emit([](Warp &warp, const Op &op, uint32_t mask) {
    warp.branch(static_cast<uint32_t>(op.immediate), mask);
  });
  op.immediate = target; // an instruction until all are decoded
}

void decodeExit(Decoder &decoder, Modifiers &) {
  decoder.expectOperands(0);
  decoder.emit([](Warp &warp, const Op &, uint32_t mask) { warp.exitLanes(mask); });
}

void decodeTrap(Decoder &decoder, Modifiers &) {
  decoder.emit([](Warp &, const Op &, uint32_t) { throw Finding("traps"); });
}

/// Warps run one after the other, each in its own order, so a fence has nothing to order here; that accesses
/// of different blocks are ordered by more than a fence is for the race check to say.
void decodeFence(Decoder &, Modifiers &modifiers) {
  for (const char *word : {"sc", "acq_rel", "cta", "gl", "gpu", "sys"})
    modifiers.take(word);
}

// --- barriers ---

void barrier(Warp &warp, const Op &op, uint32_t mask) {
  if (mask != warp.threads())
    throw Finding("divergent barrier: some lanes of the warp do not come to it");
  warp.barrier = static_cast<uint32_t>(op.immediate);
  warp.stopAtBarrier();
}

void decodeBarrier(Decoder &decoder, Modifiers &modifiers) {
  if (!modifiers.take("sync"))
    decoder.refuse();
  modifiers.take("aligned");
  modifiers.take("cta");
  decoder.expectOperands(1);
  if (decoder.in().operands[0].kind != Operand::Kind::Literal || decoder.in().operands[0].bits > 15)
    decoder.refuse();
  Op &op = decoder.emit(barrier);
  op.immediate = static_cast<int64_t>(decoder.in().operands[0].bits);
  op.convergent = true;
}

// --- between lanes ---

/// All lanes that the instruction names must be there.
void requireMembers(Warp &warp, Slot members, uint32_t mask) {
  for (unsigned lane = 0; lane < kLanes; ++lane)
    if (mask >> lane & 1) {
      const uint32_t named = warp.lanes<uint32_t>(members)[lane];
      warp.faultLane = lane;
      if (!(named >> lane & 1))
        throw Finding("is executed by a lane that its member mask does not name");
      if (named & warp.threads() & ~mask)
        throw Finding("divergent: some lanes of its member mask do not come to it");
      // The usual mask of all lanes is fine in a warp that was made with fewer threads.
    }
}

enum class Shuffle { Up, Down, Butterfly, Index };

struct Source {
  unsigned lane;
  bool inRange;
};

Source shuffleSource(Shuffle kind, unsigned lane, uint32_t b, uint32_t c) {
  const uint32_t by = b & 31, clamp = c & 31, segment = c >> 8 & 31;
  const uint32_t last = (lane & segment) | (clamp & ~segment), first = lane & segment;
  int from = 0;
  bool inRange = false;
  switch (kind) {
  case Shuffle::Up:
    from = static_cast<int>(lane) - static_cast<int>(by);
    inRange = from >= static_cast<int>(last);
    break;
  case Shuffle::Down:
    from = static_cast<int>(lane + by);
    inRange = from <= static_cast<int>(last);
    break;
  case Shuffle::Butterfly:
    from = static_cast<int>(lane ^ by);
    inRange = from <= static_cast<int>(last);
    break;
  case Shuffle::Index:
    from = static_cast<int>(first | (by & ~segment));
    inRange = from <= static_cast<int>(last);
    break;
  }
  return {inRange ? static_cast<unsigned>(from) : lane, inRange};
}

/// sources: value, b, c; detail->sources[0]: members; detail->results[0]: the predicate, or none.
template <Shuffle kind>
void shuffle(Warp &warp, const Op &op, uint32_t mask) {
  requireMembers(warp, op.detail->sources[0], mask);
  uint32_t values[kLanes], inRange = 0;
  std::memcpy(values, warp.lanes<uint32_t>(op.sources[0]), sizeof values);
  for (unsigned lane = 0; lane < kLanes; ++lane)
    if (mask >> lane & 1) {
      const Source source = shuffleSource(kind, lane, warp.lanes<uint32_t>(op.sources[1])[lane],
                                          warp.lanes<uint32_t>(op.sources[2])[lane]);
      warp.faultLane = lane;
      if (!(mask >> source.lane & 1))
        throw Finding("reads lane " + std::to_string(source.lane) + ", which does not take part");
      warp.lanes<uint32_t>(op.result)[lane] = values[source.lane];
      inRange |= uint32_t(source.inRange) << lane;
    }
  for (Slot predicate : op.detail->results) {
    warp.predicate(predicate) = (warp.predicate(predicate) & ~mask) | inRange;
    warp.setWritten(predicate, mask);
  }
}

void decodeShuffle(Decoder &decoder, Modifiers &modifiers) {
  if (!modifiers.take("sync") || !modifiers.take("b32"))
    decoder.refuse();
  Op::Run run = nullptr;
  for (auto [word, known] : {std::pair<const char *, Op::Run>("up", shuffle<Shuffle::Up>),
                             {"down", shuffle<Shuffle::Down>},
                             {"bfly", shuffle<Shuffle::Butterfly>},
                             {"idx", shuffle<Shuffle::Index>}})
    if (modifiers.take(word))
      run = known;
  if (!run)
    decoder.refuse();
  decoder.expectOperands(5);
  const auto &operands = decoder.in().operands;
  const bool pair = operands[0].kind == Operand::Kind::Pair;
  const Slot out = decoder.result(pair ? operands[0].parts[0] : operands[0], 32);
  const std::vector<Slot> predicates =
      pair ? std::vector{decoder.result(operands[0].parts[1], 1)} : std::vector<Slot>();
  const Slot value = decoder.source(operands[1], 32), b = decoder.source(operands[2], 32),
             c = decoder.source(operands[3], 32), members = decoder.source(operands[4], 32);
  Op &op = decoder.emit(run);
  op.result = out;
  op.sources = {value, b, c};
  op.convergent = true;
  Detail &detail = decoder.detail(op);
  detail.results = predicates;
  detail.sources = {members};
}

enum class Vote { All, Any, Uniform, Ballot };

/// sources: the predicate, members; immediate: 1 for a negated predicate.
template <Vote kind>
void vote(Warp &warp, const Op &op, uint32_t mask) {
  requireMembers(warp, op.sources[1], mask);
  const uint32_t predicate = warp.predicate(op.sources[0]);
  const uint32_t yes = (op.immediate ? ~predicate : predicate) & mask;
  if (kind == Vote::Ballot) {
    for (unsigned lane = 0; lane < kLanes; ++lane)
      if (mask >> lane & 1)
        warp.lanes<uint32_t>(op.result)[lane] = yes;
    return;
  }
  const bool answer = kind == Vote::All   ? yes == mask
                      : kind == Vote::Any ? yes != 0
                                          : yes == mask || yes == 0;
  uint32_t &out = warp.predicate(op.result);
  out = (out & ~mask) | (answer ? mask : 0);
}

void decodeVote(Decoder &decoder, Modifiers &modifiers) {
  if (!modifiers.take("sync"))
    decoder.refuse();
  Op::Run run = nullptr;
  const bool ballot = modifiers.take("ballot");
  if (ballot)
    run = vote<Vote::Ballot>;
  else if (modifiers.take("all"))
    run = vote<Vote::All>;
  else if (modifiers.take("any"))
    run = vote<Vote::Any>;
  else if (modifiers.take("uni"))
    run = vote<Vote::Uniform>;
  if (!run || !modifiers.take(ballot ? "b32" : "pred"))
    decoder.refuse();
  decoder.expectOperands(3);
  const auto &operands = decoder.in().operands;
  const Slot out = decoder.result(operands[0], ballot ? 32 : 1), predicate = decoder.source(operands[1], 1),
             members = decoder.source(operands[2], 32);
  Op &op = decoder.emit(run);
  op.result = out;
  op.sources = {predicate, members, {}};
  op.immediate = operands[1].negated;
  op.convergent = true;
}

} // namespace

void addControlDecoders(InstructionDecoders &decoders) {
  decoders["bra"] = decodeBranch;
  decoders["ret"] = decodeExit;
  decoders["exit"] = decodeExit;
  decoders["trap"] = decodeTrap;
  decoders["fence"] = decodeFence;
  decoders["membar"] = decodeFence;
  decoders["bar"] = decodeBarrier;
  decoders["barrier"] = decodeBarrier;
  decoders["shfl"] = decodeShuffle;
  decoders["vote"] = decodeVote;
}

} // namespace halfstep::emulator
