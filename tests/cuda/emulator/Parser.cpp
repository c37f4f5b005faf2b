// PTX text to PtxModule: directives, declarations and the shape of instructions. What an instruction means is
// the decoder's. Syntax after the PTX ISA description, chapters 4 and 5.
#include "Finding.h"
#include "TokenCursor.h"

#include <set>

namespace halfstep::emulator {
namespace {

const std::map<std::string, Space> kSpaces = {{".global", Space::Global},
                                              {".shared", Space::Shared},
                                              {".local", Space::Local},
                                              {".const", Space::Const},
                                              {".param", Space::Param}};

/// Bits of a fundamental type ".b32", 0 if the word is none.
unsigned typeBits(const std::string &word) {
  if (word == ".pred")
    return 1;
  static const std::set<std::string> sizes = {"8", "16", "32", "64"};
  if (word.size() < 3 || std::string("busf").find(word[1]) == std::string::npos ||
      !sizes.count(word.substr(2)))
    return 0;
  return static_cast<unsigned>(std::stoul(word.substr(2)));
}

class Parser : TokenCursor {
public:
  explicit Parser(const std::string &text) : TokenCursor(text) {}

  PtxModule module() {
    while (peek().kind != Token::Kind::End)
      moduleDirective();
    return std::move(result);
  }

private:
  // --- the module ---
  void moduleDirective() {
    const std::string directive = word();
    if (directive == ".version")
      result.version = static_cast<int>(std::strtod(take().text.c_str(), nullptr) * 10 + 0.5);
    else if (directive == ".target")
      target();
    else if (directive == ".address_size")
      addressSize();
    else if (directive == ".file")
      file();
    else if (directive == ".entry")
      kernel();
    else if (directive == ".section")
      section();
    else if (kSpaces.count(directive))
      result.variables.push_back(variable(kSpaces.at(directive)));
    else if (directive == ".extern")
      external = true;
    else if (directive != ".visible" && directive != ".weak")
      fail("'" + directive + "' is not emulated");
  }

  void target() {
    const std::string chip = word();
    if (chip.rfind("sm_", 0) != 0)
      fail("got '" + chip + "', expected sm_NN");
    result.target = std::atoi(chip.c_str() + 3);
    while (accept(","))
      word(); // "debug"
  }

  void addressSize() {
    if (integer() != 64)
      fail("only 64-bit addresses are emulated");
  }

  void file() {
    const uint64_t number = integer();
    files[number] = take().text;
    while (accept(","))
      integer(); // time and size of the file
  }

  void section() {
    word();
    expect("{");
    for (int depth = 1; depth > 0;) {
      if (peek().kind == Token::Kind::End)
        fail("the section does not end");
      const Token &token = take();
      depth += token.is("{") ? 1 : token.is("}") ? -1 : 0;
    }
  }

  // --- variables ---
  /// `.align 16 .b8 name[64] = {...};` after the state space.
  Variable variable(Space space) {
    Variable made;
    made.space = space;
    std::string type = word();
    if (type == ".align") {
      made.alignment = integer();
      type = word();
    }
    const unsigned bits = typeBits(type);
    if (bits < 8)
      fail("got '" + type + "', expected a type");
    made.name = word();
    made.alignment = std::max<uint64_t>(made.alignment, bits / 8);
    made.bytes = bits / 8;
    while (accept("[")) {
      made.dynamic = peek().is("]");
      made.bytes *= made.dynamic ? 0 : integer();
      expect("]");
    }
    if (external && !(made.dynamic && space == Space::Shared))
      fail("'" + made.name + "' is external: only dynamic shared memory can be");
    external = false;
    if (accept("="))
      initial(made, bits / 8);
    expect(";");
    return made;
  }

  void initial(Variable &made, unsigned bytes) {
    const bool braces = accept("{");
    do {
      const bool negative = accept("-");
      uint64_t value = literal().bits;
      value = negative ? -value : value;
      for (unsigned i = 0; i < bytes; ++i)
        made.initial.push_back(static_cast<uint8_t>(value >> (8 * i)));
    } while (braces && accept(","));
    if (braces)
      expect("}");
    if (made.initial.size() > made.bytes)
      fail("'" + made.name + "' has more values than elements");
  }

  // --- kernels ---
  void kernel() {
    Kernel made;
    made.name = word();
    current = &made;
    scopes.assign(1, {});
    expect("(");
    while (!accept(")")) {
      parameter();
      if (!peek().is(")"))
        expect(",");
    }
    while (!peek().is("{"))
      performanceDirective();
    source.clear();
    body();
    result.kernels.push_back(std::move(made));
  }

  void parameter() {
    expect(".param");
    Variable made;
    made.space = Space::Param;
    std::string type = word();
    if (type == ".align") {
      made.alignment = integer();
      type = word();
    }
    made.bytes = typeBits(type) / 8;
    if (accept(".ptr")) // attributes of what it points to
      while (kSpaces.count(peek().text) || peek().is(".align"))
        if (take().is(".align"))
          integer();
    made.name = word();
    if (accept("[")) {
      made.bytes *= integer();
      expect("]");
    }
    if (made.bytes == 0)
      fail("parameter '" + made.name + "' has no size");
    made.alignment = std::max<uint64_t>(made.alignment, typeBits(type) / 8);
    std::vector<Variable> &all = current->parameters;
    const uint64_t end = all.empty() ? 0 : all.back().offset + all.back().bytes;
    made.offset = (end + made.alignment - 1) / made.alignment * made.alignment;
    all.push_back(made);
  }

