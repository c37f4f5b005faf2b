// The contract with the runtime inside a library, as the compiler uses it: it builds constants from these
// structs byte by byte and addresses fields by offset, so their layout on this machine must be that of the
// target.
#ifndef HALFSTEP_CODEGEN_LIBRARY_CONTRACT_H
#define HALFSTEP_CODEGEN_LIBRARY_CONTRACT_H

#include "runtime/embedded/contract.h"

#include <bit>
#include <cstddef>
#include <type_traits>

namespace halfstep {

static_assert(HS_ABI == 3, "the contract changed: check the offsets below");
static_assert(std::endian::native == std::endian::little && sizeof(void *) == 8 && sizeof(size_t) == 8,
              "libraries are made for x86-64, on x86-64");

static_assert(offsetof(hs_scalars, lr) == 0 && offsetof(hs_scalars, loss_scale) == 4);
static_assert(offsetof(hs_scalars, inv_scale) == 8 && offsetof(hs_scalars, found_inf) == 12);
static_assert(offsetof(hs_scalars, grad_sqnorm) == 16 && offsetof(hs_scalars, loss) == 24);
static_assert(offsetof(hs_scalars, update) == 32 && offsetof(hs_scalars, seed) == 40);
static_assert(offsetof(hs_scalars, step) == 48 && offsetof(hs_scalars, clip_norm) == 56);
static_assert(offsetof(hs_scalars, weight) == 64 && offsetof(hs_scalars, weight_sum) == 72);
static_assert(offsetof(hs_scalars, first) == 80 && offsetof(hs_scalars, apply) == 84);
static_assert(offsetof(hs_scalars, guard) == 60 && sizeof(hs_scalars) <= HS_SCALARS_BYTES);

static_assert(offsetof(hs_step_args, arena) == 0 && offsetof(hs_step_args, inputs) == 8);
static_assert(offsetof(hs_step_args, targets) == 16 && offsetof(hs_step_args, parallel_for) == 24);
static_assert(offsetof(hs_step_args, parallel_user) == 32 && offsetof(hs_step_args, primitives) == 40);

static_assert(sizeof(hs_tensor_desc) == 48 && sizeof(hs_param_info) == 48);
static_assert(sizeof(hs_param_desc) == 136 && sizeof(hs_variant_desc) == 88);
static_assert(sizeof(hs_primitive_desc) == 160 && sizeof(hs_model) == 256);
static_assert(std::is_standard_layout_v<hs_model> && std::is_trivially_copyable_v<hs_model>);

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_LIBRARY_CONTRACT_H
