// The state of one ONNX import, shared by the frame (OnnxReader), the ops (OnnxOps) and the patterns
// (OnnxPatterns, OnnxNormPatterns, OnnxRotary,
// OnnxAttention).
#ifndef HALFSTEP_IMPORT_ONNXIMPORTER_H
#define HALFSTEP_IMPORT_ONNXIMPORTER_H

#include "import/OnnxFolding.h"
#include "import/OnnxNames.h"
#include "import/OnnxNode.h"
#include "import/OnnxSampleValues.h"
#include "import/OnnxTensors.h"

#include <functional>
#include <map>
#include <set>
#include <string>
#include <unordered_map>

namespace halfstep {

class OnnxImporter {
public:
  using Note = std::function<void(const std::string &)>;

  OnnxImporter(const onnx::ModelProto &model, const std::string &file, int64_t batch, const Note &note,
               RestoredNames restored);

  Graph run();

private:
  const onnx::ModelProto &model;
  const onnx::GraphProto &proto;
  Graph graph;
  int64_t batch;
  const Note &note;
  int64_t opset = 0;
  std::string folder;

  std::unordered_map<std::string, const onnx::TensorProto *> initializers;
  std::unordered_map<std::string, KnownTensor> known;      ///< folded values
  std::unordered_map<std::string, std::string> aliases;    ///< results of Identity and its like
  std::unordered_map<std::string, std::string> transposed; ///< results of Transpose of a matrix parameter
  const RestoredNames restored;
  std::unordered_map<std::string, std::vector<std::string>> sequences; ///< pieces of SplitToSequence
  std::unordered_map<std::string, std::vector<int>> uses; ///< nodes that take a value; -1: the graph's output
  std::unordered_map<std::string, int> producers;

  /// What OnnxPatterns found: the last node of a pattern becomes `op` of `inputs`; the others vanish.
  struct Fused {
    std::string op;
    std::vector<std::string> inputs;
    Attributes attributes;
  };
  std::map<int, Fused> fused;
  std::set<int> absorbed;
  /// Attention over values [b, h, t, d], found by its last node.
  struct AttentionPattern {
    std::string query, key, value;
    std::vector<std::pair<std::string, bool>> factors; ///< of the scores; true: they are divided by it
    bool causal = false;
    bool keyByRows = false; ///< the key is [b, t, h, d]
    bool asNode = false;    ///< one node of opset 23, whose scale is `scale`; 0: 1 / sqrt(d)
    double scale = 0;
    bool swapped = false;   ///< the result is [b, t, h, d]
    std::string mask;       ///< "" when there is none
    bool maskAdded = true;  ///< the mask is added to the scores; false: it is a truth that shows a key
    bool maskHides = false; ///< as a truth, it hides keys instead
    bool repeated = false;  ///< keys and values are repeated, for heads of queries that share them
    std::set<int> nodes;
  };
  std::map<int, AttentionPattern> attentions;
  /// Reshape, InstanceNormalization, Reshape, Mul and Add, found by the Add: numbers of the first three.
  struct GroupNormPattern {
    int toGroups, instance, back;
    std::string scale, shift;
  };
  std::map<int, GroupNormPattern> groupNorms;
  /// A Gather of places of a flat tensor: their start, and for each axis of the result the names of what
  /// makes a range and is multiplied with it.
  struct StridedView {
    struct Axis {
      std::string start, extent, step, stride;
    };
    std::string source, flat, start;
    std::vector<Axis> axes;
    std::set<int> nodes;
  };
  std::map<int, StridedView> stridedViews;
  /// What a mask means to attention: see maskForm.
  struct MaskForm {
    bool causal = false;
    std::string input;
    std::optional<SampleTensor> constant;
  };
  /// Rotary positions of values [b, h, t, d], or of [b, t, h, d], found by their last node.
  struct RotaryPattern {
    std::string input, cos, sin;
    bool interleaved = false;
    std::set<int> nodes;
  };
  std::map<int, RotaryPattern> rotaries;
  std::unordered_map<std::string, std::string>
      rowForms; ///< values [b, h, t, d] that are made as [b, t, h, d]
  std::unordered_map<std::string, SampleTensor> samples; ///< values that OnnxMasks evaluated
  size_t sampleCells = 0;                                ///< of all of them
  std::unordered_map<std::string, bool> foldable;        ///< what isFoldable found
  std::set<std::string> truths;                          ///< values that are 1 or 0
  /// A known tensor that is repeated to a shape which depends on the batch.
  struct Repeated {
    KnownTensor value;
    Shape shape;
  };
  std::unordered_map<std::string, Repeated> repeated;
  /// What cannot be done, and the values that are not there for that reason.
  std::vector<std::string> unsupportedOps, unsupportedNodes;
  std::set<std::string> unknown;
  size_t foldedElements = 0; ///< of all folded tensors
  std::vector<std::string> trainedBatchNorms, trainedDropouts, fusedAttentions, fusedGroupNorms,
      foldedBatchNorms;
  std::map<std::string, std::vector<std::string>> fusedNodes; ///< by what the nodes are taken as