  void performanceDirective() {
    const std::string directive = word();
    uint64_t threads = integer();
    while (accept(","))
      threads *= integer();
    if (directive == ".reqntid")
      current->requiredThreads = threads;
    else if (directive == ".maxntid")
      current->maximumThreads = threads;
    else if (directive != ".minnctapersm" && directive != ".maxnreg")
      fail("'" + directive + "' is not emulated");
  }

  void body() {
    expect("{");
    size_t depth = 1;
    while (depth > 0) {
      if (peek().kind == Token::Kind::End)
        fail("kernel '" + current->name + "' does not end");
      if (accept("{")) {
        scopes.emplace_back();
        ++depth;
      } else if (accept("}")) {
        scopes.pop_back();
        --depth;
      } else {
        statement();
      }
    }
  }

  void statement() {
    if (peek(1).is(":")) {
      current->labels[take().text] = current->instructions.size();
      take();
    } else if (accept(".reg")) {
      registers();
    } else if (accept(".loc")) {
      location();
    } else if (accept(".pragma")) {
      take();
      expect(";");
    } else if (kSpaces.count(peek().text)) {
      current->variables.push_back(variable(kSpaces.at(word())));
    } else if (peek().text[0] == '.') {
      fail("'" + peek().text + "' is not emulated");
    } else {
      instruction();
    }
  }

  void location() {
    const int line = peek().line;
    const std::string name = files[integer()];
    source = name + ":" + std::to_string(integer());
    if (peek().line == line)
      skipLine();
  }

  void registers() {
    const unsigned bits = typeBits(word());
    if (bits == 0)
      fail("a register's type is not emulated");
    do {
      const std::string name = word();
      if (!accept("<")) {
        declare(name, bits);
        continue;
      }
      const uint64_t count = integer();
      expect(">");
      for (uint64_t i = 0; i < count; ++i)
        declare(name + std::to_string(i), bits);
    } while (accept(","));
    expect(";");
  }

  void declare(const std::string &name, unsigned bits) {
    scopes.back()[name] = static_cast<int>(current->registers.size());
    current->registers.push_back({name, bits});
  }

  int findRegister(const std::string &name) const {
    for (auto scope = scopes.rbegin(); scope != scopes.rend(); ++scope)
      if (auto found = scope->find(name); found != scope->end())
        return found->second;
    return -1;
  }

  // --- instructions ---
  void instruction() {
    Instruction made;
    made.line = peek().line;
    made.source = source;
    if (accept("@")) {
      made.guardNegated = accept("!");
      made.guard = registerIndex();
    }
    made.opcode = word();
    while (!peek().is(";")) {
      made.operands.push_back(operand());
      if (!peek().is(";"))
        expect(",");
    }
    expect(";");
    current->instructions.push_back(std::move(made));
  }

  int registerIndex() {
    const std::string name = word();
    const int index = findRegister(name);
    if (index < 0)
      fail("register '" + name + "' is not declared");
    return index;
  }

  Operand operand() {
    Operand made = simpleOperand();
    if (!accept("|"))
      return made;
    Operand pair;
    pair.kind = Operand::Kind::Pair;
    pair.parts = {made, simpleOperand()};
    return pair;
  }

  Operand simpleOperand() {
    if (peek().is("["))
      return address();
    if (peek().is("{"))
      return vector();
    if (peek().kind == Token::Kind::Number || peek().is("-"))
      return signedLiteral();
    Operand made;
    made.negated = accept("!");
    made.name = word();
    made.index = findRegister(made.name);
    if (made.name == "_")
      made.kind = Operand::Kind::Sink;
    else if (made.index >= 0)
      made.kind = Operand::Kind::Register;
    else
      made.kind = made.name[0] == '%' ? Operand::Kind::Special : Operand::Kind::Symbol;
    return made;
  }

  /// [base], [base+4], [base+-4], [base-4]; the base is a register or a variable.
  Operand address() {
    Operand made;
    made.kind = Operand::Kind::Address;
    expect("[");
    made.name = word();
    made.index = findRegister(made.name);
    if (made.index < 0 && made.name[0] == '%')
      fail("register '" + made.name + "' is not declared");
    bool negative = peek().is("-");
    if (accept("+") || accept("-")) {
      negative ^= accept("-");
      made.bits = integer();
      made.bits = negative ? -made.bits : made.bits;
    }
    expect("]");
    return made;
  }

  Operand vector() {
    Operand made;
    made.kind = Operand::Kind::Vector;
    expect("{");
    do
      made.parts.push_back(simpleOperand());
    while (accept(","));
    expect("}");
    return made;
  }

  PtxModule result;
  Kernel *current = nullptr;
  std::vector<std::map<std::string, int>> scopes; ///< registers by name, innermost last
  std::map<uint64_t, std::string> files;
  std::string source; ///< of the last .loc
  bool external = false;
};

} // namespace

PtxModule parsePtx(const std::string &text) { return Parser(text).module(); }

} // namespace halfstep::emulator
