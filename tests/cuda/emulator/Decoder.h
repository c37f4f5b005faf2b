// What the decoders of single instructions use: modifiers, operands as slots, and emission of Ops.
#ifndef HALFSTEP_EMULATOR_DECODER_H
#define HALFSTEP_EMULATOR_DECODER_H

#include "Program.h"

#include <functional>
#include <unordered_map>

namespace halfstep::emulator {

/// The words of an opcode behind its first: they are taken one by one, and what nobody takes is refused.
class Modifiers {
public:
  explicit Modifiers(const std::string &opcode);
  const std::string &first() const { return name; }
  /// True, and takes it, when the opcode has the word.
  bool take(const std::string &word);
  /// Takes the last word: a type, of which bits gets the width.
  std::string takeType(unsigned &bits);
  const std::vector<std::string> &left() const { return words; }

private:
  std::string name;
  std::vector<std::string> words;
};

class Decoder {
public:
  Decoder(const Kernel &kernel, const VariableAddresses &variables);
  Program run();

  // --- for decoders of single instructions ---
  const Instruction &in() const { return *instruction; }
  [[noreturn]] void fail(const std::string &text) const;
  [[noreturn]] void refuse() const { fail("'" + in().opcode + "' is not emulated"); }
  /// Refuses the instruction when it has another number of operands.
  void expectOperands(size_t count) const;

  /// The operand's value, `bits` wide; a register must have this width.
  Slot source(const Operand &operand, unsigned bits);
  Slot result(const Operand &operand, unsigned bits);
  /// The same, for the instructions whose operands may lie in wider registers.
  Slot narrowedSource(const Operand &operand, unsigned bits);
  Slot widenedResult(const Operand &operand, unsigned bits, bool isSigned);
  Slot temporary(unsigned bits);
  Slot constant(uint64_t value, unsigned bits);
  /// Base and offset of an address operand: a 64-bit register, a 32-bit one, or a constant.
  struct Address {
    Slot base;
    unsigned bits;
    int64_t offset;
  };
  Address address(const Operand &operand);
  const Variable *findVariable(const std::string &name) const;
  uint32_t label(const Operand &operand) const;

  Op &emit(Op::Run run);
  Detail &detail(Op &op);

private:
  void decodeInstruction();
  void finish();
  Slot slotOf(int registerIndex);
  Slot allocate(unsigned bits);
  uint64_t variableAddress(const std::string &name) const;
  bool lanewise();

  const Kernel &kernel;
  const VariableAddresses &variables;
  Program program;
  const Instruction *instruction = nullptr;
  std::vector<Slot> registers;
  std::map<std::pair<uint64_t, unsigned>, Slot> constants;
  std::map<std::string, Variable> locals; ///< the kernel's shared and local variables, with offsets
  std::vector<uint32_t> firstOp;          ///< an instruction
  struct Widening {
    Slot from, to;
    unsigned fromBits, toBits;
    bool isSigned;
  };
  std::vector<Widening> widenings; ///< to emit behind the current instruction
};

/// A decoder of one opcode family, by the opcode's first word.
using InstructionDecoder = void (*)(Decoder &, Modifiers &);
using InstructionDecoders = std::unordered_map<std::string, InstructionDecoder>;
void addMemoryDecoders(InstructionDecoders &decoders);
void addAsyncCopyDecoders(InstructionDecoders &decoders);
void addControlDecoders(InstructionDecoders &decoders);
void addMoveDecoders(InstructionDecoders &decoders);
void addMatrixDecoders(InstructionDecoders &decoders);

} // namespace halfstep::emulator

#endif // HALFSTEP_EMULATOR_DECODER_H
