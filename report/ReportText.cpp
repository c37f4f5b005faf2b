// See ReportText.h.
#include "report/ReportText.h"

#include "report/ReportDiff.h"
#include "report/TextTable.h"

#include <algorithm>
#include <map>

namespace halfstep {

//===----------------------------------------------------------------------===//
// Parts
//===----------------------------------------------------------------------===//

static std::string joined(const std::vector<std::string> &words) {
  std::string text;
  for (const std::string &word : words)
    text += (text.empty() ? "" : ", ") + word;
  return text;
}

static std::string plural(int64_t count, const std::string &noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

std::string summaryLine(const PrecisionReport &report) {
  std::map<std::string, int64_t> classes;
  for (const OpReport &op : report.ops)
    ++classes[op.precisionClass];
  std::vector<std::string> counts;
  for (const auto &[name, count] : classes)
    counts.push_back(std::to_string(count) + " " + name);
  std::string line =
      report.model + ": " + report.label + " on " + report.target + ", batch " +
      std::to_string(report.batch) + ": " + plural(int64_t(report.ops.size()), "op") + " (" + joined(counts) +
      "), casts " + std::to_string(report.castsBefore) + " -> " + std::to_string(report.casts.size()) +
      " (as kernels: " + std::to_string(report.castKernels()) + "), arena " + bytesText(report.memory.arena);
  if (report.memory32)
    line += " (32-true: " + bytesText(report.memory32->arena) + ")";
  return oneLine(line);
}

static std::string notesText(const PrecisionReport &report) {
  std::string text;
  for (const std::string &note : report.spec.notes)
    text += "note: " + oneLine(note) + "\n";
  return text;
}

static std::string opsText(const PrecisionReport &report) {
  TextTable table({"layer", "op", "class", "type", "shape", "reason"});
  for (const OpReport &op : report.ops)
    table.add({op.name, op.op, op.precisionClass, op.type, shapeText(op.shape), op.reason});
  return "\nops of the forward pass\n" + table.text();
}

static std::string placeText(const CastReport &cast) {
  switch (cast.place) {
  case CastPlace::Kernel:
    return "kernel of its own";
  case CastPlace::Folded:
    return "folded into '" + cast.kernel + "'";
  case CastPlace::Copy:
    return "copy written by the update";
  case CastPlace::Stored:
    return "parameter is stored so";
  case CastPlace::Dropped:
    break;
  }
  return "not needed";
}

static std::string castsText(const PrecisionReport &report) {
  std::string text = "\ncasts of a step: " + std::to_string(report.castsBefore) + " placed, " +
                     std::to_string(report.casts.size()) + " after minimize-casts, " +
                     std::to_string(report.castKernels()) + " of them a kernel of its own\n";
  if (report.casts.empty())
    return text;
  TextTable table({"of", "pass", "from", "to", "shape", ">bytes", "becomes", ">moves", ">est. us"});
  for (const CastReport &cast : report.casts)
    table.add({cast.op, cast.backward ? "backward" : "forward", cast.from, cast.to, shapeText(cast.shape),
               bytesText(cast.bytes), placeText(cast), bytesText(cast.cost),
               numberText("%.2f", estimateMicroseconds(cast.cost))});
  return text + table.text() +
         "bytes: read and written if the cast stood alone; moves: what it adds to the generated code;\n"
         "est. us: an estimate, 'moves' at " +
         numberText("%.0f", kBandwidth / 1e9) + " GB/s, not a measurement\n";
}

static std::string weightsText(const PrecisionReport &report) {
  TextTable table({"weight", "shape", "stored as", ">bytes"});
  for (const WeightReport &weight : report.weights) {
    std::vector<std::string> parts;
    for (size_t i = 0; i < weight.types.size(); ++i)
      parts.push_back(weight.types[i] + " " + weight.roles[i]);
    table.add({weight.name, shapeText(weight.shape), joined(parts), bytesText(weight.bytes)});
  }
  return "\nweights\n" + table.text();
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

namespace {

struct MemoryColumn {
  std::string heading;
  MemoryReport memory;
};

} // namespace

/// The columns side by side; a ratio of the first to the last behind them.
static std::string memoryText(const std::vector<MemoryColumn> &columns) {
  std::vector<std::string> headings = {"memory"};
  for (const MemoryColumn &column : columns)
    headings.push_back(">" + column.heading);
  if (columns.size() > 1)
    headings.push_back(">ratio");
  TextTable table(headings);
  for (const MemoryKind &kind : memoryKinds()) {
    std::vector<std::string> cells = {kind.label};
    for (const MemoryColumn &column : columns)
      cells.push_back(bytesText(column.memory.*kind.bytes));
    if (columns.size() > 1) {
      int64_t least = columns.back().memory.*kind.bytes;
      cells.push_back(least ? numberText("%.2f", double(columns.front().memory.*kind.bytes) / double(least))
                            : "-");
    }
    table.add(cells);
  }
  return "\n" + table.text();
}

static std::string activationsText(const PrecisionReport &report) {
  constexpr size_t most = 8;
  if (report.activations.empty())
    return "";
  TextTable table({"layer", "op", "type", "shape", ">bytes"});
  for (size_t i = 0; i < std::min(most, report.activations.size()); ++i) {
    const ActivationReport &activation = report.activations[i];
    table.add({activation.name, activation.op, activation.type, shapeText(activation.shape),
               bytesText(activation.bytes)});
  }
  return "\nlargest activations (" + std::to_string(report.activations.size()) + " in all)\n" + table.text();
}

std::string reportText(const PrecisionReport &report) {
  std::vector<MemoryColumn> memory = {{report.label, report.memory}};
  if (report.memory32)
    memory.push_back({"32-true", *report.memory32});
  return summaryLine(report) + "\n" + notesText(report) + opsText(report) + castsText(report) +
         weightsText(report) + memoryText(memory) + activationsText(report);
}

//===----------------------------------------------------------------------===//
// Two reports
//===----------------------------------------------------------------------===//

/// "lower bf16", or "-" for an op that one of the two models lacks.
static std::string decisionText(const OpReport *op) { return op ? op->precisionClass + " " + op->type : "-"; }

static std::string diffOpsText(const PrecisionReport &a, const PrecisionReport &b) {
  const std::vector<OpPair> pairs = differingOps(a, b);
  std::string text = "\n" + std::to_string(pairs.size()) + " of " +
                     plural(int64_t(matchOps(a, b).size()), "op") + " differ\n";
  if (pairs.empty())
    return text;
  TextTable table({"layer", "op", a.label, b.label, "reason", "other reason"});
  for (const auto &[left, right] : pairs) {
    const OpReport &either = left ? *left : *right;
    table.add({either.name, either.op, decisionText(left), decisionText(right), left ? left->reason : "",
               right ? right->reason : ""});
  }
  return text + table.text();
}

std::string diffText(const PrecisionReport &a, const PrecisionReport &b) {
  TextTable casts({"casts of a step", ">" + a.label, ">" + b.label});
  casts.add({"placed", std::to_string(a.castsBefore), std::to_string(b.castsBefore)});
  casts.add({"after minimize-casts", std::to_string(a.casts.size()), std::to_string(b.casts.size())});
  casts.add({"as kernels of their own", std::to_string(a.castKernels()), std::to_string(b.castKernels())});
  return summaryLine(a) + "\n" + notesText(a) + summaryLine(b) + "\n" + notesText(b) + diffOpsText(a, b) +
         "\n" + casts.text() + memoryText({{a.label, a.memory}, {b.label, b.memory}});
}

} // namespace halfstep
