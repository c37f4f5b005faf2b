// See ReportDiff.h.
#include "report/ReportDiff.h"

#include "report/ReportJson.h"

#include <map>
#include <tuple>

using json = nlohmann::ordered_json;

namespace halfstep {

/// What is the same op in two reports of one model: layer, op, and how many such there were before.
using OpIdentity = std::tuple<std::string, std::string, int>;

static std::vector<OpIdentity> identify(const PrecisionReport &report) {
  std::map<std::pair<std::string, std::string>, int> seen;
  std::vector<OpIdentity> identities;
  for (const OpReport &op : report.ops)
    identities.emplace_back(op.name, op.op, seen[{op.name, op.op}]++);
  return identities;
}

bool OpPair::differs() const {
  return !a || !b || a->precisionClass != b->precisionClass || a->type != b->type;
}

std::vector<OpPair> matchOps(const PrecisionReport &a, const PrecisionReport &b) {
  std::map<OpIdentity, const OpReport *> others;
  std::vector<OpIdentity> ofA = identify(a), ofB = identify(b);
  for (size_t i = 0; i < ofB.size(); ++i)
    others[ofB[i]] = &b.ops[i];
  std::vector<OpPair> pairs;
  for (size_t i = 0; i < ofA.size(); ++i) {
    auto other = others.extract(ofA[i]);
    pairs.push_back({&a.ops[i], other ? other.mapped() : nullptr});
  }
  for (size_t i = 0; i < ofB.size(); ++i)
    if (others.contains(ofB[i]))
      pairs.push_back({nullptr, &b.ops[i]});
  return pairs;
}

std::vector<OpPair> differingOps(const PrecisionReport &a, const PrecisionReport &b) {
  std::vector<OpPair> pairs = matchOps(a, b);
  std::erase_if(pairs, [](const OpPair &pair) { return !pair.differs(); });
  return pairs;
}

static json decisionToJson(const OpReport *op) {
  if (!op)
    return nullptr;
  return {{"class", op->precisionClass}, {"type", op->type}, {"reason", op->reason}};
}

json diffToJson(const PrecisionReport &a, const PrecisionReport &b) {
  json ops = json::array();
  for (const OpPair &pair : differingOps(a, b)) {
    const OpReport &either = pair.a ? *pair.a : *pair.b;
    ops.push_back({{"name", either.name},
                   {"op", either.op},
                   {"a", decisionToJson(pair.a)},
                   {"b", decisionToJson(pair.b)}});
  }
  json memory = json::object();
  for (const MemoryKind &kind : memoryKinds())
    memory[kind.name] = {a.memory.*kind.bytes, b.memory.*kind.bytes};
  return {{"reports", {reportToJson(a), reportToJson(b)}},
          {"ops", ops},
          {"casts",
           {{"before", {a.castsBefore, b.castsBefore}},
            {"after", {a.casts.size(), b.casts.size()}},
            {"kernels", {a.castKernels(), b.castKernels()}}}},
          {"memory", memory}};
}

} // namespace halfstep
