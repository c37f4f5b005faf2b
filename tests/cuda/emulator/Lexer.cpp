// See Lexer.h.
#include "Lexer.h"

#include "Finding.h"

#include <cctype>

namespace halfstep::emulator {
namespace {

class Lexer {
public:
  explicit Lexer(const std::string &text) : text(text) {}

  std::vector<Token> all() {
    std::vector<Token> tokens;
    do {
      skipBlanks();
      tokens.push_back(next());
    } while (tokens.back().kind != Token::Kind::End);
    return tokens;
  }

private:
  char at(size_t ahead = 0) const { return place + ahead < text.size() ? text[place + ahead] : '\0'; }

  void advance() {
    line += at() == '\n';
    ++place;
  }

  bool startsWith(const char *prefix) const { return text.compare(place, 2, prefix) == 0; }

  void skipBlanks() {
    while (place < text.size()) {
      if (std::isspace(static_cast<unsigned char>(at())))
        advance();
      else if (startsWith("//"))
        while (place < text.size() && at() != '\n')
          advance();
      else if (startsWith("/*"))
        skipBlockComment();
      else
        return;
    }
  }

  void skipBlockComment() {
    const int start = line;
    while (!startsWith("*/")) {
      if (place >= text.size())
        throw PtxError(start, "the comment does not end");
      advance();
    }
    place += 2;
  }

  static bool startsWord(char c) {
    return std::isalpha(static_cast<unsigned char>(c)) || c == '_' || c == '$' || c == '%' || c == '.';
  }

  /// "::" joins modifiers such as L2::128B; a single colon ends a label.
  bool continuesWord() const {
    return startsWord(at()) || std::isdigit(static_cast<unsigned char>(at())) || startsWith("::");
  }

  Token next() {
    Token token;
    token.line = line;
    if (place >= text.size())
      return token;
    const char first = at();
    const size_t start = place;
    if (std::isdigit(static_cast<unsigned char>(first))) {
      token.kind = Token::Kind::Number;
      while (std::isalnum(static_cast<unsigned char>(at())) || at() == '.')
        advance();
    } else if (startsWord(first)) {
      token.kind = Token::Kind::Word;
      while (continuesWord())
        place += startsWith("::") ? 2 : 1;
    } else if (first == '"') {
      return quoted(token);
    } else {
      token.kind = Token::Kind::Punctuation;
      advance();
    }
    token.text = text.substr(start, place - start);
    return token;
  }

  Token quoted(Token token) {
    const size_t start = ++place;
    while (at() != '"') {
      if (place >= text.size() || at() == '\n')
        throw PtxError(line, "the string does not end");
      advance();
    }
    token.kind = Token::Kind::String;
    token.text = text.substr(start, place - start);
    ++place;
    return token;
  }

  const std::string &text;
  size_t place = 0;
  int line = 1;
};

} // namespace

std::vector<Token> tokenize(const std::string &text) { return Lexer(text).all(); }

} // namespace halfstep::emulator
