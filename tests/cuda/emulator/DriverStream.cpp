// The calls about streams, events and graphs.
#include "Driver.h"

using namespace halfstep::emulator;

/// Work after which everything of the capture's origin comes: a branch left outside is an error in CUDA.
static void requireJoined(const Capture &capture) {
  const auto &nodes = capture.graph.nodes;
  std::vector<bool> reached(nodes.size());
  std::vector<size_t> open = capture.branches.count(capture.origin)
                                 ? capture.branches.at(capture.origin).tails
                                 : std::vector<size_t>();
  while (!open.empty()) {
    const size_t node = open.back();
    open.pop_back();
    if (reached[node])
      continue;
    reached[node] = true;
    open.insert(open.end(), nodes[node].after.begin(), nodes[node].after.end());
  }
  for (bool each : reached)
    if (!each)
      throw Finding("cuStreamEndCapture: work of a forked stream is not joined back by an event");
}

extern "C" {

int cuStreamCreate(hs_cu_stream *stream, unsigned flags) {
  return call([&] {
    Context &context = currentContext();
    if (flags != HS_CU_STREAM_NON_BLOCKING)
      throw Finding("cuStreamCreate: streams that wait for the default stream are not emulated");
    auto made = std::make_unique<Stream>();
    made->lane = context.queue.addLane();
    *stream = reinterpret_cast<hs_cu_stream>(context.streams.add(std::move(made)));
  });
}

int cuStreamDestroy(hs_cu_stream stream) {
  return call([&] {
    Context &context = currentContext();
    living(context.streams, stream, "stream");
    context.streams.remove(stream);
  });
}

int cuStreamSynchronize(hs_cu_stream stream) {
  return call([&] {
    Context &context = currentContext();
    Stream &found = streamOf(context, stream);
    if (found.capture)
      throw CallError{HS_CU_STREAM_CAPTURE_UNSUPPORTED};
    context.queue.wait(found.last);
    requireHealthy(context);
  });
}

int cuStreamWaitEvent(hs_cu_stream stream, hs_cu_event event, unsigned) {
  return call([&] {
    Context &context = currentContext();
    Stream &waits = streamOf(context, stream);
    const Event &found = living(context.events, event, "event");
    if (found.capture) {
      waits.capture = found.capture;
      auto &tails = found.capture->branchOf(&waits).tails;
      tails.insert(tails.end(), found.nodes.begin(), found.nodes.end());
    } else if (waits.capture) {
      throw Finding("cuStreamWaitEvent: a captured stream waits for work outside the capture");
    } else if (found.recorded) {
      waits.last = context.queue.enqueue({[](uint32_t) {}, "wait for an event"}, waits.lane,
                                         {waits.last, found.recorded});
    }
  });
}

int cuStreamBeginCapture(hs_cu_stream stream, int mode) {
  return call([&] {
    Context &context = currentContext();
    Stream &found = living(context.streams, stream, "stream");
    if (found.capture || mode < 0 || mode > 2)
      throw CallError{HS_CU_INVALID_VALUE};
    found.capture = std::make_shared<Capture>();
    found.capture->origin = &found;
  });
}

int cuStreamEndCapture(hs_cu_stream stream, hs_cu_graph *graph) {
  return call([&] {
    Context &context = currentContext();
    Stream &found = living(context.streams, stream, "stream");
    const std::shared_ptr<Capture> capture = found.capture;
    if (!capture || capture->origin != &found)
      throw CallError{HS_CU_INVALID_VALUE};
    for (const auto &[each, branch] : capture->branches)
      const_cast<Stream *>(each)->capture = nullptr;
    found.capture = nullptr;
    requireJoined(*capture);
    *graph = reinterpret_cast<hs_cu_graph>(context.graphs.add(std::make_unique<Graph>(capture->graph)));
  });
}

int cuEventCreate(hs_cu_event *event, unsigned) {
  return call([&] {
    *event = reinterpret_cast<hs_cu_event>(currentContext().events.add(std::make_unique<Event>()));
  });
}

int cuEventDestroy(hs_cu_event event) {
  return call([&] {
    Context &context = currentContext();
    living(context.events, event, "event");
    context.events.remove(event);
  });
}

int cuEventRecord(hs_cu_event event, hs_cu_stream stream) {
  return call([&] {
    Context &context = currentContext();
    Event &found = living(context.events, event, "event");
    Stream &of = streamOf(context, stream);
    found.recorded = of.last;
    found.capture = of.capture;
    found.nodes = of.capture ? of.capture->branchOf(&of).tails : std::vector<size_t>();
  });
}

int cuGraphInstantiateWithFlags(hs_cu_graph_exec *exec, hs_cu_graph graph, unsigned long long flags) {
  return call([&] {
    Context &context = currentContext();
    if (flags)
      throw Finding("cuGraphInstantiateWithFlags: flags are not emulated");
    auto made = std::make_unique<GraphExec>();
    made->graph = living(context.graphs, graph, "graph");
    for (size_t i = 0; i < made->graph.branches; ++i)
      made->lanes.push_back(context.queue.addLane());
    *exec = reinterpret_cast<hs_cu_graph_exec>(context.execs.add(std::move(made)));
  });
}

int cuGraphLaunch(hs_cu_graph_exec exec, hs_cu_stream stream) {
  return call([&] {
    Context &context = currentContext();
    requireHealthy(context);
    Stream &on = streamOf(context, stream);
    if (on.capture)
      throw CallError{HS_CU_STREAM_CAPTURE_UNSUPPORTED};
    context.launchGraph(living(context.execs, exec, "executable graph"), on);
  });
}

int cuGraphExecDestroy(hs_cu_graph_exec exec) {
  return call([&] {
    Context &context = currentContext();
    living(context.execs, exec, "executable graph");
    context.execs.remove(exec);
  });
}

int cuGraphDestroy(hs_cu_graph graph) {
  return call([&] {
    Context &context = currentContext();
    living(context.graphs, graph, "graph");
    context.graphs.remove(graph);
  });
}

} // extern "C"
