// A place in the tokens of PTX text, with what all of its grammar is made of: names, numbers, literals.
#ifndef HALFSTEP_EMULATOR_TOKENCURSOR_H
#define HALFSTEP_EMULATOR_TOKENCURSOR_H

#include "Finding.h"
#include "Lexer.h"
#include "Ptx.h"

#include <algorithm>
#include <cstdlib>

namespace halfstep::emulator {

/// All of it throws PtxError when the text has something else.
class TokenCursor {
protected:
  explicit TokenCursor(const std::string &text) : tokens(tokenize(text)) {}

  const Token &peek(size_t ahead = 0) const { return tokens[std::min(place + ahead, tokens.size() - 1)]; }
  const Token &take() { return tokens[std::min(place++, tokens.size() - 1)]; }
  bool accept(const char *text) { return peek().is(text) && take().is(text); }

  [[noreturn]] void fail(const std::string &text) const { throw PtxError(peek().line, text); }

  void expect(const char *text) {
    if (!accept(text))
      fail("got '" + peek().text + "', expected '" + text + "'");
  }

  std::string word() {
    if (peek().kind != Token::Kind::Word)
      fail("got '" + peek().text + "', expected a name");
    return take().text;
  }

  /// An unsigned integer; its sign is the caller's.
  uint64_t integer() {
    if (peek().kind != Token::Kind::Number)
      fail("got '" + peek().text + "', expected a number");
    const std::string &text = take().text;
    char *end = nullptr;
    uint64_t value = std::strtoull(text.c_str(), &end, 0);
    if (*end && std::string(end) != "U")
      fail("got '" + text + "', expected an integer");
    return value;
  }

  void skipLine() {
    for (int line = peek().line; peek().line == line && peek().kind != Token::Kind::End;)
      take();
  }

  Operand signedLiteral() {
    const bool negative = accept("-");
    Operand made = literal();
    if (negative && made.format != 'i')
      fail("a literal of a float's bits cannot be negative");
    made.bits = negative ? -made.bits : made.bits;
    return made;
  }

  /// 12, 0x1F, 12U, 0f3F800000 or 0d3FF0000000000000.
  Operand literal() {
    Operand made;
    made.kind = Operand::Kind::Literal;
    const std::string text = peek().text;
    const char mark = text.size() > 2 && text[0] == '0' ? static_cast<char>(std::tolower(text[1])) : 'i';
    if (mark != 'f' && mark != 'd') {
      made.bits = integer();
      return made;
    }
    made.format = mark;
    made.bits = std::strtoull(text.c_str() + 2, nullptr, 16);
    take();
    return made;
  }

private:
  std::vector<Token> tokens;
  size_t place = 0;
};

} // namespace halfstep::emulator

#endif // HALFSTEP_EMULATOR_TOKENCURSOR_H