  // The frame (OnnxReader.cpp).
  void checkVersions();
  void indexNodes();
  void readConstants();
  void addInputs();
  void addOutputs();
  void addNode(int index);
  bool dependsOnUnknown(const onnx::NodeProto &node) const;
  void noteUnsupported(int index, const std::string &what);
  void noteUnknownOp(int index);
  void failIfUnsupported() const;
  bool fold(const OnnxNode &node);
  void sayNotes();
  OnnxNode nodeAt(int index) const;
  Place placeOf(const std::string &where) const { return {graph.file, 0, 0, where, 0}; }

  // Values (OnnxValues.cpp).
  const std::string &resolve(const std::string &name) const;
  const KnownTensor *findKnown(const std::string &name, const Place &place);
  const KnownTensor &needKnown(const OnnxNode &node, int input);
  std::optional<double> scalarOf(const std::string &name, const Place &place);
  bool isParameter(const std::string &name) const;
  Shape shapeOf(const std::string &name, const Place &place);
  /// The name in the graph of an operand: value, parameter (made at its first use), or buffer for a constant
  /// tensor.
  std::string operand(const std::string &name, const Place &place);
  std::string addTensor(const std::string &name, const KnownTensor &tensor, bool buffer, const Place &place);
  std::string addBuffer(const OnnxNode &node, int input);
  std::string addConstantNode(const std::string &name, const KnownTensor &tensor, const Place &place);
  /// A name that no value has: `wanted`, or with a number behind it.
  std::string freshName(const std::string &wanted) const;
  int onlyUse(const std::string &name) const;

  // Patterns (OnnxPatterns.cpp).
  void findPatterns();
  std::optional<double> factorOf(const onnx::NodeProto &node, int side);
  void matchErfGelu(int erf);
  void matchTanhGelu(int tanh);
  void finishGelu(int function, const std::string &x, std::set<int> nodes, bool tanh);
  void matchSilu(int sigmoid);
  /// Takes `nodes` out of the graph but for `last`, which becomes what `made` says.
  void fuse(int last, std::set<int> nodes, Fused made, const std::string &what);

  // Normalisations (OnnxNormPatterns.cpp).
  void matchNorm(int root);
  void addFused(const OnnxNode &node, const Fused &made);
  void addRmsNorm(const OnnxNode &node);
  int finishNorm(int last, std::string &parameter, const std::string &op, std::set<int> &nodes);

  // Rotary positions (OnnxRotary.cpp).
  void matchRotary(int add);
  bool isHalf(int index, int which);
  bool isTable(const std::string &name, int depth, std::set<int> &nodes);
  std::string turned(const std::string &name, RotaryPattern &found);
  std::optional<SampleTensor> constantOf(const std::string &name, const Place &place);
  void addRotary(const OnnxNode &node, const RotaryPattern &found);

  // Values that are evaluated, and masks (OnnxMasks.cpp).
  const SampleTensor *sampleOf(const std::string &name, const Place &place);
  bool addSampleValue(const OnnxNode &node);
  void noteSample(const OnnxNode &node, SampleTensor tensor);
  void addEvaluated(const std::string &name);
  std::optional<MaskForm> maskForm(const SampleTensor &mask, bool added, int64_t queries, int64_t keys);
  std::string addMaskConstant(const OnnxNode &node, const SampleTensor &mask);

