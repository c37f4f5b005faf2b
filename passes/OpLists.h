// Op lists: which ops a precision policy runs in which type, as data.
#ifndef HALFSTEP_PASSES_OPLISTS_H
#define HALFSTEP_PASSES_OPLISTS_H

#include "mlir/Support/LLVM.h"
#include "llvm/ADT/StringRef.h"

#include <optional>

namespace halfstep {

/// What a list says of an op. Specs name them lower, fp32, fp32_out, promote, banned and untouched.
enum class PrecisionClass {
  Lower,    ///< operands are cast to the policy's compute type
  Fp32,     ///< operands are cast to f32
  Fp32Out,  ///< the op reads its operands as they are and gives f32
  Promote,  ///< operands are cast to the widest type among them
  Banned,   ///< an error
  Untouched ///< operands are as they come
};

/// The class of the ops known as `key` (PrecisionClassOpInterface) in the list `list`: cpu, cuda or apex. A
/// key that the list does not name is untouched; a list that does not exist gives nothing.
std::optional<PrecisionClass> lookupPrecisionClass(llvm::StringRef list, llvm::StringRef key);

} // namespace halfstep

#endif // HALFSTEP_PASSES_OPLISTS_H
