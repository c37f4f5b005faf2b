// Tokens of PTX text.
#ifndef HALFSTEP_EMULATOR_LEXER_H
#define HALFSTEP_EMULATOR_LEXER_H

#include <string>
#include <vector>

namespace halfstep::emulator {

struct Token {
  enum class Kind { Word, Number, String, Punctuation, End };
  Kind kind = Kind::End;
  std::string text; ///< a word with its dots: "ld.global.b32", ".reg", "%tid.x"; a string without its quotes
  int line = 0;

  bool is(const char *expected) const { return kind != Kind::String && text == expected; }
};

/// All tokens, ended by one of kind End. Throws PtxError.
std::vector<Token> tokenize(const std::string &text);

} // namespace halfstep::emulator

#endif // HALFSTEP_EMULATOR_LEXER_H