  // Attention and embeddings (OnnxAttention.cpp).
  /// The node of type `op` that makes `name`; null when there is none.
  const onnx::NodeProto *producerOf(const std::string &name, const std::string &op) const;
  bool isFoldable(const std::string &name, int depth);
  /// True for a tensor known at import whose elements all are `wanted`.
  bool isConstantOf(const std::string &name, double wanted);
  /// What `name` is a constant multiple of; notes the factors.
  std::string withoutFactors(std::string name, AttentionPattern &found);
  void collectShape(const std::string &name, std::set<int> &nodes) const;
  std::string keysOf(const std::string &name, AttentionPattern &found) const;
  bool isCausalMask(const std::string &name, AttentionPattern &found);
  void matchAttention(int softmax);
  std::string withoutMask(const std::string &scores, AttentionPattern &found);
  int weightedBy(int softmax, AttentionPattern &found);
  std::string withoutRepeat(const std::string &name, AttentionPattern &found);
  bool readsParameters(const std::string &name, int depth) const;
  void matchAttentionNode(int index);
  AttentionPattern optionsOf(const OnnxNode &node) const;
  void takeAttention(int last, AttentionPattern found);
  void absorbAttentions();
  std::string rowsOf(const OnnxNode &node, const std::string &name, bool byRows);
  std::string joinHeads(const OnnxNode &node, const std::string &rows);
  std::string packedProjections(const std::vector<std::string> &parts) const;
  double scaleOf(const OnnxNode &node, const AttentionPattern &found, int64_t depth);
  void addAttention(const OnnxNode &node, const AttentionPattern &found);
  std::optional<std::string> maskOperand(const OnnxNode &node, AttentionPattern &found, int64_t queries,
                                         int64_t keys);
  void addPlainAttention(const OnnxNode &node, const AttentionPattern &found, double scale);
  void addAttentionNode(const OnnxNode &node);

  // The ops (OnnxOps.cpp, OnnxShapeOps.cpp).
  using Handler = void (OnnxImporter::*)(const OnnxNode &);
  static const std::map<std::string, Handler> &handlers();
  void emit(const OnnxNode &node, const std::string &op, std::vector<std::string> inputs,
            Attributes attributes = {}, const Shape &target = {});
  void onlyFirstOutput(const OnnxNode &node) const;
  void addNumber(const OnnxNode &node, const std::string &op, const std::string &input, double value);

  // Convolution, pooling and resizing; lines are images of height 1 (OnnxConvolution.cpp, OnnxPool.cpp,
  // OnnxResize.cpp).
  /// The operand as an image [n, c, h, w]: itself, or with a height of 1 where it is a line [n, c, w].
  std::string asImage(const OnnxNode &node, int input);
  /// Emits an op on images whose result is the node's, a line again where its first input is one.
  void emitImage(const OnnxNode &node, const std::string &op, std::vector<std::string> inputs,
                 Attributes attributes);
  void noteFolded(const OnnxNode &node);
  void addConv(const OnnxNode &node);
  void addConvTranspose(const OnnxNode &node);
  void addMaxPool(const OnnxNode &node);
  void addAveragePool(const OnnxNode &node);
  void addGlobalPool(const OnnxNode &node);
  void addGlobalMean(const OnnxNode &node, bool keepDims);
  const KnownTensor &needNumbers(const OnnxNode &node, int input);
  void addResize(const OnnxNode &node);

  // Views by places (OnnxStrided.cpp).
  bool matchStridedAxis(const std::string &name, StridedView &found) const;
  void matchStrided(int gather);
  Dim needInteger(const OnnxNode &node, const std::string &name);
  void addStridedView(const OnnxNode &node, const StridedView &found);

  // Normalisation in groups of channels (OnnxGroupNorm.cpp).
  std::string withoutIdentity(std::string name) const;
  void matchGroupNorm(int instance);
  std::optional<int> scaledBy(const std::string &value, const std::string &op, std::string &other) const;
  std::string channelVector(const OnnxNode &node, const std::string &name, const std::string &role);
  void addGroupNorm(const OnnxNode &node);
  void addInstanceNorm(const OnnxNode &node);
  void addGroupNormPattern(const OnnxNode &node, const GroupNormPattern &found);

