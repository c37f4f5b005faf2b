// See Decoder.h. Lanewise instructions are found by their full text; the others by their first word, and
// their decoders refuse modifiers that they do not know.
#include "Decoder.h"

#include "Finding.h"
#include "Lanewise.h"

#include <algorithm>
#include <set>

namespace halfstep::emulator {

Modifiers::Modifiers(const std::string &opcode) {
  size_t start = 0;
  for (size_t end; start <= opcode.size(); start = end + 1) {
    end = std::min(opcode.find('.', start), opcode.size());
    words.push_back(opcode.substr(start, end - start));
  }
  name = words.front();
  words.erase(words.begin());
}

bool Modifiers::take(const std::string &word) {
  auto found = std::find(words.begin(), words.end(), word);
  if (found == words.end())
    return false;
  words.erase(found);
  return true;
}

std::string Modifiers::takeType(unsigned &bits) {
  if (words.empty())
    return "";
  std::string type = words.back();
  words.pop_back();
  const std::string digits = type.substr(std::min(type.find_first_of("0123456789"), type.size()));
  bits = type == "pred" ? 1 : digits.empty() ? 0 : static_cast<unsigned>(std::stoul(digits));
  return type;
}

static const LaneOps &laneOps() {
  static const LaneOps all = [] {
    LaneOps ops;
    addIntegerOps(ops);
    addFloatOps(ops);
    addHalfOps(ops);
    addComparisons(ops);
    addConversions(ops);
    return ops;
  }();
  return all;
}

static const InstructionDecoders &instructionDecoders() {
  static const InstructionDecoders all = [] {
    InstructionDecoders decoders;
    addMemoryDecoders(decoders);
    addAsyncCopyDecoders(decoders);
    addControlDecoders(decoders);
    addMoveDecoders(decoders);
    addMatrixDecoders(decoders);
    return decoders;
  }();
  return all;
}

Decoder::Decoder(const Kernel &kernel, const VariableAddresses &variables)
    : kernel(kernel), variables(variables) {}

void Decoder::fail(const std::string &text) const {
  throw PtxError(instruction ? instruction->line : 0, text + ", in kernel '" + kernel.name + "'");
}

void Decoder::expectOperands(size_t count) const {
  if (in().operands.size() != count)
    fail("'" + in().opcode + "' has " + std::to_string(in().operands.size()) + " operands, expected " +
         std::to_string(count));
}

// --- slots ---

Slot Decoder::allocate(unsigned bits) {
  // A cache line or more each; a predicate is one word.
  const uint32_t bytes = bits == 1 ? 64 : std::max<uint32_t>(bits / 8 * kLanes, 64);
  const Slot slot{program.slotBytes, program.slotCount++};
  program.slotBytes += bytes;
  return slot;
}

Slot Decoder::temporary(unsigned bits) { return allocate(bits); }

Slot Decoder::slotOf(int registerIndex) {
  Slot &slot = registers[static_cast<size_t>(registerIndex)];
  if (slot.index == 0)
    slot = allocate(kernel.registers[static_cast<size_t>(registerIndex)].bits);
  return slot;
}

Slot Decoder::constant(uint64_t value, unsigned bits) {
  auto [found, isNew] = constants.try_emplace({value, bits});
  if (isNew) {
    found->second = {program.slotBytes, 0};
    program.slotBytes += std::max<uint32_t>(bits / 8 * kLanes, 64);
    program.constants.push_back({found->second, bits, value});
  }
  return found->second;
}

Slot Decoder::source(const Operand &operand, unsigned bits) {
  switch (operand.kind) {
  case Operand::Kind::Register: {
    const unsigned width = kernel.registers[static_cast<size_t>(operand.index)].bits;
    if (width != bits)
      fail("'" + in().opcode + "' reads the " + std::to_string(width) + "-bit register '" + operand.name +
           "'");
    return slotOf(operand.index);
  }
  case Operand::Kind::Literal:
    if ((operand.format == 'f' && bits != 32) || (operand.format == 'd' && bits != 64))
      fail("'" + in().opcode + "' cannot take this literal");
    return constant(bits == 64 ? operand.bits : operand.bits & ((uint64_t(1) << bits) - 1), bits);
  case Operand::Kind::Special: {
    static const std::set<std::string> known = {"%tid.x",    "%tid.y",    "%tid.z",   "%ntid.x",  "%ntid.y",
                                                "%ntid.z",   "%ctaid.x",  "%ctaid.y", "%ctaid.z", "%nctaid.x",
                                                "%nctaid.y", "%nctaid.z", "%laneid"};
    if (bits != 32 || !known.count(operand.name))
      fail("'" + operand.name + "' is not emulated");
    auto [found, isNew] = program.specials.try_emplace(operand.name);
    if (isNew) {
      found->second = {program.slotBytes, 0};
      program.slotBytes += 4 * kLanes;
    }
    return found->second;
  }
  case Operand::Kind::Symbol:
    return constant(variableAddress(operand.name), bits);
  default:
    fail("'" + in().opcode + "' has an operand of a kind that it cannot read");
  }
}

Slot Decoder::result(const Operand &operand, unsigned bits) {
  if (operand.kind == Operand::Kind::Sink)
    return temporary(bits);
  if (operand.kind != Operand::Kind::Register)
    fail("'" + in().opcode + "' writes something that is not a register");
  return source(operand, bits);
}

/// result = the low or the extended bits of a source.
template <typename To, typename From>
static void resize(Warp &warp, const Op &op, uint32_t mask) {
  To *out = warp.lanes<To>(op.result);
  const From *in = warp.lanes<From>(op.sources[0]);
  for (unsigned lane = 0; lane < kLanes; ++lane)
    if (mask >> lane & 1)
      out[lane] = static_cast<To>(in[lane]);
}

template <typename From>
static Op::Run resizeTo(unsigned bits) {
  return bits == 8    ? resize<uint8_t, From>
         : bits == 16 ? resize<uint16_t, From>
         : bits == 32 ? resize<uint32_t, From>
                      : resize<uint64_t, From>;
}

static Op::Run resizing(unsigned from, unsigned to, bool isSigned) {
  switch (from) {
  case 8:
    return isSigned ? resizeTo<int8_t>(to) : resizeTo<uint8_t>(to);
  case 16:
    return isSigned ? resizeTo<int16_t>(to) : resizeTo<uint16_t>(to);
  case 32:
    return isSigned ? resizeTo<int32_t>(to) : resizeTo<uint32_t>(to);
  default:
    return resizeTo<uint64_t>(to);
  }
}

Slot Decoder::narrowedSource(const Operand &operand, unsigned bits) {
  const unsigned width = operand.kind == Operand::Kind::Register
                             ? kernel.registers[static_cast<size_t>(operand.index)].bits
                             : bits;
  if (width <= bits)
    return source(operand, bits);
  const Slot from = source(operand, width), to = temporary(bits);
  Op &op = emit(resizing(width, bits, false));
  op.result = to;
  op.sources[0] = from;
  return to;
}

Slot Decoder::widenedResult(const Operand &operand, unsigned bits, bool isSigned) {
  if (operand.kind != Operand::Kind::Register)
    return result(operand, bits);
  const unsigned width = kernel.registers[static_cast<size_t>(operand.index)].bits;
  if (width <= bits)
    return result(operand, bits);
  const Slot from = temporary(bits);
  widenings.push_back({from, result(operand, width), bits, width, isSigned});
  return from;
}

// --- addresses ---

const Variable *Decoder::findVariable(const std::string &name) const {
  auto found = locals.find(name);
  return found == locals.end() ? nullptr : &found->second;
}

uint64_t Decoder::variableAddress(const std::string &name) const {
  if (const Variable *variable = findVariable(name))
    return variable->offset;
  auto found = variables.find(name);
  if (found == variables.end())
    fail("'" + name + "' is not declared");
  return found->second;
}

Decoder::Address Decoder::address(const Operand &operand) {
  if (operand.kind != Operand::Kind::Address)
    fail("'" + in().opcode + "' expects an address");
  const auto offset = static_cast<int64_t>(operand.bits);
  if (operand.index < 0)
    return {constant(variableAddress(operand.name), 64), 64, offset};
  const unsigned bits = kernel.registers[static_cast<size_t>(operand.index)].bits;
  if (bits != 32 && bits != 64)
    fail("the address '" + operand.name + "' has neither 32 nor 64 bits");
  return {slotOf(operand.index), bits, offset};
}

uint32_t Decoder::label(const Operand &operand) const {
  auto found = kernel.labels.find(operand.name);
  if (operand.kind != Operand::Kind::Symbol || found == kernel.labels.end())
    fail("label '" + operand.name + "' is not defined");
  return static_cast<uint32_t>(found->second);
}

// --- the program ---

Op &Decoder::emit(Op::Run run) {
  Op op;
  op.run = run;
  op.instruction = static_cast<uint32_t>(instruction - kernel.instructions.data());
  if (instruction->guard >= 0) {
    op.guarded = true;
    op.guardNegated = instruction->guardNegated;
    op.guard = slotOf(instruction->guard);
  }
  program.ops.push_back(op);
  return program.ops.back();
}

Detail &Decoder::detail(Op &op) {
  program.details.emplace_back();
  op.detail = &program.details.back();
  return program.details.back();
}

bool Decoder::lanewise() {
  auto found = laneOps().find(in().opcode);
  if (found == laneOps().end())
    return false;
  const LaneOp &known = found->second;
  expectOperands(1 + known.sourceBits.size());
  Slot sources[3];
  for (size_t i = 0; i < known.sourceBits.size(); ++i) {
    const Operand &operand = in().operands[i + 1];
    sources[i] =
        known.resizes ? narrowedSource(operand, known.sourceBits[i]) : source(operand, known.sourceBits[i]);
  }
  const Operand &target = in().operands[0];
  const Slot out = known.resizes ? widenedResult(target, known.resultBits, known.resultSigned)
                                 : result(target, known.resultBits);
  Op &op = emit(known.run);
  op.result = out;
  std::copy(std::begin(sources), std::end(sources), op.sources.begin());
  return true;
}

void Decoder::decodeInstruction() {
  Modifiers modifiers(in().opcode);
  auto found = instructionDecoders().find(modifiers.first());
  const bool packs = std::any_of(in().operands.begin(), in().operands.end(), [](const Operand &operand) {
    return operand.kind == Operand::Kind::Vector;
  });
  if ((packs && found != instructionDecoders().end()) || !lanewise()) {
    if (found == instructionDecoders().end())
      refuse();
    found->second(*this, modifiers);
    if (!modifiers.left().empty())
      refuse();
  }
  for (const Widening &widening : widenings) {
    Op &op = emit(resizing(widening.fromBits, widening.toBits, widening.isSigned));
    op.result = widening.to;
    op.sources[0] = widening.from;
  }
  widenings.clear();
}

Program Decoder::run() {
  program.kernel = &kernel;
  registers.resize(kernel.registers.size());
  program.slotBytes = 8 * kLanes; // slot 0: what an op without a result or a source names
  for (Variable variable : kernel.variables) {
    uint64_t &end = variable.space == Space::Shared ? program.sharedBytes : program.localBytes;
    end = (end + variable.alignment - 1) / variable.alignment * variable.alignment;
    variable.offset = end;
    end += variable.bytes;
    locals[variable.name] = variable;
  }
  for (const Variable &parameter : kernel.parameters) {
    locals[parameter.name] = parameter;
    program.parameterBytes = parameter.offset + parameter.bytes;
  }
  for (const Instruction &each : kernel.instructions) {
    instruction = &each;
    firstOp.push_back(static_cast<uint32_t>(program.ops.size()));
    decodeInstruction();
  }
  finish();
  return std::move(program);
}

/// Branches were decoded before their targets had a place.
void Decoder::finish() {
  const auto end = static_cast<uint32_t>(program.ops.size());
  for (Op &op : program.ops)
    if (Modifiers(kernel.instructions[op.instruction].opcode).first() == "bra")
      op.immediate = static_cast<size_t>(op.immediate) < firstOp.size()
                         ? firstOp[static_cast<size_t>(op.immediate)]
                         : end;
  if (kernel.instructions.empty())
    fail("the kernel is empty");
  Op last = {};
  last.run = [](Warp &warp, const Op &, uint32_t mask) { warp.exitLanes(mask); };
  last.instruction = static_cast<uint32_t>(kernel.instructions.size() - 1);
  program.ops.push_back(last);
}

Program decode(const Kernel &kernel, const VariableAddresses &variables) {
  return Decoder(kernel, variables).run();
}

} // namespace halfstep::emulator
