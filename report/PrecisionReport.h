// What `halfstep inspect` says of a model under a precision spec, as plain data: which op runs in which type
// and why, what casts are left and what they cost, how weights are stored, where the memory goes.
#ifndef HALFSTEP_REPORT_PRECISIONREPORT_H
#define HALFSTEP_REPORT_PRECISIONREPORT_H

#include "import/Recipe.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace halfstep {

/// One op of the forward graph of a training step. Type names are those of the IR: f32, bf16...
struct OpReport {
  std::string name;           ///< of the layer
  std::string op;             ///< of the IR: nn.matmul
  std::string key;            ///< under which op lists know it; empty: none does
  std::string precisionClass; ///< lower, fp32, fp32_out, promote, banned or untouched
  std::string type;           ///< of its first result; empty: it has none
  std::string reason;         ///< "list cpu", "layers 'head.*'"...
  std::vector<int64_t> shape;
};

/// What becomes of a cast in the generated code.
enum class CastPlace {
  Kernel,  ///< a kernel of its own: it reads and writes memory for nothing else
  Folded,  ///< part of a kernel that does other work: the cast itself moves nothing
  Copy,    ///< gone: the update writes the working copy that it would have made
  Stored,  ///< gone: the parameter is stored in the cast's type
  Dropped, ///< gone: nothing needed its result
};

/// One cast of a training step after minimize-casts.
struct CastReport {
  std::string from, to;
  std::string op; ///< layer or parameter that it belongs to
  bool backward;  ///< made by differentiation
  std::vector<int64_t> shape;
  int64_t bytes; ///< read and written if it stood alone
  CastPlace place;
  std::string kernel; ///< kind of the kernel, if it is in one
  int64_t cost;       ///< bytes that it moves in the generated code, a step
};

struct WeightReport {
  std::string name;
  bool buffer; ///< not trained: running statistics
  /// How it is stored; the first is what the optimizer updates. `roles` has a word for each: master, copy...
  std::vector<std::string> types, roles;
  std::vector<int64_t> shape;
  int64_t bytes; ///< all of `types` together
};

/// The arena in bytes: params + masters + moments + activations + workspace = arena. See MemoryByKind.h.
struct MemoryReport {
  int64_t params = 0, masters = 0, moments = 0, activations = 0, workspace = 0;
  int64_t gradients = 0; ///< of parameters; part of the workspace
  int64_t arena = 0;
};

struct MemoryKind {
  const char *name, *label; ///< in JSON, and for a reader
  int64_t MemoryReport::*bytes;
};
/// All fields of a MemoryReport in the order of their listing.
std::span<const MemoryKind> memoryKinds();

/// A value of the forward pass that the backward pass reads.
struct ActivationReport {
  std::string name, op, type;
  std::vector<int64_t> shape;
  int64_t bytes;
};

/// The module after a stage as text, and for each of its lines the layer that it comes from ("": none).
struct IrReport {
  std::string stage, text;
  std::vector<std::string> layers;
};

struct PrecisionReport {
  std::string model, target;
  int64_t batch;
  PrecisionSpec spec;
  std::string label; ///< what a reader sees: the spec's name, with an addition where two reports share it
  std::vector<OpReport> ops;
  int64_t castsBefore; ///< before minimize-casts
  std::vector<CastReport> casts;
  std::vector<WeightReport> weights;
  MemoryReport memory;
  std::optional<MemoryReport>
      memory32; ///< of the same model in 32-true; absent where it cannot be compiled so
  std::vector<ActivationReport> activations; ///< largest first
  std::vector<IrReport> ir;                  ///< at the stages asked for

  int64_t castKernels() const; ///< casts that are kernels of their own
};

/// Bytes a second that estimates of time assume: what one core of a current server streams.
inline constexpr double kBandwidth = 10e9;

/// Estimate, in microseconds, of moving `bytes` at kBandwidth.
double estimateMicroseconds(int64_t bytes);

} // namespace halfstep

#endif // HALFSTEP_REPORT_PRECISIONREPORT_H
