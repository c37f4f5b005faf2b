// The JSON tree: positions, limits, and what it refuses.
#include "tests/import/Expect.h"

#include "import/JsonTree.h"

namespace halfstep {
namespace {

JsonValue parse(const std::string &text) { return parseJson(text, "m.json"); }

TEST(JsonTree, MembersKnowLineAndColumn) {
  JsonValue root = parse("{\"a\": 1,\n  \"b\\\"\\u00e9\": [{\"x\": true}],\n\n \"c\": \"q\"}");
  EXPECT_EQ(root.at("a").place.toString(), "m.json:1:2");
  EXPECT_EQ(root.members[1].value.place.toString(), "m.json:2:16");
  EXPECT_EQ(root.members[1].value.items[0].place.toString(), "m.json:2:17");
  EXPECT_EQ(root.at("c").place.toString(), "m.json:4:2");
}

TEST(JsonTree, DuplicateKeyIsRefused) {
  expectDiagnostic(ExitCode::BadInput, {"m.json:1:9", "'a' occurs twice"},
                   [] { parse("{\"a\": 1,\"a\": 2}"); });
}

TEST(JsonTree, DepthIsLimited) {
  expectDiagnostic(ExitCode::BadInput, {"nested deeper than 64"}, [] { parse(std::string(100000, '[')); });
}

TEST(JsonTree, NumbersOutOfRangeAreRefused) {
  expectDiagnostic(ExitCode::BadInput, {"m.json:1:"}, [] { parse("{\"a\": 1e999}"); });
  expectDiagnostic(ExitCode::BadInput, {"out of range"}, [] { parse("{\"a\": 9223372036854775808}"); });
  expectDiagnostic(ExitCode::BadInput, {"expected a whole number in [1, 9]"},
                   [] { parse("{\"a\": 99999999999999999999}").at("a").asInteger(1, 9); });
}

TEST(JsonTree, BrokenTextIsRefused) {
  for (const char *text :
       {"", "{\"a\": [1, 2", "{\"a\": 1} x", "{\"a\": \"\\u00\"}", "\xff\xfe{}", "{\"\xff\": 1}"})
    expectDiagnostic(ExitCode::BadInput, {"m.json:1:", "not valid JSON"}, [&] { parse(text); });
}

TEST(JsonTree, WrongKindNamesBoth) {
  expectDiagnostic(ExitCode::BadInput, {"m.json:1:2", "expected a number, got the string 'x'"},
                   [] { parse("{\"a\": \"x\"}").at("a").asNumber(); });
  expectDiagnostic(ExitCode::BadInput, {"unknown key 'b'; known are a"},
                   [] { parse("{\"b\": 1}").allowKeys({"a"}); });
}

} // namespace
} // namespace halfstep
