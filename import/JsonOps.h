// The ops of the JSON model format: attributes, defaults and parameters of each.
#ifndef HALFSTEP_IMPORT_JSONOPS_H
#define HALFSTEP_IMPORT_JSONOPS_H

#include "import/JsonTree.h"

#include <map>

namespace halfstep {

/// The parameters of a JSON model: made by their owners, shared through "params", which may come before the
/// owner.
class JsonParameters {
public:
  explicit JsonParameters(Graph &graph) : graph(graph) {}

  /// Declares `parameter`; completes it when a sharer made it before.
  void own(Parameter parameter);
  /// Uses the parameter `name` with a known shape.
  void share(const std::string &name, const Shape &shape, const Place &place);
  /// BadInput when a shared parameter has no owner.
  void finish() const;

private:
  Graph &graph;
  std::map<std::string, Place> withoutOwner;

  void needShape(const Parameter &known, const Shape &shape, const Place &place) const;
};

/// Product of all extents but the first.
double fanIn(const Shape &shape);

/// An entry of "init" for a parameter of `shape`.
Init readJsonInit(const JsonValue &value, const Shape &shape);

/// True when the format has this op.
bool isJsonOp(const std::string &op);

/// One layer or node as written.
struct JsonOp {
  std::string op;
  std::string name;
  std::vector<std::string> inputs, outputs;
  const JsonValue *attributes = nullptr; ///< the layer itself, or the node's "attrs"; null: no attributes
  bool chained = false;                  ///< in the layers form
  std::string batchName;                 ///< how the model calls its batch
  Place place;
};

/// Adds the op, which is one of the format's, to the graph. Throws Diagnostic.
void addJsonOp(Graph &graph, JsonParameters &parameters, const JsonOp &op);

} // namespace halfstep

#endif // HALFSTEP_IMPORT_JSONOPS_H
