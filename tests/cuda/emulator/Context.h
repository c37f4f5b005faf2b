// What a program has made on one device: memory, streams, events, modules and graphs, all counted, so that
// what it forgets or uses after its end is noticed.
#ifndef HALFSTEP_EMULATOR_CONTEXT_H
#define HALFSTEP_EMULATOR_CONTEXT_H

#include "Launch.h"
#include "Queue.h"
#include "Settings.h"

#include <set>

namespace halfstep::emulator {

struct Capture;

struct Stream {
  uint32_t lane = 0;
  OperationPtr last;
  std::shared_ptr<Capture> capture; ///< null unless it is captured
};

struct Event {
  OperationPtr recorded;
  std::shared_ptr<Capture> capture; ///< when it was recorded in a captured stream
  std::vector<size_t> nodes;
};

struct Module {
  PtxModule ptx;
  VariableAddresses variables;
  std::map<std::string, Program> programs; ///< decoded kernels
};

struct Function {
  const Module *module = nullptr;
  const Program *program = nullptr;
  uint64_t maxDynamicShared = 48 << 10;
};

struct Graph {
  struct Node {
    Work work;
    std::vector<size_t> after;
    size_t branch; ///< the captured stream, numbered in order of appearance
  };
  std::vector<Node> nodes;
  size_t branches = 0;
};

struct GraphExec {
  Graph graph;
  std::vector<uint32_t> lanes; ///< a branch
  OperationPtr last;           ///< launches of one executable graph never overlap
};

/// A capture under way: the nodes that the next one of each stream comes after.
struct Capture {
  Graph graph;
  const Stream *origin = nullptr;
  struct Branch {
    size_t number;
    std::vector<size_t> tails;
  };
  std::map<const Stream *, Branch> branches;

  Branch &branchOf(const Stream *stream);
};

/// Owned objects by address, which is also their handle.
template <typename T>
class Registry {
public:
  T *add(std::unique_ptr<T> object) {
    T *address = object.get();
    objects[address] = std::move(object);
    return address;
  }
  /// Null when the handle is of nothing that lives.
  T *find(const void *handle) const {
    auto found = objects.find(handle);
    return found == objects.end() ? nullptr : found->second.get();
  }
  void remove(const void *handle) { objects.erase(handle); }
  size_t size() const { return objects.size(); }

private:
  std::map<const void *, std::unique_ptr<T>> objects;
};

class Context {
public:
  Context(const Settings &settings, int ordinal);

  /// Enqueues the work on the stream, or records it when the stream is captured.
  void submit(Stream &stream, const Work &work);
  void launchGraph(GraphExec &exec, Stream &stream);
  /// Findings for all that still lives; called when the last user lets the context go.
  void reportLeaks();
  /// True when [memory, memory + bytes) is memory from cuMemHostAlloc.
  bool isPinned(const void *memory, size_t bytes) const;

  Settings settings;
  int ordinal;
  Queue queue;
  GlobalMemory memory;
  std::map<const void *, size_t> pinned; ///< bytes by address
  Registry<Stream> streams;
  Registry<Event> events;
  Registry<Module> modules;
  Registry<Function> functions;
  Registry<Graph> graphs;
  Registry<GraphExec> execs;
  Stream defaultStream;
};

} // namespace halfstep::emulator

#endif // HALFSTEP_EMULATOR_CONTEXT_H
