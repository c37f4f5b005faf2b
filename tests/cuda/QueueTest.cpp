// The order of work on streams: what is ordered runs in order for every seed, what is not runs in several
// orders.
#include "emulator/Queue.h"

#include "emulator/Finding.h"

#include <gtest/gtest.h>
#include <set>

namespace halfstep::emulator::test {
namespace {

TEST(Queue, RunsNothingBeforeItIsAwaited) {
  Queue queue(1);
  int runs = 0;
  const OperationPtr operation = queue.enqueue({[&](uint32_t) { ++runs; }, "work"}, queue.addLane(), {});
  EXPECT_EQ(runs, 0);
  queue.wait(operation);
  EXPECT_EQ(runs, 1);
}

TEST(Queue, KeepsOrderOnAStreamAndChoosesItBetweenStreams) {
  std::set<std::string> orders;
  for (uint64_t seed = 0; seed < 64; ++seed) {
    Queue queue(seed);
    const uint32_t first = queue.addLane(), second = queue.addLane();
    std::string order;
    auto letter = [&](char c) { return Work{[&order, c](uint32_t) { order += c; }, "work"}; };
    const OperationPtr a = queue.enqueue(letter('a'), first, {});
    queue.enqueue(letter('b'), first, {a});
    queue.enqueue(letter('x'), second, {});
    queue.waitAll();
    EXPECT_LT(order.find('a'), order.find('b'));
    orders.insert(order);
  }
  EXPECT_EQ(orders, (std::set<std::string>{"abx", "axb", "xab"}));
}

TEST(Queue, UnorderedWritesAreARace) {
  for (bool ordered : {true, false}) {
    Queue queue(5);
    std::vector<std::string> findings;
    queue.onFinding = [&](const std::string &text) { findings.push_back(text); };
    ShadowedBytes bytes(16, /*shared=*/false, &queue);
    const Work work = {[&](uint32_t operation) { bytes.checkWrite(0, 4, Stamp::of(operation, 0, 0, 0)); },
                       "work"};
    const OperationPtr first = queue.enqueue(work, queue.addLane(), {});
    queue.enqueue(work, queue.addLane(), {ordered ? first : nullptr});
    queue.waitAll();
    EXPECT_EQ(findings.size(), ordered ? 0u : 1u);
  }
}

TEST(Queue, HostThatHasWaitedOrdersWhatFollows) {
  Queue queue(5);
  ShadowedBytes bytes(16, /*shared=*/false, &queue);
  const Work work = {[&](uint32_t operation) { bytes.checkWrite(0, 4, Stamp::of(operation, 0, 0, 0)); },
                     "work"};
  queue.wait(queue.enqueue(work, queue.addLane(), {}));
  queue.wait(queue.enqueue(work, queue.addLane(), {}));
  EXPECT_FALSE(queue.failed());
}

TEST(Queue, SourceThatChangesTooEarlyIsFound) {
  Queue queue(1);
  std::string finding;
  queue.onFinding = [&](const std::string &text) { finding = text; };
  int source = 1;
  Work work = {[](uint32_t) {}, "copy"};
  work.hostSource = &source;
  work.hostBytes = sizeof source;
  const OperationPtr copy = queue.enqueue(work, queue.addLane(), {});
  source = 2;
  queue.wait(copy);
  EXPECT_EQ(finding, "copy: the host changed its memory before the copy had read it");
}

TEST(Queue, TargetIsUndefinedUntilItIsWritten) {
  Queue queue(1);
  int target = 1;
  Work work = {[&](uint32_t) { target = 7; }, "copy"};
  work.hostTarget = &target;
  work.hostBytes = sizeof target;
  const OperationPtr copy = queue.enqueue(work, queue.addLane(), {});
  EXPECT_EQ(target, -1);
  queue.wait(copy);
  EXPECT_EQ(target, 7);
}

} // namespace
} // namespace halfstep::emulator::test
