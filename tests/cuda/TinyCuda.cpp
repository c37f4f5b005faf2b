// See TinyCuda.h.
#include "TinyCuda.h"

#include <string>

namespace halfstep::test {
namespace {

// Places in the arena.
enum : int64_t {
  LR = 0,
  FOUND = 12,
  LOSS = 24,
  WEIGHT = 256,
  STATE_END = 320,
  OUT = 320,
  X = 512,
  Y = 768,
  ZERO = 960, // the arena is zero where nothing writes
  END = 1024
};

/// Parameters p0, p1, ... are in %p0, %p1, ...; only thread 0 goes on when `single`; it finds the batch in
/// %n.
std::string kernel(const char *name, int parameters, bool single, const std::string &body) {
  std::string head = std::string(".visible .entry ") + name + "(", loads;
  for (int i = 0; i < parameters; ++i) {
    const std::string parameter = std::string(name) + "_" + std::to_string(i);
    head += (i ? ", " : "") + (".param .u64 " + parameter);
    loads += "ld.param.u64 %p" + std::to_string(i) + ", [" + parameter + "];\n";
  }
  return head +
         ")\n{\n.reg .b64 %p<5>, %q<3>;\n.reg .b32 %r<5>, %t, %n;\n.reg .f32 %f<6>;\n.reg .f64 %d;\n.reg "
         ".pred %c<3>;\n" +
         loads + "mov.u32 %t, %tid.x;\nmov.u32 %n, %ntid.x;\nmul.wide.u32 %q0, %t, 4;\n" +
         (single ? "setp.ne.u32 %c0, %t, 0;\n@%c0 bra $end;\n" : "") + body + "$end:\nret;\n}\n";
}

std::string module(const std::string &loss) {
  return ".version 7.0\n.target sm_80\n.address_size 64\n" +
         kernel("forward", 3, false, // w, x, out
                "ld.global.f32 %f0, [%p0];\nadd.s64 %q1, %p1, %q0;\nld.global.f32 %f1, [%q1];\n"
                "mul.rn.f32 %f1, %f1, %f0;\nadd.s64 %q1, %p2, %q0;\nst.global.f32 [%q1], %f1;\n") +
         kernel("loss", 4, true, loss) + // out, y, loss, a place that nothing writes
         kernel("train", 4, true,        // w, x, lr, found
                "ld.global.f32 %f0, [%p1];\ntestp.finite.f32 %c1, %f0;\n@%c1 bra $sum;\nmov.u32 %r0, 1;\n"
                "st.global.u32 [%p3], %r0;\nbra $end;\n$sum:\nmov.f32 %f1, 0f00000000;\nmov.u32 %r0, "
                "0;\n$loop:\n"
                "ld.global.f32 %f0, [%p1];\nadd.rn.f32 %f1, %f1, %f0;\nadd.s64 %p1, %p1, 4;\nadd.u32 %r0, "
                "%r0, 1;\n"
                "setp.lt.u32 %c2, %r0, %n;\n@%c2 bra $loop;\nld.global.f32 %f2, [%p2];\nneg.f32 %f2, %f2;\n"
                "ld.global.f32 %f3, [%p0];\nfma.rn.f32 %f3, %f2, %f1, %f3;\nst.global.f32 [%p0], %f3;\n");
}

const std::string kLoss =
    "ld.global.f32 %f1, [%p3];\nmov.u32 %r0, 0;\n$loop:\nld.global.f32 %f0, [%p0];\n"
    "ld.global.f32 %f2, [%p1];\nsub.rn.f32 %f0, %f0, %f2;\nadd.rn.f32 %f1, %f1, %f0;\n"
    "add.s64 %p0, %p0, 4;\nadd.s64 %p1, %p1, 4;\nadd.u32 %r0, %r0, 1;\n"
    "setp.lt.u32 %c2, %r0, %n;\n@%c2 bra $loop;\ncvt.f64.f32 %d, %f1;\nst.global.f64 [%p2], %d;\n";

const std::string text = module(kLoss),
                  behind = module("mov.f32 %f0, 0f00000000;\nst.global.f32 [%p0+4096], %f0;\n");
const char malformed[] =
    ".version 7.0\n.target sm_80\n.address_size 64\n.visible .entry forward() { hello; }\n";
const char cubin[] = "\177ELF";

const hs_cuda_kernel kernels[] = {{"forward", 0, 0}, {"loss", 0, 0}, {"train", 0, 0}};
const int64_t forwardArguments[] = {WEIGHT, X, OUT}, lossArguments[] = {OUT, Y, LOSS, ZERO},
              trainArguments[] = {WEIGHT, X, LR, FOUND}, inputOffset[] = {X}, targetOffset[] = {Y},
              outputOffset[] = {OUT};

struct Launches {
  hs_cuda_launch forward, loss, train;
};
constexpr Launches launches(uint32_t n) {
  return {{0, {1, 1, 1}, {n, 1, 1}, 0, 3, forwardArguments},
          {1, {1, 1, 1}, {n, 1, 1}, 0, 4, lossArguments},
          {2, {1, 1, 1}, {n, 1, 1}, 0, 4, trainArguments}};
}
const Launches all = launches(TINY_BATCH), few = launches(TINY_SMALL_BATCH);

/// forward, loss and train lie behind each other, so each kind of step is a prefix of them.
hs_cuda_variant variant(int64_t batch, const Launches &of) {
  return {batch,       {3, &of.forward}, {2, &of.forward}, {1, &of.forward},
          inputOffset, targetOffset,     outputOffset,     outputOffset};
}
const hs_cuda_variant cudaVariants[] = {variant(TINY_BATCH, all), variant(TINY_SMALL_BATCH, few)};

template <size_t count>
hs_cuda_model cudaModel(const hs_cuda_image (&images)[count]) {
  return {count, images, 3, kernels, 2, cudaVariants, END};
}
const hs_cuda_image ptx = {0, 80, text.c_str(), text.size() + 1};
const hs_cuda_image onlyPtx[] = {ptx}, cubinFirst[] = {{80, 80, cubin, sizeof cubin}, ptx},
                    onlyCubin[] = {{90, 90, cubin, sizeof cubin}},
                    malformedPtx[] = {{0, 80, malformed, sizeof malformed}},
                    behindPtx[] = {{0, 80, behind.c_str(), behind.size() + 1}};
const hs_cuda_model cuda = cudaModel(onlyPtx), cudaCubin = cudaModel(cubinFirst),
                    cudaOnlyCubin = cudaModel(onlyCubin), cudaMalformed = cudaModel(malformedPtx),
                    cudaFaulty = cudaModel(behindPtx);

const int64_t shape[] = {TINY_BATCH}, weightShape[] = {1};
const hs_param_desc params[] = {{{sizeof(hs_param_info), "w", HS_F32, 1, weightShape, 1, HS_PARAMETER},
                                 WEIGHT,
                                 -1,
                                 -1,
                                 HS_F32,
                                 {-1, -1},
                                 HS_F32,
                                 HS_INIT_CONSTANT,
                                 0.5,
                                 0,
                                 nullptr}};
const hs_tensor_desc inputs[] = {{"x", HS_F32, 1, shape, 0, 1}}, targets[] = {{"y", HS_F32, 1, shape, 0, 1}},
                     outputs[] = {{"out", HS_F32, 1, shape, 0, 1}};
const hs_variant_desc variants[] = {
    {TINY_BATCH, {}, {}, {}, outputOffset, outputOffset, 0, nullptr},
    {TINY_SMALL_BATCH, {}, {}, {}, outputOffset, outputOffset, 0, nullptr},
};

hs_model model(const hs_cuda_model &device) {
  hs_model made = {};
  made.abi = HS_ABI;
  made.name = "tiny";
  made.precision = "32-true";
  made.recipe_sha256 = "00000000000000000000000000000000000000000000000000000000deadbeef";
  made.state_bytes = STATE_END;
  made.arena_bytes = END;
  made.param_count = 1;
  made.params = params;
  made.input_count = made.target_count = made.output_count = 1;
  made.inputs = inputs;
  made.targets = targets;
  made.outputs = outputs;
  made.variant_count = 2;
  made.variants = variants;
  made.lr = 0.125f;
  made.loss_scale = 1;
  made.growth = 2;
  made.backoff = 0.5;
  made.growth_interval = 2000;
  made.cuda = &device;
  made.device_ops = &hs_cuda_device_ops;
  return made;
}

} // namespace

const hs_model tinyCuda = model(cuda), tinyCudaWithCubin = model(cudaCubin),
               tinyCudaOnlyCubin = model(cudaOnlyCubin), tinyCudaMalformed = model(cudaMalformed),
               tinyCudaFaulty = model(cudaFaulty);

} // namespace halfstep::test
