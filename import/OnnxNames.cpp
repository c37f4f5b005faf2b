// See OnnxNames.h.
#include "import/OnnxNames.h"
#include "import/OnnxTensors.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <string_view>

namespace halfstep {
namespace {

using Node = onnx::NodeProto;
using Tensor = onnx::TensorProto;

bool isDigits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// A name that PyTorch's exporters make up: "onnx::MatMul_12", "val_3".
bool isMadeUp(std::string_view name) {
  for (std::string_view prefix : {"onnx::MatMul_", "val_"})
    if (name.starts_with(prefix) && isDigits(name.substr(prefix.size())))
      return true;
  return false;
}

bool isFloating(const Tensor &tensor) {
  return tensor.data_type() == Tensor::FLOAT || tensor.data_type() == Tensor::DOUBLE;
}

std::string metadataOf(const Node &node, std::string_view key) {
  for (const auto &entry : node.metadata_props())
    if (entry.key() == key)
      return entry.value();
  return "";
}

/// The module path in "['', 'layers.0', 'layers.0.fc1', 'linear']": the last but one.
std::string moduleInScopes(std::string_view scopes) {
  std::vector<std::string> names;
  for (size_t begin = scopes.find('\''); begin != scopes.npos; begin = scopes.find('\'', begin)) {
    size_t end = scopes.find('\'', begin + 1);
    if (end == scopes.npos)
      break;
    names.emplace_back(scopes.substr(begin + 1, end - begin - 1));
    begin = end + 1;
  }
  return names.size() < 2 ? "" : names[names.size() - 2];
}

/// True when torch.export's call reads the parameter: "%p_layers_0_fc1_weight" stands in it as a whole.
bool readsParameter(std::string_view call, std::string parameter) {
  std::replace(parameter.begin(), parameter.end(), '.', '_');
  std::string word = "%p_" + parameter;
  for (size_t at = call.find(word); at != call.npos; at = call.find(word, at + 1)) {
    size_t end = at + word.size();
    if (end == call.size() || (!std::isalnum(static_cast<unsigned char>(call[end])) && call[end] != '_'))
      return true;
  }
  return false;
}

/// The module path of the TorchScript exporter's node name: "/seq/seq.0/MatMul" is of "seq.0". A part that
/// goes on from the one before replaces it.
std::string moduleInName(std::string_view name) {
  std::vector<std::string> parts;
  while (name.starts_with('/')) {
    name.remove_prefix(1);
    std::string part(name.substr(0, name.find('/')));
    name.remove_prefix(part.size());
    if (name.empty()) // the op
      break;
    if (!parts.empty() && part.starts_with(parts.back() + "."))
      parts.pop_back();
    parts.push_back(part);
  }
  std::string path;
  for (const std::string &part : parts)
    path += (path.empty() ? "" : ".") + part;
  return path;
}

class Restorer {
public:
  Restorer(onnx::ModelProto &model, const std::string &file, const std::string &folder)
      : graph(*model.mutable_graph()), file(file), folder(folder) {
    for (Tensor &tensor : *graph.mutable_initializer()) {
      tensors.emplace(tensor.name(), &tensor);
      names.insert(tensor.name());
    }
    for (const auto &input : graph.input())
      names.insert(input.name());
    for (Node &node : *graph.mutable_node()) {
      for (const std::string &input : node.input())
        uses[input].push_back(&node);
      names.insert(node.output().begin(), node.output().end());
    }
  }

  RestoredNames run() {
    for (Node &node : *graph.mutable_node())
      setApart(node);
    std::vector<std::string> folded;
    for (const Tensor &tensor : graph.initializer())
      if (isMadeUp(tensor.name()) && tensor.dims_size() == 2 && isFloating(tensor))
        folded.push_back(tensor.name());
    for (const std::string &name : folded)
      restoreWeight(name);
    removeReplaced();
    return std::move(found);
  }

private:
  Place placeOf(const std::string &name) const { return {file, 0, 0, "initializer '" + name + "'", 0}; }

  Tensor *findTensor(const std::string &name) const {
    auto tensor = tensors.find(name);
    return tensor == tensors.end() ? nullptr : tensor->second;
  }

  /// One of several elements along at most one dimension: [c] or [c, 1, 1].
  static bool isVector(const Tensor &tensor) {
    auto isLong = [](int64_t extent) { return extent != 1; };
    return isFloating(tensor) && tensor.dims_size() > 0 &&
           std::count_if(tensor.dims().begin(), tensor.dims().end(), isLong) <= 1;
  }

  /// The last part of a parameter's name, with its dot: that of `input`, or of what scales and shifts a
  /// normalisation where the exporter made the name up. Empty when unknown.
  static std::string roleOf(const Node &node, const std::string &input) {
    if (isMadeUp(input))
      return node.op_type() == "Mul" ? ".weight" : node.op_type() == "Add" ? ".bias" : "";
    size_t dot = input.rfind('.');
    return dot == input.npos ? "" : input.substr(dot);
  }

