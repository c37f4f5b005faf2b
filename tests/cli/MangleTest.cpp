// Identifiers made from names: injective, valid in C, and unchanged where they can be.
#include "import/Mangle.h"

#include <gtest/gtest.h>

#include <cctype>
#include <map>
#include <string>

using halfstep::mangleIdentifier;

namespace {

TEST(Mangle, OrdinaryNamesStay) {
  for (const char *name : {"digits", "mlp_small", "A1", "model_v2_final", "x", "a__b"})
    EXPECT_EQ(mangleIdentifier(name), name);
}

TEST(Mangle, OtherBytesAreEscaped) {
  EXPECT_EQ(mangleIdentifier("fc1.weight"), "fc1_x2eweight");
  EXPECT_EQ(mangleIdentifier("a_xb"), "a_x5fxb");
  EXPECT_EQ(mangleIdentifier("mlp-small"), "mlp_x2dsmall");
  EXPECT_EQ(mangleIdentifier(std::string("a\0b", 3)), "a_x00b");
}

TEST(Mangle, WhatCannotStandAloneGetsAPrefix) {
  EXPECT_EQ(mangleIdentifier("3d"), "n_x_3d");
  EXPECT_EQ(mangleIdentifier(""), "n_x_");
  EXPECT_EQ(mangleIdentifier("_a"), "n_x__a");
  EXPECT_EQ(mangleIdentifier("int"), "n_x_int");
  EXPECT_EQ(mangleIdentifier("class"), "n_x_class");
  EXPECT_EQ(mangleIdentifier("hs"), "n_x_hs");
  EXPECT_EQ(mangleIdentifier("hs_scaler"), "n_x_hs_scaler");
  EXPECT_EQ(mangleIdentifier("size_t"), "n_x_size_t");
  EXPECT_EQ(mangleIdentifier("m"), "n_x_m");
}

bool isIdentifier(const std::string &text) {
  if (text.empty() || !std::isalpha(static_cast<unsigned char>(text[0])))
    return false;
  for (char c : text)
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '_')
      return false;
  return true;
}

/// All names of up to six letters from an alphabet that exercises every rule, and names around the prefix.
TEST(Mangle, FunctionsOfTheCLibraryAreNotRedefined) {
  for (const char *name : {"timer", "sem", "mtx", "pthread_mutex", "posix_spawnattr"})
    EXPECT_EQ(mangleIdentifier(name), std::string("n_x_") + name);
  EXPECT_EQ(mangleIdentifier("timers"), "timers");
}

TEST(Mangle, InjectiveOverAllShortNames) {
  const std::string alphabet = "_xn25f.";
  std::map<std::string, std::string> seen;
  std::vector<std::string> level = {""};
  for (int length = 0; length <= 6; ++length) {
    std::vector<std::string> next;
    for (const std::string &name : level) {
      std::string mangled = mangleIdentifier(name);
      ASSERT_TRUE(isIdentifier(mangled)) << mangled;
      auto [at, fresh] = seen.emplace(mangled, name);
      ASSERT_TRUE(fresh) << "'" << name << "' and '" << at->second << "' both become " << mangled;
      for (char c : alphabet)
        next.push_back(name + c);
    }
    level = std::move(next);
  }
}

TEST(Mangle, EveryByteGivesAnIdentifierOfItsOwn) {
  std::map<std::string, int> seen;
  for (int byte = 0; byte < 256; ++byte) {
    std::string mangled = mangleIdentifier(std::string(1, char(byte)));
    EXPECT_TRUE(isIdentifier(mangled)) << byte;
    EXPECT_TRUE(seen.emplace(mangled, byte).second) << byte;
  }
}

} // namespace
