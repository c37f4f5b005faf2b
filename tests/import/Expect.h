// Expectations that the importer's tests share.
#ifndef HALFSTEP_TESTS_IMPORT_EXPECT_H
#define HALFSTEP_TESTS_IMPORT_EXPECT_H

#include "import/Graph.h"

#include <gtest/gtest.h>

namespace halfstep {

/// Runs `action`, which must throw a Diagnostic with `code` whose text contains each of `parts`.
template <typename Action>
void expectDiagnostic(ExitCode code, const std::vector<std::string> &parts, Action action) {
  try {
    action();
    ADD_FAILURE() << "no diagnostic";
  } catch (const Diagnostic &diagnostic) {
    EXPECT_EQ(int(diagnostic.code), int(code)) << diagnostic.what();
    for (const std::string &part : parts)
      EXPECT_NE(std::string(diagnostic.what()).find(part), std::string::npos)
          << "got: " << diagnostic.what() << "\nexpected: " << part;
    EXPECT_EQ(std::string(diagnostic.what()).find('\n'), std::string::npos) << "a diagnostic is one line";
  }
}

inline std::string shapeText(const Graph &graph, const std::string &value) {
  return toString(graph.shapeOf(value, {"test", 0, 0, "", 0}));
}

/// "matmul relu matmul"
inline std::string opsOf(const Graph &graph) {
  std::string text;
  for (const Node &node : graph.nodes)
    text += (text.empty() ? "" : " ") + node.op;
  return text;
}

} // namespace halfstep

#endif // HALFSTEP_TESTS_IMPORT_EXPECT_H
