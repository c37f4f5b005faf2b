// Ctrl-C during a run: noted, so that the step can finish and a checkpoint be saved.
#ifndef HALFSTEP_RUNTIME_TRAINER_INTERRUPT_H
#define HALFSTEP_RUNTIME_TRAINER_INTERRUPT_H

#include <csignal>

namespace halfstep {

/// While it lives, the first SIGINT sets a flag; a second one does what it would have done before.
class Interrupt {
public:
  Interrupt();
  Interrupt(const Interrupt &) = delete;
  ~Interrupt();

  bool requested() const;

private:
  struct sigaction before;
};

} // namespace halfstep

#endif // HALFSTEP_RUNTIME_TRAINER_INTERRUPT_H
