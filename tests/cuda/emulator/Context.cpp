// See Context.h.
#include "Context.h"

#include "Report.h"

#include <algorithm>

namespace halfstep::emulator {

Capture::Branch &Capture::branchOf(const Stream *stream) {
  auto [found, isNew] = branches.try_emplace(stream, Branch{graph.branches, {}});
  graph.branches += isNew;
  return found->second;
}

Context::Context(const Settings &settings, int ordinal)
    : settings(settings), ordinal(ordinal), queue(settings.seed + static_cast<uint64_t>(ordinal)),
      memory(settings.memory, &queue) {
  queue.onFinding = [](const std::string &finding) { Report::get().add(finding); };
  defaultStream.lane = queue.addLane();
}

void Context::submit(Stream &stream, const Work &work) {
  if (stream.capture) {
    Capture::Branch &branch = stream.capture->branchOf(&stream);
    auto &nodes = stream.capture->graph.nodes;
    nodes.push_back({work, branch.tails, branch.number});
    branch.tails = {nodes.size() - 1};
    return;
  }
  stream.last = queue.enqueue(work, stream.lane, {stream.last});
}

void Context::launchGraph(GraphExec &exec, Stream &stream) {
  std::vector<OperationPtr> made;
  for (const Graph::Node &node : exec.graph.nodes) {
    std::vector<OperationPtr> after = {stream.last, exec.last};
    for (size_t before : node.after)
      after.push_back(made[before]);
    made.push_back(queue.enqueue(node.work, exec.lanes[node.branch], after));
  }
  made.push_back(stream.last);
  exec.last = stream.last = queue.enqueue({[](uint32_t) {}, "end of a graph"}, stream.lane, made);
}

bool Context::isPinned(const void *start, size_t bytes) const {
  auto after = pinned.upper_bound(start);
  if (after == pinned.begin())
    return false;
  auto [base, size] = *std::prev(after);
  const auto offset = static_cast<size_t>(static_cast<const char *>(start) - static_cast<const char *>(base));
  return offset <= size && size - offset >= bytes;
}

void Context::reportLeaks() {
  auto leak = [](size_t count, const char *what) {
    if (count)
      Report::get().add("the program leaves " + std::to_string(count) + " " + what);
  };
  leak(memory.living(), "allocations of device memory");
  leak(pinned.size(), "allocations of pinned memory");
  leak(streams.size(), "streams");
  leak(events.size(), "events");
  leak(modules.size(), "modules");
  leak(graphs.size(), "graphs");
  leak(execs.size(), "executable graphs");
}

} // namespace halfstep::emulator