  void addUnary(const OnnxNode &node);
  void addGelu(const OnnxNode &node);
  void addAdd(const OnnxNode &node);
  void addSub(const OnnxNode &node);
  void addMul(const OnnxNode &node);
  void addNeg(const OnnxNode &node);
  void addBatchNorm(const OnnxNode &node);
  void addLayerNorm(const OnnxNode &node);
  void addDropout(const OnnxNode &node);
  void addConstant(const OnnxNode &node);
  void addIdentity(const OnnxNode &node);
  void addFlatten(const OnnxNode &node);
  void addReshape(const OnnxNode &node);
  void addSqueeze(const OnnxNode &node);
  void addUnsqueeze(const OnnxNode &node);
  void addTranspose(const OnnxNode &node);
  void addSplit(const OnnxNode &node);
  void addSplitToSequence(const OnnxNode &node);
  void addSequenceAt(const OnnxNode &node);
  void addConcat(const OnnxNode &node);
  void addFoldOnly(const OnnxNode &node);

  // Functions, comparisons, choices, casts (OnnxElementwise.cpp).
  static void addElementwise(std::map<std::string, Handler> &table);
  std::optional<double> numberIn(const std::string &name, const Place &place);
  std::string numbersOf(const std::string &name, const Place &place);
  std::string truthOf(const std::string &name, const Place &place);
  void addFunction(const OnnxNode &node);
  void addClip(const OnnxNode &node);
  void addPRelu(const OnnxNode &node);
  void addOfMany(const OnnxNode &node);
  void addDiv(const OnnxNode &node);
  void addPow(const OnnxNode &node);
  void addCompare(const OnnxNode &node);
  void addNot(const OnnxNode &node);
  void addWhere(const OnnxNode &node);
  void addCast(const OnnxNode &node);

  // Reductions and softmax (OnnxReductions.cpp).
  static void addReductions(std::map<std::string, Handler> &table);
  std::string addStep(const OnnxNode &node, const std::string &op, std::vector<std::string> inputs,
                      Attributes attributes, bool last);
  std::vector<int64_t> reducedAxes(const OnnxNode &node, size_t rank);
  void addReduceMean(const OnnxNode &node);
  void addReduction(const OnnxNode &node);
  void addReduceLogSumExp(const OnnxNode &node);
  void addSoftmax(const OnnxNode &node);

  // Matrix products (OnnxProducts.cpp).
  std::string scaled(const OnnxNode &node, const std::string &value, double factor);
  std::string reshaped(const OnnxNode &node, const std::string &value, const Shape &shape);
  std::string withLead(const OnnxNode &node, const std::string &value, const Shape &lead);
  void broadcastProduct(const OnnxNode &node, std::string &a, std::string &b);
  void addGemm(const OnnxNode &node);
  void addMatMul(const OnnxNode &node);

  // Parts, repetition, padding (OnnxParts.cpp).
  static void addParts(std::map<std::string, Handler> &table);
  void takePart(const OnnxNode &node, const std::string &x, const SliceRange &range,
                const std::string &result);
  void gatherKnown(const OnnxNode &node, const std::string &x, size_t axis,
                   const std::vector<int64_t> &indices, const Shape &places);
  void gatherRepeated(const OnnxNode &node, const Repeated &ids);
  void lookUp(const OnnxNode &node, const std::string &table, const std::string &ids, const Shape &places,
              const std::string &result);
  std::pair<std::vector<int64_t>, std::vector<int64_t>> padCounts(const OnnxNode &node, size_t rank);
  std::string padDimension(const OnnxNode &node, const std::string &x, const std::string &mode, size_t axis,
                           int64_t before, int64_t after);
  void addSlice(const OnnxNode &node);
  void addGather(const OnnxNode &node);
  void addExpand(const OnnxNode &node);
  void addConstantOfShape(const OnnxNode &node);
  void addTile(const OnnxNode &node);
  void addPad(const OnnxNode &node);
  void addTrilu(const OnnxNode &node);
};

} // namespace halfstep

#endif // HALFSTEP_IMPORT_ONNXIMPORTER_H
