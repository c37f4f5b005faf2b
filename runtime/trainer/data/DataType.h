// Element types of data files and of libraries, and conversions between them.
#ifndef HALFSTEP_RUNTIME_TRAINER_DATA_DATATYPE_H
#define HALFSTEP_RUNTIME_TRAINER_DATA_DATATYPE_H

#include "halfstep/types.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace halfstep {

/// The first seven are hs_dtype's; the others occur in files only.
enum class DataType : int32_t {
  F32 = HS_F32,
  F64 = HS_F64,
  F16 = HS_F16,
  BF16 = HS_BF16,
  I64 = HS_I64,
  I32 = HS_I32,
  U8 = HS_U8,
  I8,
  I16,
  U16,
  U32,
  Bool
};

size_t byteSize(DataType type);
bool isFloat(DataType type);

/// safetensors' name: "F32", "BOOL".
const char *name(DataType type);
/// The type of that name in either case.
std::optional<DataType> dataTypeOf(std::string_view name);

/// One element, from any alignment. Integers beyond 2^53 are rounded.
double loadElement(DataType type, const std::byte *at);

/// Converts `count` elements, rounding to nearest (ties to even); `from` may have any alignment. Returns the
/// index of the first element that cannot be represented (a finite value that overflows, a fraction or an
/// overflow in an integer type), or `count`.
size_t convert(DataType to, std::byte *out, DataType from, const std::byte *in, size_t count);

/// The index of the first NaN or infinity, or `count`.
size_t findNonFinite(DataType type, const std::byte *data, size_t count);

} // namespace halfstep

#endif // HALFSTEP_RUNTIME_TRAINER_DATA_DATATYPE_H
