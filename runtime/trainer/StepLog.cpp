// See StepLog.h.
#include "runtime/trainer/StepLog.h"

#include "halfstep/diagnostic.hpp"

#include <nlohmann/json.hpp>

#include <bit>
#include <cerrno>
#include <cstring>
#include <fcntl.h>

namespace halfstep {
namespace {

constexpr size_t bufferBytes = 1 << 16;
constexpr std::chrono::seconds longestDelay(1);

} // namespace

std::string toJsonLine(const StepRecord &record) {
  char hex[9];
  std::snprintf(hex, sizeof hex, "%08x", std::bit_cast<uint32_t>(float(record.loss)));
  // The library writes numbers with all digits that matter, and NaN and infinities as null.
  nlohmann::ordered_json line = {{"step", record.step},
                                 {"updates", record.updates},
                                 {"epoch", record.epoch},
                                 {"loss", record.loss},
                                 {"loss_hex", hex},
                                 {"lr", nullptr},
                                 {"scale", record.scale},
                                 {"skipped", record.skipped},
                                 {"grad_norm", nullptr},
                                 {"step_ms", record.stepMs},
                                 {"samples_per_s", record.samplesPerS}};
  if (record.lr)
    line["lr"] = *record.lr;
  if (!record.skipped)
    line["grad_norm"] = record.gradNorm;
  return line.dump();
}

StepLog::StepLog(const std::string &path, bool append)
    : path(path),
      file(path.empty() ? -1
                        : ::open(path.c_str(),
                                 O_WRONLY | O_CREAT | O_CLOEXEC | O_APPEND | (append ? 0 : O_TRUNC), 0666)),
      drained(std::chrono::steady_clock::now()) {
  if (!path.empty() && file.get() < 0)
    throw Diagnostic(ExitCode::Io, path + ": cannot write the log: " + std::strerror(errno));
}

StepLog::~StepLog() { drain(); }

void StepLog::write(const StepRecord &record) {
  if (path.empty())
    return;
  buffer += toJsonLine(record);
  buffer += '\n';
  if (buffer.size() >= bufferBytes || std::chrono::steady_clock::now() - drained >= longestDelay)
    flush();
}

void StepLog::flush() {
  if (!drain())
    throw Diagnostic(ExitCode::Io, path + ": cannot write the log: " + std::strerror(errno));
}

bool StepLog::drain() {
  size_t done = 0;
  bool written = true;
  while (done < buffer.size() && written) {
    ssize_t count = ::write(file.get(), buffer.data() + done, buffer.size() - done);
    if (count < 0 && errno == EINTR)
      continue;
    written = count > 0;
    done += written ? size_t(count) : 0;
  }
  buffer.erase(0, done);
  drained = std::chrono::steady_clock::now();
  return written;
}

} // namespace halfstep
