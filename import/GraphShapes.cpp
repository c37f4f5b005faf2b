// Shape rules: one function an op, and the table that is the importer's vocabulary.
#include "import/GraphShapes.h"

#include <algorithm>
#include <set>

namespace halfstep {

/// What to add to a message when a fixed extent may be the batch that the file was exported with.
static std::string batchHint(int64_t replacedBatch) {
  if (replacedBatch == 0)
    return "";
  std::string batch = std::to_string(replacedBatch);
  return "; the file fixes the batch to " + batch + ", which cannot be replaced here: use --batch " + batch +
         " or export with a symbolic batch";
}

namespace {

/// What a rule works on.
struct Shapes {
  const Node &node;
  const std::vector<Shape> &operands;
  const Shape &target;
  int64_t replacedBatch;

  [[noreturn]] void bad(const std::string &message) const { node.place.badInput(message); }
  const Shape &input() const { return operands[0]; }
  void needRank(const Shape &shape, size_t rank, const std::string &what) const {
    if (shape.size() != rank)
      bad("expected " + what + ", got shape " + toString(shape));
  }
  void needShape(size_t operand, const Shape &wanted, const std::string &what) const {
    if (operands[operand] != wanted)
      bad(what + " '" + node.inputs[operand] + "' has shape " + toString(operands[operand]) + ", expected " +
          toString(wanted));
  }
  std::string batchHint() const { return halfstep::batchHint(replacedBatch); }
};

using Results = std::vector<Shape>;

Results same(const Shapes &s) { return {s.input()}; }

Results broadcast(const Shapes &s) {
  const Shape &a = s.operands[0], &b = s.operands[1];
  Shape result(std::max(a.size(), b.size()));
  for (size_t i = 0; i < result.size(); ++i) {
    Dim x = i < a.size() ? a[a.size() - 1 - i] : Dim{};
    Dim y = i < b.size() ? b[b.size() - 1 - i] : Dim{};
    if (!(x == y) && !x.isOne() && !y.isOne())
      s.bad("shapes " + toString(a) + " and " + toString(b) + " do not broadcast" +
            (x.perSample != y.perSample ? s.batchHint() : ""));
    result[result.size() - 1 - i] = x.isOne() ? y : x;
  }
  return {result};
}

Results matmul(const Shapes &s) {
  const Shape &a = s.operands[0], &b = s.operands[1];
  if (a.size() < 2 || b.size() < 2)
    s.bad("expected operands of rank 2 or more, got " + toString(a) + " and " + toString(b));
  bool transposed = s.node.flag("transpose_b");
  Dim rows = b[b.size() - (transposed ? 1 : 2)], columns = b[b.size() - (transposed ? 2 : 1)];
  if (!(a.back() == rows))
    s.bad("the inner extents differ: " + toString(a) + " times " + toString(b) +
          (transposed ? " transposed" : "") + s.batchHint());
  if (b.size() > 2 && (a.size() != b.size() || !std::equal(a.begin(), a.end() - 2, b.begin())))
    s.node.place.fail(ExitCode::Unsupported, "a batched product needs equal leading extents, got " +
                                                 toString(a) + " and " + toString(b) + s.batchHint());
  if (s.node.hasInput(2))
    s.needShape(2, {columns}, "bias");
  Shape result = a;
  result.back() = columns;
  return {result};
}

/// Number of window positions along one dimension.
Dim windows(const Shapes &s, Dim extent, int64_t kernel, int64_t stride, int64_t pads, int64_t dilation) {
  if (extent.perSample)
    s.bad("the batch must be the first dimension of an image, got shape " + toString(s.input()));
  int64_t reach = dilation * (kernel - 1) + 1;
  if (extent.size + pads < reach)
    s.bad("a window of " + std::to_string(reach) + " does not fit into an extent of " +
          std::to_string(extent.size) + " with padding " + std::to_string(pads));
  return {(extent.size + pads - reach) / stride + 1, false};
}

Results conv2d(const Shapes &s) {
  const Shape &x = s.operands[0], &w = s.operands[1];
  s.needRank(x, 4, "an image [n, c, h, w]");
  s.needRank(w, 4, "a weight [out, in / groups, h, w]");
  int64_t groups = s.node.integer("groups");
  if (x[1].perSample || x[1].size != w[1].size * groups || w[0].size % groups != 0)
    s.bad("input " + toString(x) + " and weight " + toString(w) + " do not fit " + std::to_string(groups) +
          " groups");
  if (s.node.hasInput(2))
    s.needShape(2, {w[0]}, "bias");
  const auto &stride = s.node.integers("stride"), &pads = s.node.integers("padding"),
             &dilation = s.node.integers("dilation");
  return {{x[0], w[0], windows(s, x[2], w[2].size, stride[0], pads[0] + pads[2], dilation[0]),
           windows(s, x[3], w[3].size, stride[1], pads[1] + pads[3], dilation[1])}};
}

Results pool(const Shapes &s) {
  const Shape &x = s.input();
  s.needRank(x, 4, "an image [n, c, h, w]");
  const auto &kernel = s.node.integers("kernel"), &stride = s.node.integers("stride"),
             &pads = s.node.integers("padding");
  for (size_t i = 0; i < pads.size(); ++i)
    if (2 * pads[i] > kernel[i % 2])
      s.bad("padding " + std::to_string(pads[i]) + " is more than half of the window " +
            std::to_string(kernel[i % 2]));
  return {{x[0], x[1], windows(s, x[2], kernel[0], stride[0], pads[0] + pads[2], 1),
           windows(s, x[3], kernel[1], stride[1], pads[1] + pads[3], 1)}};
}

Results batchNorm(const Shapes &s) {
  if (s.input().size() < 2 || s.input()[1].perSample)
    s.bad("expected an input [n, c, ...], got shape " + toString(s.input()));
  for (size_t i = 1; i < 5; ++i)
    s.needShape(i, {s.input()[1]}, "operand");
  return {s.input()};
}

Results layerNorm(const Shapes &s) {
  int64_t axis = normalizeAxis(s.node.integer("axis"), s.input().size(), s.node.place);
  Shape trailing(s.input().begin() + axis, s.input().end());
  s.needShape(1, trailing, "scale");
  s.needShape(2, trailing, "shift");
  return {s.input()};
}

Results softmax(const Shapes &s) {
  normalizeAxis(s.node.integer("axis"), s.input().size(), s.node.place);
  return {s.input()};
}

Results embedding(const Shapes &s) {
  s.needRank(s.operands[0], 2, "a table [rows, columns]");
  Shape result = s.operands[1];
  result.push_back(s.operands[0][1]);
  return {result};
}

Results attention(const Shapes &s) {
  if (s.operands.size() == 2)
    s.bad("attention takes query, key and value, or one input that holds the three side by side; got 2");
  for (const Shape &operand : s.operands)
    s.needRank(operand, 3, "an operand [n, t, columns]");
  Shape result = s.input();
  int64_t parts = s.operands.size() == 1 ? 3 : 1, heads = s.node.integer("heads");
  if (result[1].perSample || result[2].perSample || heads > result[2].size ||
      result[2].size % (parts * heads) != 0)
    s.bad("the last extent of an operand of shape " + toString(result) + " does not hold " +
          (parts == 3 ? "query, key and value of " : "") + std::to_string(heads) + " equal heads");
  result[2].size /= parts;
  for (size_t i = 1; i < s.operands.size(); ++i)
    s.needShape(i, {result[0], s.operands[1][1], result[2]}, i == 1 ? "key" : "value");
  return {result};
}

Results reduceMean(const Shapes &s) {
  std::set<int64_t> axes;
  for (int64_t axis : s.node.integers("axes"))
    if (!axes.insert(normalizeAxis(axis, s.input().size(), s.node.place)).second)
      s.bad("axis " + std::to_string(axis) + " is given twice");
  Shape result;
  for (size_t i = 0; i < s.input().size(); ++i)
    if (!axes.count(int64_t(i)))
      result.push_back(s.input()[i]);
    else if (s.node.flag("keep_dims"))
      result.push_back({});
  return {result};
}

Results reshape(const Shapes &s) {
  return {resolveReshape(s.input(), s.target, /*zeroIsExtent=*/true, /*replacedBatch=*/0, s.node.place)};
}

Results transpose(const Shapes &s) {
  const auto &perm = s.node.integers("perm");
  std::vector<bool> seen(s.input().size());
  Shape result;
  for (int64_t from : perm) {
    if (from < 0 || size_t(from) >= seen.size() || seen[from])
      break;
    seen[from] = true;
    result.push_back(s.input()[from]);
  }
  if (result.size() != s.input().size() || perm.size() != result.size())
    s.bad("'perm' must name each of the " + std::to_string(seen.size()) + " dimensions once");
  return {result};
}

Results split(const Shapes &s) {
  int64_t axis = normalizeAxis(s.node.integer("axis"), s.input().size(), s.node.place);
  Dim whole = s.input()[axis];
  Results results;
  int64_t sum = 0;
  for (int64_t size : s.node.integers("sizes")) {
    if (size < 1 || size > kMaxElements)
      s.bad("a piece of " + std::to_string(size) + " elements");
    sum += size;
    results.push_back(s.input());
    results.back()[axis] = {size, false};
  }
  if (whole.perSample || sum != whole.size)
    s.bad("the sizes sum to " + std::to_string(sum) + ", the extent of dimension " + std::to_string(axis) +
          " is " + toString({whole}) + (whole.perSample ? s.batchHint() : ""));
  return results;
}

Results concat(const Shapes &s) {
  int64_t axis = normalizeAxis(s.node.integer("axis"), s.input().size(), s.node.place);
  Shape result = s.input();
  for (size_t i = 1; i < s.operands.size(); ++i) {
    Shape piece = s.operands[i];
    if (piece.size() != result.size() || piece[axis].perSample || result[axis].perSample)
      s.bad("cannot join shapes " + toString(result) + " and " + toString(piece) + s.batchHint());
    result[axis].size += piece[axis].size;
    piece[axis] = result[axis];
    if (piece != result)
      s.bad("cannot join shapes " + toString(s.input()) + " and " + toString(s.operands[i]) + s.batchHint());
  }
  return {result};
}

struct Rule {
  size_t leastOperands, mostOperands;
  Results (*infer)(const Shapes &);
};

/// The vocabulary: operands and attributes of each op.
const std::map<std::string_view, Rule> &vocabulary() {
  constexpr size_t any = SIZE_MAX;
  static const std::map<std::string_view, Rule> rules = {
      {"relu", {1, 1, same}},
      {"tanh", {1, 1, same}},
      {"sigmoid", {1, 1, same}},
      {"silu", {1, 1, same}},
      {"gelu", {1, 1, same}},       // tanh: bool
      {"dropout", {1, 1, same}},    // p: number in [0, 1)
      {"add_number", {1, 1, same}}, // value: number
      {"mul_number", {1, 1, same}}, // value: number
      {"add", {2, 2, broadcast}},
      {"sub", {2, 2, broadcast}},
      {"mul", {2, 2, broadcast}},
      {"matmul", {2, 3, matmul}}, // lhs, rhs, bias?; transpose_b: bool
      {"conv2d",
       {2, 3, conv2d}}, // x, weight, bias?; stride, padding (top left bottom right), dilation, groups
      {"max_pool2d", {1, 1, pool}},        // kernel, stride, padding
      {"avg_pool2d", {1, 1, pool}},        // kernel, stride, padding; exclude_pad: bool
      {"batch_norm", {5, 5, batchNorm}},   // x, scale, shift, running mean, running variance; eps, momentum
      {"layer_norm", {3, 3, layerNorm}},   // x, scale, shift; axis, eps
      {"softmax", {1, 1, softmax}},        // axis
      {"embedding", {2, 2, embedding}},    // table, ids
      {"attention", {1, 3, attention}},    // query, key?, value?; heads, causal: bool, scale: number
      {"reduce_mean", {1, 1, reduceMean}}, // axes, keep_dims: bool
      {"reshape", {1, 1, reshape}},        // the target shape is given beside the node
      {"transpose", {1, 1, transpose}},    // perm
      {"split", {1, 1, split}},            // axis, sizes
      {"concat", {1, any, concat}},        // axis
  };
  return rules;
}

} // namespace

std::vector<Shape> inferShapes(const Node &node, const std::vector<Shape> &operands, const Shape &target,
                               int64_t replacedBatch) {
  auto rule = vocabulary().find(node.op);
  if (rule == vocabulary().end())
    node.place.fail(ExitCode::Unsupported, "unknown op '" + node.op + "'");
  auto [least, most, infer] = rule->second;
  if (operands.size() < least || operands.size() > most)
    node.place.badInput("'" + node.op + "' takes " + std::to_string(least) +
                        (most == least ? "" : " or more") + " inputs, got " +
                        std::to_string(operands.size()));
  for (size_t i = 0; i < least; ++i)
    if (!node.hasInput(i))
      node.place.badInput("input " + std::to_string(i) + " of '" + node.op + "' is missing");
  return infer({node, operands, target, replacedBatch});
}

int64_t normalizeAxis(int64_t axis, size_t rank, const Place &place) {
  int64_t signedRank = int64_t(rank);
  if (axis < -signedRank || axis >= signedRank)
    place.badInput("axis " + std::to_string(axis) + " is outside a shape of rank " + std::to_string(rank));
  return axis < 0 ? axis + signedRank : axis;
}

/// Product of the extents of a reshape's target except the one to be inferred.
static Dim productOfGiven(const Shape &wanted, const Place &place) {
  Dim product;
  for (const Dim &dim : wanted) {
    if (dim.size == -1)
      continue;
    if (dim.size < 1 || dim.size > kMaxElements / product.size)
      place.badInput("cannot reshape to " + toString(wanted));
    product.size *= dim.size;
    product.perSample |= dim.perSample;
  }
  return product;
}

/// Finds the extent of `wanted` (all fixed, for a batch of `batch`) that holds the batch of `input`: the one
/// whose elements before and after split those of the input at the batch. False when there is none.
static bool rebindBatch(const Shape &input, Shape &wanted, int64_t batch) {
  int64_t before = 1;
  for (const Dim &dim : input) {
    if (dim.perSample)
      break;
    before *= dim.size;
  }
  int64_t outer = 1;
  for (Dim &dim : wanted) {
    if (before % outer == 0 && dim.size % batch == 0 && (dim.size / batch) % (before / outer) == 0) {
      dim = {dim.size / batch, true};
      return true;
    }
    outer *= dim.size;
  }
  return false;
}

Shape resolveReshape(const Shape &input, Shape wanted, bool zeroIsExtent, int64_t replacedBatch,
                     const Place &place) {
  Dim *hole = nullptr;
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i].size == 0 && !zeroIsExtent) {
      if (i >= input.size())
        place.badInput("extent 0 at place " + std::to_string(i) + " has nothing to copy from " +
                       toString(input));
      wanted[i] = input[i];
    } else if (wanted[i].size == -1) {
      if (hole)
        place.badInput("more than one extent of -1");
      hole = &wanted[i];
    }
  }
  Dim whole{countElements(input, place.toString()), false};
  for (const Dim &dim : input)
    whole.perSample |= dim.perSample;
  Dim given = productOfGiven(wanted, place);
  // Fixed extents were computed for the batch of the file: count with it, then find the extent that is the
  // batch.
  bool rebind = whole.perSample && !given.perSample && replacedBatch > 0;
  if (rebind)
    whole = {whole.size * replacedBatch, false};
  Shape asked = wanted;
  if (hole && whole.size % given.size == 0 && (whole.perSample || !given.perSample))
    *hole = {whole.size / given.size, whole.perSample && !given.perSample};
  else if (hole || !(given == whole))
    place.badInput("cannot reshape " + toString(input) + " to " + toString(asked));
  if (rebind && !rebindBatch(input, wanted, replacedBatch))
    place.badInput("cannot reshape " + toString(input) + " to " + toString(asked) + batchHint(replacedBatch));
  return wanted;
}

} // namespace halfstep
