// A PTX module as text structure: what the parser makes and the decoder reads. Names are resolved only for
// registers, since their scopes end with the text.
#ifndef HALFSTEP_EMULATOR_PTX_H
#define HALFSTEP_EMULATOR_PTX_H

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace halfstep::emulator {

enum class Space { Generic, Param, Global, Shared, Local, Const };

struct Operand {
  enum class Kind {
    Register, ///< index
    Literal,  ///< bits
    Special,  ///< name: "%tid.x"
    Symbol,   ///< name: a label or a variable
    Address,  ///< [register index or symbol name, + bits]
    Vector,   ///< {parts}
    Pair,     ///< parts[0]|parts[1]
    Sink      ///< _
  };
  Kind kind = Kind::Sink;
  std::string name;
  int index = -1;       ///< in Kernel::registers; of an address: -1 when its base is a symbol
  uint64_t bits = 0;    ///< of a literal; what an address adds to its base
  char format = 'i';    ///< of a literal: 'i' integer, 'f' bits of a float, 'd' of a double
  bool negated = false; ///< !%p
  std::vector<Operand> parts;
};

struct Instruction {
  int line = 0;              ///< in the PTX text
  std::string source;        ///< "file:line" of the last .loc, or empty
  int guard = -1;            ///< register index of @%p, -1 for none
  bool guardNegated = false; ///< @!%p
  std::string opcode;        ///< with all modifiers: "ld.global.v4.b32"
  std::vector<Operand> operands;
};

struct Register {
  std::string name;
  unsigned bits = 0; ///< 1 for a predicate
};

/// A variable of a state space, or a parameter of a kernel.
struct Variable {
  std::string name;
  Space space = Space::Global;
  uint64_t alignment = 1, bytes = 0;
  uint64_t offset = 0;          ///< in the kernel's parameters, shared or local memory
  bool dynamic = false;         ///< .extern .shared x[]: as long as the launch says
  std::vector<uint8_t> initial; ///< values given in the text; the rest of the variable is zero
};

struct Kernel {
  std::string name;
  std::vector<Variable> parameters, variables; ///< variables: shared and local ones declared inside
  std::vector<Register> registers;
  std::vector<Instruction> instructions;
  std::map<std::string, size_t> labels;             ///< the index of the instruction that follows
  uint64_t requiredThreads = 0, maximumThreads = 0; ///< .reqntid and .maxntid, 0 for none
};

struct PtxModule {
  int version = 0; ///< 70 for 7.0
  int target = 0;  ///< 80 for sm_80
  std::vector<Variable> variables;
  std::vector<Kernel> kernels;
};

/// Throws PtxError for text that is malformed or uses a directive that the emulator does not know.
PtxModule parsePtx(const std::string &text);

} // namespace halfstep::emulator

#endif // HALFSTEP_EMULATOR_PTX_H
