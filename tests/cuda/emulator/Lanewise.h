// Instructions that do the same for each lane: a table from the opcode's full text to a function over the
// lanes, made from a function of one lane's values. `bool` stands for a predicate.
#ifndef HALFSTEP_EMULATOR_LANEWISE_H
#define HALFSTEP_EMULATOR_LANEWISE_H

#include "Warp.h"

#include <string>
#include <unordered_map>

namespace halfstep::emulator {

struct LaneOp {
  Op::Run run = nullptr;
  unsigned resultBits = 0;
  std::vector<unsigned> sourceBits;
  /// cvt: operands may lie in wider registers; a result is then extended by its sign or with zeros.
  bool resizes = false, resultSigned = false;
};

using LaneOps = std::unordered_map<std::string, LaneOp>;

/// Each adds its family.
void addIntegerOps(LaneOps &ops);
void addFloatOps(LaneOps &ops);
void addHalfOps(LaneOps &ops);
void addComparisons(LaneOps &ops);
void addConversions(LaneOps &ops);

namespace detail {

template <typename T>
constexpr unsigned bitsOf = sizeof(T) * 8;
template <>
inline constexpr unsigned bitsOf<bool> = 1;

template <typename T>
struct Reader {
  const T *values;
  Reader(Warp &warp, Slot slot) : values(warp.lanes<T>(slot)) {}
  T operator[](unsigned lane) const { return values[lane]; }
};
template <>
struct Reader<bool> {
  uint32_t bits;
  Reader(Warp &warp, Slot slot) : bits(warp.predicate(slot)) {}
  bool operator[](unsigned lane) const { return bits >> lane & 1; }
};

template <auto F, typename R, typename... A, size_t... I>
void runLanes(Warp &warp, const Op &op, uint32_t mask, std::index_sequence<I...>) {
  const std::tuple<Reader<A>...> in{Reader<A>(warp, op.sources[I])...};
  if constexpr (std::is_same_v<R, bool>) {
    uint32_t bits = 0;
    for (unsigned lane = 0; lane < kLanes; ++lane)
      bits |= uint32_t(F(std::get<I>(in)[lane]...)) << lane;
    uint32_t &out = warp.predicate(op.result);
    out = (out & ~mask) | (bits & mask);
  } else {
    R *out = warp.lanes<R>(op.result);
    if (mask == kAllLanes) {
      for (unsigned lane = 0; lane < kLanes; ++lane)
        out[lane] = F(std::get<I>(in)[lane]...);
      return;
    }
    for (unsigned lane = 0; lane < kLanes; ++lane)
      if (mask >> lane & 1)
        out[lane] = F(std::get<I>(in)[lane]...);
  }
}

template <auto F, typename R, typename... A>
void runLanes(Warp &warp, const Op &op, uint32_t mask) {
  runLanes<F, R, A...>(warp, op, mask, std::index_sequence_for<A...>());
}

template <auto F, typename R, typename... A>
LaneOp laneOf(R (*)(A...)) {
  return {&runLanes<F, R, A...>, bitsOf<R>, {bitsOf<A>...}};
}

} // namespace detail

/// The instruction that computes F in each lane; F takes up to three values.
template <auto F>
LaneOp lanewise() {
  return detail::laneOf<F>(+F);
}

} // namespace halfstep::emulator

#endif // HALFSTEP_EMULATOR_LANEWISE_H
