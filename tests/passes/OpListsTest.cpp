// The op lists against those of torch 2.13's autocast and of Apex's O1, for every key that an op of nn has.
// op_lists.json holds, for each key and list, the policies of the functions that the op stands for. A
// composite function that has no policy of its own is given by its leaves; its class is that of the last,
// which makes the result.
#include "passes/OpLists.h"

#include "dialect/interfaces/OpInterfaces.h"
#include "dialect/nn/NNDialect.h"

#include "mlir/IR/MLIRContext.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <fstream>
#include <set>

using namespace halfstep;
using enum PrecisionClass;

namespace {

/// Keeps the order of the facts: the last leaf counts.
nlohmann::ordered_json readFacts() {
  std::ifstream file(HALFSTEP_OP_LISTS);
  return nlohmann::ordered_json::parse(file);
}

std::optional<PrecisionClass> classOf(const std::string &policy) {
  static const std::map<std::string, PrecisionClass> classes = {{"lower_precision", Lower},
                                                                {"fp16", Lower},
                                                                {"fp32", Fp32},
                                                                {"fp32_set_opt_dtype", Fp32Out},
                                                                {"promote_widest", Promote},
                                                                {"promote", Promote},
                                                                {"sequence_promote", Promote},
                                                                {"banned", Banned},
                                                                {"fp32_append_dtype", Fp32Out},
                                                                {"untouched", Untouched}};
  auto found = classes.find(policy);
  return found == classes.end() ? std::nullopt : std::optional(found->second);
}

/// The keys of all ops of nn, asked of an op of each kind that has no operands.
std::set<std::string> keysOfOps() {
  mlir::MLIRContext context;
  context.loadDialect<nn::NNDialect>();
  std::set<std::string> keys;
  for (mlir::RegisteredOperationName name : context.getRegisteredOperationsByDialect("nn")) {
    if (!name.hasInterface<PrecisionClassOpInterface>())
      continue;
    mlir::OperationState state(mlir::UnknownLoc::get(&context), name);
    mlir::Operation *op = mlir::Operation::create(state);
    keys.insert(mlir::cast<PrecisionClassOpInterface>(op).getPrecisionKey().str());
    op->destroy();
  }
  return keys;
}

TEST(OpLists, EveryKeyIsAsInTheOriginals) {
  const nlohmann::ordered_json facts = readFacts();
  for (const auto &[key, lists] : facts.items())
    for (const char *list : {"cpu", "cuda", "apex"}) {
      ASSERT_TRUE(lists.contains(list) && !lists[list].empty()) << key << " " << list;
      std::optional<PrecisionClass> expected = classOf(lists[list].back());
      ASSERT_TRUE(expected) << key << " " << list;
      EXPECT_EQ(lookupPrecisionClass(list, key), expected) << key << " " << list;
    }
}

TEST(OpLists, EveryOpsKeyIsCompared) {
  const nlohmann::ordered_json facts = readFacts();
  std::set<std::string> keys = keysOfOps();
  EXPECT_GE(keys.size(), 20u);
  for (const std::string &key : keys)
    EXPECT_TRUE(facts.contains(key)) << key;
}

TEST(OpLists, OtherKeysAndLists) {
  EXPECT_EQ(lookupPrecisionClass("cuda", "no such op"), Untouched);
  EXPECT_FALSE(lookupPrecisionClass("tpu", "matmul"));
}

TEST(OpLists, ClassesHaveOneNameEach) {
  for (PrecisionClass each : {Lower, Fp32, Fp32Out, Promote, Banned, Untouched})
    EXPECT_EQ(parsePrecisionClass(classNameOf(each)), each);
  EXPECT_EQ(classNameOf(Fp32Out), "fp32_out");
  EXPECT_FALSE(parsePrecisionClass("fp8"));
}

TEST(OpLists, NormalisationsThatAPolicyKeeps) {
  EXPECT_TRUE(isKept("batch_norm", "batch_norm"));
  EXPECT_FALSE(isKept("batch_norm", "layer_norm"));
  EXPECT_TRUE(isKept("norms", "batch_norm"));
  EXPECT_TRUE(isKept("norms", "layer_norm"));
  EXPECT_FALSE(isKept("norms", "softmax"));
  EXPECT_FALSE(isKept("", "batch_norm"));
}

} // namespace
