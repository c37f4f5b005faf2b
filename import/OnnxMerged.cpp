// Finds initialisers of one repeated number that nodes of several modules read, and copies them a module.
#include "import/OnnxMerged.h"

#include "import/OnnxNode.h"
#include "import/OnnxTensors.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

namespace halfstep {

namespace {
/// Where an initialiser is read: input `input` of node `node`.
struct Use {
  int node, input;
};
} // namespace

/// The module that a node belongs to: of torch's "['', 'a', 'a.g', 'group_norm']", "a.g". Empty when unknown.
static std::string moduleOf(const onnx::NodeProto &proto) {
  std::string scopes = OnnxNode(proto, "", {}).metadata("pkg.torch.onnx.name_scopes");
  std::vector<std::string> names;
  for (size_t at = scopes.find('\''); at != std::string::npos;) {
    size_t end = scopes.find('\'', at + 1);
    if (end == std::string::npos)
      return "";
    names.push_back(scopes.substr(at + 1, end - at - 1));
    at = scopes.find('\'', end + 1);
  }
  return names.size() < 2 ? "" : names[names.size() - 2];
}

/// What PyTorch calls the parameter that is this input of a node.
static std::string roleOf(const onnx::NodeProto &node, int input, const std::string &initializer) {
  static const std::map<std::string, std::vector<std::string>> layers = {
      {"BatchNormalization", {"", "weight", "bias", "running_mean", "running_var"}},
      {"InstanceNormalization", {"", "weight", "bias"}},
      {"GroupNormalization", {"", "weight", "bias"}},
      {"LayerNormalization", {"", "weight", "bias"}},
      {"Conv", {"", "weight", "bias"}},
      {"ConvTranspose", {"", "weight", "bias"}},
      {"Gemm", {"", "weight", "bias"}},
  };
  auto layer = layers.find(node.op_type());
  if (layer != layers.end() && size_t(input) < layer->second.size())
    return layer->second[size_t(input)];
  if (size_t dot = initializer.rfind('.'); dot != std::string::npos)
    return initializer.substr(dot + 1);
  return node.op_type() == "Add" ? "bias" : "weight";
}

static bool isOneNumber(const onnx::TensorProto &tensor, const std::string &folder, const std::string &file) {
  bool isFloat =
      tensor.data_type() == onnx::TensorProto::FLOAT || tensor.data_type() == onnx::TensorProto::DOUBLE;
  if (!isFloat || tensor.dims_size() == 0)
    return false;
  Place place{file, 0, 0, "initializer '" + tensor.name() + "'", 0};
  KnownTensor known = readTensor(tensor, folder, place);
  return !known.numbers.empty() && std::all_of(known.numbers.begin(), known.numbers.end(),
                                               [&](double number) { return number == known.numbers[0]; });
}

/// The uses of each initialiser by the module of their nodes; none of those that a node without module reads.
static std::map<std::string, std::map<std::string, std::vector<Use>>>
usesByModule(const onnx::GraphProto &graph) {
  std::map<std::string, std::map<std::string, std::vector<Use>>> uses;
  for (const auto &tensor : graph.initializer())
    uses[tensor.name()];
  for (int i = 0; i < graph.node_size(); ++i)
    for (int input = 0; input < graph.node(i).input_size(); ++input)
      if (auto found = uses.find(graph.node(i).input(input)); found != uses.end())
        found->second[moduleOf(graph.node(i))].push_back({i, input});
  return uses;
}

void separateMerged(onnx::ModelProto &model, const std::string &file,
                    const std::function<void(const std::string &)> &note) {
  onnx::GraphProto &graph = *model.mutable_graph();
  std::string folder = std::filesystem::path(file).parent_path().string(), copies;
  auto uses = usesByModule(graph);
  std::set<std::string> taken;
  for (const auto &[name, modules] : uses)
    taken.insert(name);
  int count = 0;
  // Copies are added behind those that are looked at.
  for (int i = 0, initializers = graph.initializer_size(); i < initializers; ++i) {
    const std::string name = graph.initializer(i).name();
    const auto &modules = uses[name];
    if (modules.size() < 2 || modules.count("") || !isOneNumber(graph.initializer(i), folder, file))
      continue;
    for (const auto &[module, places] : modules) {
      const Use &first = places.front();
      std::string own = module + "." + roleOf(graph.node(first.node), first.input, name);
      if (own == name || !taken.insert(own).second)
        continue;
      onnx::TensorProto copy = graph.initializer(i);
      copy.set_name(own);
      *graph.add_initializer() = std::move(copy);
      for (const Use &use : places)
        graph.mutable_node(use.node)->set_input(use.input, own);
      if (++count <= 3)
        copies += (copies.empty() ? "'" : ", '") + own + "'";
    }
  }
  if (count > 0)
    note("parameters of several layers that the exporter merged, since all their elements are equal, are "
         "trained "
         "each for itself: " +
         copies + (count > 3 ? " and " + std::to_string(count - 3) + " more" : "") +
         "; torch.onnx.export(..., optimize=False) does not merge them");
}

} // namespace halfstep
