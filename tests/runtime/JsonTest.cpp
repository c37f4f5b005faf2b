// The reader and writer of safetensors headers on their own.
#include "runtime/embedded/json.h"

#include <cstdlib>
#include <gtest/gtest.h>
#include <optional>
#include <string>

namespace {

std::optional<std::string> readString(std::string text, size_t capacity = 64) {
  hs_json json = {text.data(), text.data() + text.size()};
  std::string out(capacity, 'x');
  if (!hs_json_string(&json, out.data(), capacity) || !hs_json_finished(&json))
    return std::nullopt;
  return out.c_str();
}

std::optional<int64_t> readSize(std::string text) {
  hs_json json = {text.data(), text.data() + text.size()};
  int64_t out = 0;
  if (!hs_json_size(&json, &out) || !hs_json_finished(&json))
    return std::nullopt;
  return out;
}

TEST(Json, DecodesStrings) {
  EXPECT_EQ(readString(R"( "a b" )"), "a b");
  EXPECT_EQ(readString(R"("\"\\\/\b\f\n\r\t")"), "\"\\/\b\f\n\r\t");
  EXPECT_EQ(readString(R"("\u0041\u00e9\u20ac\ud83d\ude00")"), "Aé€😀");
  EXPECT_EQ(readString("\"é€😀\""), "é€😀");
}

TEST(Json, RefusesMalformedStrings) {
  for (const char *text :
       {"", "a", "\"", "\"a", "\"\\\"", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\\u0000\"", "\"\\ud800\"",
        "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"\n\"", "\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"",
        "\"\xf4\x90\x80\x80\"", "\"\xe2\x82\""})
    EXPECT_EQ(readString(text), std::nullopt) << text;
}

TEST(Json, AStringThatDoesNotFitIsRefused) {
  EXPECT_EQ(readString("\"abc\"", 4), "abc");
  EXPECT_EQ(readString("\"abc\"", 3), std::nullopt);
  EXPECT_EQ(readString("\"\\u20ac\"", 3), std::nullopt);
  EXPECT_EQ(readString("\"\"", 1), "");
}

TEST(Json, ReadsWholeNumbersUpToTheLargest) {
  EXPECT_EQ(readSize("0"), 0);
  EXPECT_EQ(readSize(" 9223372036854775807 "), INT64_MAX);
  for (const char *text :
       {"", "-1", "+1", "01", "1.0", "1e3", "9223372036854775808", "99999999999999999999999", "x"})
    EXPECT_EQ(readSize(text), std::nullopt) << text;
  uint64_t value = 0;
  EXPECT_TRUE(hs_decimal("18446744073709551615", UINT64_MAX, &value));
  EXPECT_EQ(value, UINT64_MAX);
  EXPECT_FALSE(hs_decimal("18446744073709551616", UINT64_MAX, &value));
  EXPECT_FALSE(hs_decimal("12 ", UINT64_MAX, &value));
}

TEST(Json, WhatIsWrittenIsReadBack) {
  const std::string strange = "quote\" back\\slash \x01\n\t é😀";
  hs_text text = {};
  hs_text_add_string(&text, "p.", strange.c_str());
  ASSERT_FALSE(text.failed);
  EXPECT_EQ(readString(std::string(text.data, text.size)), "p." + strange);
  free(text.data);
}

} // namespace
