// What a training run shows on stderr: a bar on a terminal, a line every tenth of the run otherwise.
#ifndef HALFSTEP_RUNTIME_TRAINER_PROGRESS_H
#define HALFSTEP_RUNTIME_TRAINER_PROGRESS_H

#include <chrono>
#include <cstdint>

namespace halfstep {

/// Where a run stands after a step.
struct ProgressState {
  int64_t step = 0, epoch = 0;
  double loss = 0;
  double scale = 1;    ///< shown unless it is 1
  int64_t samples = 0; ///< in this step
};

class Progress {
public:
  /// The run begins after `first` of `total` steps. NO_COLOR is honoured.
  Progress(int64_t first, int64_t total, bool enabled);
  ~Progress(); ///< ends the bar's line

  void update(const ProgressState &state);

  /// Ends the bar's line, so that others may write; the next update draws it anew.
  void giveWay();

private:
  void drawBar(const ProgressState &state, double elapsedS);
  void printLine(const ProgressState &state, double elapsedS);

  int64_t first, total, samples = 0;
  bool enabled, bar, colour, drawn = false;
  std::chrono::steady_clock::time_point begin, last;
};

} // namespace halfstep

#endif // HALFSTEP_RUNTIME_TRAINER_PROGRESS_H
