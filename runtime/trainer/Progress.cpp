// See Progress.h.
#include "runtime/trainer/Progress.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <sys/ioctl.h>
#include <unistd.h>

namespace halfstep {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds redrawAfter(100);
constexpr size_t widestBar = 20; // characters
constexpr int lines = 10;        // of a run without a terminal
constexpr size_t columns = 80;   // of a terminal that does not tell

bool isSet(const char *variable) {
  const char *value = std::getenv(variable);
  return value && *value;
}

bool isTerminal() {
  const char *terminal = std::getenv("TERM");
  return isatty(STDERR_FILENO) && terminal && std::string_view(terminal) != "dumb";
}

size_t terminalColumns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : columns;
}

template <typename... Arguments>
std::string format(const char *pattern, Arguments... arguments) {
  char text[128];
  std::snprintf(text, sizeof text, pattern, arguments...);
  return text;
}

std::string describe(const ProgressState &state, double samplesPerS) {
  std::string text = format("loss %.4f", state.loss);
  if (state.scale != 1)
    text += format("  scale %g", state.scale);
  return text + format("  %.0f samples/s", samplesPerS);
}

/// How many tenths of the run are done.
int tenth(int64_t step, int64_t total) { return int(double(step) * lines / double(total)); }

std::string toClock(double seconds) {
  auto whole = static_cast<long long>(std::min(seconds, 1e9));
  if (whole >= 3600)
    return format("%lld:%02lld:%02lld", whole / 3600, whole / 60 % 60, whole % 60);
  return format("%lld:%02lld", whole / 60, whole % 60);
}

} // namespace

Progress::Progress(int64_t first, int64_t total, bool enabled)
    : first(first), total(total), enabled(enabled), bar(isTerminal()), colour(bar && !isSet("NO_COLOR")),
      begin(Clock::now()), last(begin - redrawAfter) {}

Progress::~Progress() { giveWay(); }

void Progress::giveWay() {
  if (drawn)
    std::fputc('\n', stderr);
  drawn = false;
}

void Progress::update(const ProgressState &state) {
  samples += state.samples;
  if (!enabled)
    return;
  if (!bar && tenth(state.step, total) == tenth(state.step - 1, total))
    return;
  Clock::time_point now = Clock::now();
  if (bar && now - last < redrawAfter && state.step != total)
    return;
  last = now;
  double elapsed = std::chrono::duration<double>(now - begin).count();
  bar ? drawBar(state, elapsed) : printLine(state, elapsed);
}

void Progress::drawBar(const ProgressState &state, double elapsedS) {
  double eta = elapsedS / double(state.step - first) * double(total - state.step);
  std::string text = format("step %lld/%lld  epoch %lld  ", static_cast<long long>(state.step),
                            static_cast<long long>(total), static_cast<long long>(state.epoch)) +
                     describe(state, double(samples) / elapsedS) + "  ETA " + toClock(eta);
  // The bar takes what the text leaves of the line; the last cell is the cursor's.
  size_t room = terminalColumns() - 1, brackets = 3;
  text.resize(std::min(text.size(), room));
  size_t width = std::min(widestBar, room - std::min(room, text.size() + brackets));
  size_t filled = size_t(double(state.step) / double(total) * double(width));
  const char *on = colour ? "\x1b[32m" : "", *off = colour ? "\x1b[0m" : "";
  std::string cells = std::string(filled, '#') + std::string(width - filled, '-');
  std::string meter = width ? "[" + (on + cells) + off + "] " : "";
  std::fprintf(stderr, "\r%s%s\x1b[K", meter.c_str(), text.c_str());
  std::fflush(stderr);
  drawn = true;
}

void Progress::printLine(const ProgressState &state, double elapsedS) {
  std::fprintf(stderr, "step %lld/%lld  epoch %lld  %s\n", static_cast<long long>(state.step),
               static_cast<long long>(total), static_cast<long long>(state.epoch),
               describe(state, double(samples) / elapsedS).c_str());
}

} // namespace halfstep
