// The work that a program gives to a device: operations on streams, ordered only as streams and events say.
// They run as late as a wait allows, in an order that the seed chooses among all that are allowed.
#ifndef HALFSTEP_EMULATOR_QUEUE_H
#define HALFSTEP_EMULATOR_QUEUE_H

#include "Shadow.h"

#include <functional>
#include <memory>
#include <random>
#include <vector>

namespace halfstep::emulator {

/// For each lane (a stream, or a branch of a graph), how many of its operations are over.
using Clock = std::vector<uint32_t>;

/// What an operation does; a graph holds it and enqueues it again and again.
struct Work {
  std::function<void(uint32_t operation)> run; ///< may throw Finding
  std::string what;                            ///< "copy to the device": for findings
  const void *hostSource = nullptr;            ///< read when it runs; must not change until then
  void *hostTarget = nullptr;                  ///< undefined until it has run
  size_t hostBytes = 0;
};

struct Operation {
  uint32_t number = 0;
  Work work;
  std::vector<std::shared_ptr<Operation>> after;
  Clock clock; ///< what is over when it is
  uint64_t sourceHash = 0;
  bool done = false;
};
using OperationPtr = std::shared_ptr<Operation>;

class Queue : public OperationOrder {
public:
  explicit Queue(uint64_t seed) : random(seed) {}

  uint32_t addLane() { return lanes++; }
  /// Adds the work to a lane, behind the operations of `after` (null ones are left out).
  OperationPtr enqueue(const Work &work, uint32_t lane, const std::vector<OperationPtr> &after);
  /// Runs what is needed, and perhaps more, until the operation is over; the host then knows that it is.
  void wait(const OperationPtr &operation);
  void waitAll();

  bool isBefore(uint32_t operation) const override;

  /// True after an operation broke a rule; nothing runs any more.
  bool failed() const { return failure; }
  std::mt19937_64 &randomness() { return random; }
  /// Called with each finding of an operation.
  std::function<void(const std::string &)> onFinding;

private:
  struct Place {
    uint32_t lane, position;
  };
  void runOne();
  void execute(Operation &operation);

  std::mt19937_64 random;
  uint32_t lanes = 0;
  std::vector<Place> places{{0, 0}}; ///< of each operation by number; 0 is nobody
  std::vector<uint32_t> positions;   ///< operations so far, a lane
  std::vector<OperationPtr> pending;
  Clock hostClock;
  const Operation *running = nullptr;
  bool failure = false;
};

} // namespace halfstep::emulator

#endif // HALFSTEP_EMULATOR_QUEUE_H
