// Runs the onnx package's node tests whose ops and attributes the importer takes, forward, at onnx's
// tolerances.
//
// usage: onnx-node-tests CASES WORK RESULTS [NAME...]
//
// CASES is the folder that setup/setup.sh fills, WORK one to compile in, RESULTS the JSON file to write: what
// became of each case. With names, only those cases run. Exit status 1 when a case that is claimed fails.
#include "NodeCase.h"
#include "NodeLibrary.h"

#include "import/OnnxReader.h"
#include "import/OnnxTensors.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <thread>

namespace halfstep::test {
namespace {

// Of onnx.backend.test.case: every node test of this release has them.
constexpr double kRelative = 1e-3, kAbsolute = 1e-7;
constexpr size_t kCasesOfALibrary = 40;

struct Result {
  std::string status; ///< passed, failed, unclaimed
  std::string reason;
  std::set<std::string> makes; ///< ops of the importer's vocabulary that the case becomes
};

/// Those that the case's own nodes become. Reshapes stand around each of them.
std::set<std::string> opsOf(const NodeCase &nodeCase, const Graph &graph) {
  std::set<std::string> ops;
  for (const Node &node : graph.nodes)
    if (node.name.starts_with(nodeCase.name + "/"))
      ops.insert(node.op);
  if (ops.size() > 1)
    ops.erase("reshape");
  return ops;
}

/// The diagnostic without the places of the assembled file.
std::string reasonOf(const NodeCase &nodeCase, const std::string &message) {
  static const std::regex place("^[^:]*(: (node|input|output|initializer) [^:]*)?: "),
      node(" \\(node [0-9]+ '[^']*'\\)");
  std::string reason = std::regex_replace(std::regex_replace(message, place, ""), node, "");
  for (size_t at; (at = reason.find(nodeCase.name + "/")) != std::string::npos;)
    reason.erase(at, nodeCase.name.size() + 1);
  return reason;
}

/// Shapes of the importer against those expected; empty when they agree.
std::string wrongShape(const NodeCase &nodeCase, const Graph &graph) {
  for (size_t i = 0; i < nodeCase.outputs.size(); ++i) {
    const onnx::TensorProto &expected = nodeCase.outputs[i];
    const std::string name = assembledName(nodeCase, nodeCase.model.graph().output(int(i)).name());
    // A value that an Identity names has no entry of its own.
    if (!graph.hasValue(name))
      continue;
    Shape wanted = fixedShape({expected.dims().begin(), expected.dims().end()});
    if (const Shape &got = graph.shapeOf(name, {}); got != wanted)
      return "output " + std::to_string(i) + " has shape " + toString(got) + ", expected " + toString(wanted);
  }
  return "";
}

/// Imports the case by the first route that is taken. True when it is claimed; else `result` says why not.
bool claim(NodeCase &nodeCase, Result &result) {
  if (!nodeCase.excluded.empty()) {
    result = {"unclaimed", nodeCase.excluded, {}};
    return false;
  }
  bool unsupported = false;
  for (Route route : kRoutes) {
    nodeCase.route = route;
    try {
      std::string content = assemble({&nodeCase}).model.SerializeAsString();
      Graph graph = readOnnxModel(content, "case.onnx", /*batch=*/1, [](const std::string &) {});
      if (std::string wrong = wrongShape(nodeCase, graph); !wrong.empty()) {
        result = {"failed", wrong, {}};
        return false;
      }
      result.makes = opsOf(nodeCase, graph);
      return true;
    } catch (const Diagnostic &diagnostic) {
      // Of several refusals the one that says what is not supported is the reason.
      bool says = diagnostic.code == ExitCode::Unsupported;
      if (says ? !unsupported : result.reason.empty())
        result.reason = reasonOf(nodeCase, diagnostic.what());
      unsupported |= says;
    }
  }
  // A node test is a right model: nothing else may be said of it than that something is not supported.
  result.status = unsupported ? "unclaimed" : "failed";
  return false;
}

Result compare(const AssembledTensor &output, const std::vector<double> &got) {
  const std::vector<double> expected = elementsOf(output.tensor());
  for (size_t i = 0; i < expected.size(); ++i) {
    bool same = got[i] == expected[i] || (std::isnan(got[i]) && std::isnan(expected[i])) ||
                std::abs(got[i] - expected[i]) <= kAbsolute + kRelative * std::abs(expected[i]);
    if (same)
      continue;
    char text[160];
    std::snprintf(text, sizeof text, "output %d, element %zu is %.9g, expected %.9g", output.index, i, got[i],
                  expected[i]);
    return {"failed", text, {}};
  }
  return {"passed", "", {}};
}

using Results = std::map<std::string, Result>;

/// Compiles and runs `cases` together. When that fails with more than one, each half by itself.
void runCases(const std::vector<const NodeCase *> &cases, const std::string &folder, Results &results) {
  std::string problem;
  try {
    const Assembled model = assemble(cases);
    const auto outputs = runForward(model, cases.front()->isDouble(), folder);
    for (const NodeCase *nodeCase : cases)
      results[nodeCase->name] = {"passed", nameOf(nodeCase->route), {}};
    for (size_t i = 0; i < outputs.size(); ++i)
      if (Result result = compare(model.outputs[i], outputs[i]); result.status != "passed")
        results[model.outputs[i].nodeCase->name] = result;
    return;
  } catch (const std::exception &error) {
    problem = error.what();
  }
  if (cases.size() == 1) {
    results[cases.front()->name] = {"failed", reasonOf(*cases.front(), problem), {}};
    return;
  }
  const auto middle = cases.begin() + std::ptrdiff_t(cases.size() / 2);
  runCases({cases.begin(), middle}, folder + "/a", results);
  runCases({middle, cases.end()}, folder + "/b", results);
}

/// Cases of one opset and element type, few enough for a library.
std::vector<std::vector<const NodeCase *>> groupsOf(const std::vector<const NodeCase *> &cases) {
  std::map<std::pair<int64_t, bool>, std::vector<const NodeCase *>> kinds;
  for (const NodeCase *nodeCase : cases)
    kinds[{nodeCase->opset(), nodeCase->isDouble()}].push_back(nodeCase);
  std::vector<std::vector<const NodeCase *>> groups;
  for (const auto &[kind, members] : kinds)
    for (size_t at = 0; at < members.size(); at += kCasesOfALibrary)
      groups.emplace_back(members.begin() + std::ptrdiff_t(at),
                          members.begin() + std::ptrdiff_t(std::min(members.size(), at + kCasesOfALibrary)));
  return groups;
}

void runGroups(const std::vector<std::vector<const NodeCase *>> &groups, const std::string &work,
               Results &results) {
  const size_t workers = std::clamp<size_t>(std::thread::hardware_concurrency(), 1, 8);
  std::vector<Results> found(workers);
  std::vector<std::thread> threads;
  for (size_t worker = 0; worker < workers; ++worker)
    threads.emplace_back([&, worker] {
      for (size_t i = worker; i < groups.size(); i += workers)
        runCases(groups[i], work + "/" + std::to_string(i), found[worker]);
    });
  for (std::thread &thread : threads)
    thread.join();
  for (const Results &part : found)
    for (const auto &[name, result] : part) {
      results[name].status = result.status;
      results[name].reason = result.reason;
    }
}

void writeResults(const std::vector<NodeCase> &cases, const Results &results, const std::string &path) {
  nlohmann::ordered_json lines = nlohmann::ordered_json::array();
  for (const NodeCase &nodeCase : cases)
    if (auto found = results.find(nodeCase.name); found != results.end())
      lines.push_back({{"case", nodeCase.name},
                       {"ops", nodeCase.ops()},
                       {"opset", nodeCase.opset()},
                       {"status", found->second.status},
                       {"reason", found->second.reason},
                       {"makes", found->second.makes}});
  std::ofstream(path) << lines.dump(1) << "\n";
}

int run(const std::string &folder, const std::string &work, const std::string &path,
        const std::set<std::string> &wanted) {
  std::vector<NodeCase> cases = readCases(folder);
  std::vector<const NodeCase *> claimed;
  Results results;
  for (NodeCase &nodeCase : cases)
    if (wanted.empty() || wanted.count(nodeCase.name)) {
      if (claim(nodeCase, results[nodeCase.name]))
        claimed.push_back(&nodeCase);
    }
  runGroups(groupsOf(claimed), work, results);
  writeResults(cases, results, path);
  std::map<std::string, int> counts;
  for (const auto &[name, result] : results) {
    ++counts[result.status];
    if (result.status == "failed")
      std::printf("FAIL %s: %s\n", name.c_str(), result.reason.c_str());
    else if (!wanted.empty())
      std::printf("%s: %s: %s\n", name.c_str(), result.status.c_str(), result.reason.c_str());
  }
  std::printf("%d passed of %d claimed, of %zu cases\n", counts["passed"],
              counts["passed"] + counts["failed"], results.size());
  return counts["failed"] || !counts["passed"] ? 1 : 0;
}

} // namespace
} // namespace halfstep::test

int main(int count, char **words) {
  if (count < 4) {
    std::fprintf(stderr, "usage: onnx-node-tests CASES WORK RESULTS [NAME...]\n");
    return 2;
  }
  try {
    return halfstep::test::run(words[1], words[2], words[3], {words + 4, words + count});
  } catch (const std::exception &error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}