  /// Gives a node the vectors that its call in PyTorch reads.
  void setApart(Node &node) {
    std::string call = metadataOf(node, "pkg.torch.onnx.fx_node");
    std::string module = moduleInScopes(metadataOf(node, "pkg.torch.onnx.name_scopes"));
    if (call.empty() || module.empty())
      return;
    for (std::string &input : *node.mutable_input()) {
      const Tensor *tensor = findTensor(input);
      std::string role = roleOf(node, input);
      if (!tensor || !isVector(*tensor) || role.empty())
        continue;
      std::string own = module + role;
      if (own == input || readsParameter(call, input) || !readsParameter(call, own))
        continue;
      if (const Tensor *other = findTensor(own); other && other->dims_size() != tensor->dims_size())
        continue;
      if (!findTensor(own) && !names.insert(own).second)
        continue;
      if (!findTensor(own)) {
        Tensor copy = *tensor;
        copy.set_name(own);
        add(std::move(copy));
        found.apart.push_back(own);
      }
      input = own;
    }
  }

  void add(Tensor tensor) {
    Tensor *added = graph.add_initializer();
    *added = std::move(tensor);
    tensors[added->name()] = added;
  }

  /// The name of the weight [out, in] whose transpose a product reads; empty when that is not certain.
  std::string weightOf(const Node &product, const Tensor &folded) const {
    std::string call = metadataOf(product, "pkg.torch.onnx.fx_node");
    std::string scoped = moduleInScopes(metadataOf(product, "pkg.torch.onnx.name_scopes")) + ".weight";
    if (!call.empty())
      return readsParameter(call, scoped) ? scoped : "";
    for (const Node *sum : usesOf(product.output(0)))
      for (const std::string &input : sum->input()) {
        const Tensor *bias = findTensor(input);
        if (sum->op_type() == "Add" && bias && bias->dims_size() == 1 && bias->dims(0) == folded.dims(1) &&
            input.ends_with(".bias"))
          return input.substr(0, input.rfind('.')) + ".weight";
      }
    std::string module = moduleInName(product.name());
    return module.empty() ? "" : module + ".weight";
  }

  const std::vector<Node *> &usesOf(const std::string &value) const {
    static const std::vector<Node *> none;
    auto at = uses.find(value);
    return at == uses.end() ? none : at->second;
  }

  void restoreWeight(const std::string &value) {
    Tensor &folded = *findTensor(value);
    std::string name;
    for (const Node *use : usesOf(value)) {
      bool product = use->op_type() == "MatMul" && use->input_size() == 2 && use->output_size() == 1 &&
                     use->input(1) == value && use->input(0) != value;
      std::string weight = product ? weightOf(*use, folded) : "";
      if (weight.empty() || (!name.empty() && weight != name))
        return;
      name = weight;
    }
    if (name.empty() || name == ".weight")
      return;
    KnownTensor known = readTensor(folded, folder, placeOf(value));
    int64_t rows = folded.dims(0), columns = folded.dims(1);
    std::vector<double> turned(known.numbers.size());
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j)
        turned[size_t(j * rows + i)] = known.numbers[size_t(i * columns + j)];
    std::string same = tableLike(turned, columns, rows);
    if (!same.empty())
      found.tied.push_back(same);
    else if (hasValues(findTensor(name), turned, columns, rows)) // the module runs twice
      same = name;
    if (!same.empty()) {
      found.transposes.push_back({value, same});
      replaced.insert(&folded);
    } else if (names.insert(name).second) {
      store(folded, name, columns, rows, turned);
      tensors[name] = &folded;
      found.transposes.push_back({value, name});
    }
  }

  /// Removes the copies that nothing reads any more.
  void removeReplaced() {
    for (int i = graph.initializer_size(); i-- > 0;)
      if (replaced.count(&graph.initializer(i)))
        graph.mutable_initializer()->DeleteSubrange(i, 1);
  }

  bool hasValues(const Tensor *tensor, const std::vector<double> &values, int64_t rows,
                 int64_t columns) const {
    return tensor && isFloating(*tensor) && tensor->dims_size() == 2 && tensor->dims(0) == rows &&
           tensor->dims(1) == columns &&
           readTensor(*tensor, folder, placeOf(tensor->name())).numbers == values;
  }

  /// The embedding's table [rows, columns] with these values; empty when there is none. Values that are all
  /// equal tell nothing.
  std::string tableLike(const std::vector<double> &values, int64_t rows, int64_t columns) const {
    if (std::all_of(values.begin(), values.end(), [&](double value) { return value == values[0]; }))
      return "";
    for (const Node &node : graph.node()) {
      const Tensor *table =
          node.op_type() == "Gather" && node.input_size() == 2 ? findTensor(node.input(0)) : nullptr;
      if (hasValues(table, values, rows, columns))
        return table->name();
    }
    return "";
  }

  static void store(Tensor &tensor, const std::string &name, int64_t rows, int64_t columns,
                    const std::vector<double> &values) {
    bool wide = tensor.data_type() == Tensor::DOUBLE;
    tensor.Clear();
    tensor.set_name(name);
    tensor.set_data_type(wide ? Tensor::DOUBLE : Tensor::FLOAT);
    tensor.add_dims(rows);
    tensor.add_dims(columns);
    for (double value : values)
      wide ? tensor.add_double_data(value) : tensor.add_float_data(float(value));
  }

  onnx::GraphProto &graph;
  const std::string &file, &folder;
  std::map<std::string, Tensor *> tensors;
  std::set<std::string> names; ///< of all values
  std::map<std::string, std::vector<Node *>> uses;
  std::set<const Tensor *> replaced; ///< copies of other tensors
  RestoredNames found;
};

} // namespace

RestoredNames restoreParameterNames(onnx::ModelProto &model, const std::string &file,
                                    const std::string &folder) {
  return Restorer(model, file, folder).run();
}

} // namespace halfstep
