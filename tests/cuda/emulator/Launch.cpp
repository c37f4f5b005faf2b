// See Launch.h.
#include "Launch.h"

#include "Finding.h"
#include "Warp.h"

#include <algorithm>
#include <numeric>

namespace halfstep::emulator {
namespace {

class Runner {
public:
  Runner(const Launch &launch, GlobalMemory &memory, uint32_t operation, std::mt19937_64 &random)
      : launch(launch), program(*launch.program), random(random),
        shared(program.sharedBytes + launch.dynamicShared, /*shared=*/true) {
    block.program = &program;
    block.global = &memory;
    block.parameters = &launch.parameters;
    block.shared = &shared;
    block.operation = operation;
    block.threads = launch.block[0] * launch.block[1] * launch.block[2];
    for (uint32_t i = 0; i < (block.threads + kLanes - 1) / kLanes; ++i)
      warps.push_back(std::make_unique<Warp>(program));
    for (uint32_t i = 0; i < warps.size(); ++i)
      setLaunchValues(*warps[i], i * kLanes);
  }

  uint64_t run() {
    const uint64_t limit = uint64_t(1) << 36;
    uint64_t budget = limit;
    std::vector<uint32_t> order(launch.grid[0] * launch.grid[1] * launch.grid[2]);
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), random);
    for (uint32_t index : order)
      runBlock(index, budget);
    return limit - budget;
  }

private:
  void setSpecial(Warp &warp, const std::string &name, auto value) {
    auto found = program.specials.find(name);
    if (found != program.specials.end())
      for (uint32_t lane = 0; lane < kLanes; ++lane)
        warp.lanes<uint32_t>(found->second)[lane] = value(lane);
  }

  /// Those that are the same in every block.
  void setLaunchValues(Warp &warp, uint32_t first) {
    const auto &extent = launch.block;
    setSpecial(warp, "%tid.x", [&](uint32_t lane) { return (first + lane) % extent[0]; });
    setSpecial(warp, "%tid.y", [&](uint32_t lane) { return (first + lane) / extent[0] % extent[1]; });
    setSpecial(warp, "%tid.z", [&](uint32_t lane) { return (first + lane) / extent[0] / extent[1]; });
    setSpecial(warp, "%laneid", [](uint32_t lane) { return lane; });
    const char *axes[] = {"x", "y", "z"};
    for (size_t i = 0; i < 3; ++i) {
      setSpecial(warp, std::string("%ntid.") + axes[i], [&](uint32_t) { return extent[i]; });
      setSpecial(warp, std::string("%nctaid.") + axes[i], [&](uint32_t) { return launch.grid[i]; });
    }
  }

  void setBlockValues(Warp &warp) {
    const uint32_t x = launch.grid[0], y = launch.grid[1];
    setSpecial(warp, "%ctaid.x", [&](uint32_t) { return block.index % x; });
    setSpecial(warp, "%ctaid.y", [&](uint32_t) { return block.index / x % y; });
    setSpecial(warp, "%ctaid.z", [&](uint32_t) { return block.index / x / y; });
  }

  void runBlock(uint32_t index, uint64_t &budget) {
    block.index = index;
    block.epoch = 0;
    shared.forget();
    for (uint32_t i = 0; i < warps.size(); ++i) {
      warps[i]->start(block, i);
      setBlockValues(*warps[i]);
    }
    std::vector<Warp *> order;
    for (auto &warp : warps)
      order.push_back(warp.get());
    bool waits = true;
    while (waits) {
      std::shuffle(order.begin(), order.end(), random);
      for (Warp *warp : order)
        runWarp(*warp, budget);
      waits = passBarrier();
      ++block.epoch;
    }
  }

  void runWarp(Warp &warp, uint64_t &budget) {
    try {
      warp.run(budget);
    } catch (const Finding &finding) {
      throw Finding(place(warp) + finding.what());
    }
  }

  /// True when all warps wait at the same barrier, false when all are done.
  bool passBarrier() {
    const Warp &first = *warps.front();
    for (auto &warp : warps)
      if (warp->state != first.state ||
          (first.state == Warp::State::AtBarrier && warp->barrier != first.barrier)) {
        const Warp &waits = warp->state == Warp::State::AtBarrier ? *warp : first;
        throw Finding(place(waits) + "divergent barrier: other warps of the block end or wait elsewhere");
      }
    return first.state == Warp::State::AtBarrier;
  }

  std::string place(const Warp &warp) const {
    const Instruction &instruction = program.kernel->instructions[warp.faultOp().instruction];
    return "kernel '" + program.kernel->name + "', PTX line " + std::to_string(instruction.line) + " (" +
           instruction.opcode + (instruction.source.empty() ? "" : " from " + instruction.source) +
           "), block " + std::to_string(block.index) + ", thread " + std::to_string(warp.faultThread()) +
           ": ";
  }

  const Launch &launch;
  const Program &program;
  std::mt19937_64 &random;
  ShadowedBytes shared;
  Block block;
  std::vector<std::unique_ptr<Warp>> warps;
};

} // namespace

void runLaunch(const Launch &launch, GlobalMemory &memory, uint32_t operation, std::mt19937_64 &random,
               uint64_t &instructions) {
  instructions += Runner(launch, memory, operation, random).run() * kLanes;
}

} // namespace halfstep::emulator
