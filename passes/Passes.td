// The passes of the compiler's middle, in the order of Pipeline.cpp. None has options: what a pass must know is
// in the module's attributes `amp.policy` and `train.optimizer`.

#ifndef HALFSTEP_PASSES
#define HALFSTEP_PASSES

include "mlir/Pass/PassBase.td"

def PlaceCasts : Pass<"place-casts", "::mlir::ModuleOp"> {
  let summary = "cast the operands of the forward graph as the policy says";
  let description = [{
    Each op gets a class. Operands that are floating, not f64, not plain numbers (`nn.constant` of rank 0) and not running
    statistics of a normalisation take part:

    | class | operands become |
    |---|---|
    | `lower` | the policy's `compute` type |
    | `fp32`, `fp32_out` | f32 |
    | `promote` | f32 if one of them is f32, else `compute` |
    | `untouched` | as they are |
    | `banned` | an error |

    The class is the first of: that of the glob in the policy's `layers` that matches the op's layer with most literal
    characters; that of the op's key in `ops`; and then

    - with `casts`, that of the key in the policy's op lists, `untouched` where they do not name it;
    - with `convert`, `lower`: the model is cast as a whole. An op that depends on an `amp.output` is part of the loss
      and runs in the policy's `output` type, or in f32 after an op of the loss that an override puts there. Of a
      normalisation that `keep` names only the data is cast. Where classes follow their operands, parameters and inputs
      count as `compute`;
    - with neither, `untouched`.

    Result types are inferred anew. `amp.output` becomes a cast to `output` with `convert`, and goes away without; such a
    result of the function takes that type, any other is cast back to its declared one, and what is assigned to a
    buffer to the buffer's. All uses of a parameter in a type share one cast, so that its gradient is summed there; so
    do, with `convert`, those of an argument. Uses of any other value have a cast each. An override that matches
    nothing is an error, and so are globs that disagree about a layer with equally many characters.

    ```mlir
    %w = train.read @w : tensor<3x4xf32>
    %y = nn.matmul %x, %w {transpose_b} : (tensor<2x4xf32>, tensor<3x4xf32>) -> tensor<2x3xf32>
    return %y : tensor<2x3xf32>
    ```

    becomes with `compute = bf16`, as a `lower` op

    ```mlir
    %w = train.read @w : tensor<3x4xf32>
    %0 = amp.cast %w : tensor<3x4xf32> to tensor<3x4xbf16>
    %1 = amp.cast %x : tensor<2x4xf32> to tensor<2x4xbf16>
    %y = nn.matmul %1, %0 {transpose_b} : (tensor<2x4xbf16>, tensor<3x4xbf16>) -> tensor<2x3xbf16>
    %2 = amp.cast %y : tensor<2x3xbf16> to tensor<2x3xf32>
    return %2 : tensor<2x3xf32>
    ```
  }];
  let dependentDialects = ["::halfstep::amp::AmpDialect"];
}

def Differentiate : Pass<"differentiate", "::mlir::ModuleOp"> {
  let summary = "build the gradient of the loss in @train_step";
  let description = [{
    Walks @train_step from its loss back to the parameters. Each op's rule (DifferentiableOpInterface) turns the
    gradients of its results into those of its operands, each cast to its operand's type. Several gradients of one value
    are summed: in the value's type, or with the policy's `rounding = "fused"` in f32 with one rounding at the end. The
    walk starts from `amp.loss_seed` and leaves one `train.gradient` a parameter. A parameter that does not reach the
    loss gets a warning and no gradient, so it is not updated. Each op on the way that has no rule is an error, all
    reported in one run.

    ```mlir
    %w = train.read @w : tensor<4xf32>
    %p = nn.mul %x, %w : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    %l = nn.reduce_sum %p {axes = array<i64: 0>} : (tensor<4xf32>) -> tensor<f32>
    return %l : tensor<f32>
    ```

    becomes

    ```mlir
    ...
    %s = amp.loss_seed : tensor<f32>
    %0 = nn.reshape %s {shape = array<i64: 1>} : (tensor<f32>) -> tensor<1xf32>
    %1 = nn.broadcast %0 {shape = array<i64: 4>} : (tensor<1xf32>) -> tensor<4xf32>
    %g = nn.mul %1, %x : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    train.gradient @w, %g : tensor<4xf32>
    return %l : tensor<f32>
    ```
  }];
  let dependentDialects = ["::halfstep::amp::AmpDialect", "::halfstep::nn::NNDialect", "::halfstep::train::TrainDialect"];
}

def ScaleLoss : Pass<"scale-loss", "::mlir::ModuleOp"> {
  let summary = "start the backward pass from the loss scale";
  let description = [{
    Where the policy has a scaler, or a scale other than 1, `amp.loss_seed` gets the step's loss scale; elsewhere it
    becomes the constant 1.

    ```mlir
    %s = amp.loss_seed : tensor<f32>
    ```

    becomes

    ```mlir
    %0 = train.scalar "loss_scale" : tensor<f32>
    %s = amp.loss_seed(%0 : tensor<f32>) : tensor<f32>
    ```

    or

    ```mlir
    %s = nn.constant {value = dense<1.0> : tensor<f32>} : () -> tensor<f32>
    ```
  }];
  let dependentDialects = ["::halfstep::nn::NNDialect", "::halfstep::train::TrainDialect"];
}

def Optimizer : Pass<"optimizer", "::mlir::ModuleOp"> {
  let summary = "turn gradients into one finiteness check and one update";
  let description = [{
    All gradients are checked before any parameter changes: one infinity anywhere skips the step for all. The update is
    the one that `train.optimizer` describes. Buffers are assigned after it, under the same guard.

    ```mlir
    train.assign @m, %m : tensor<4xf32>
    train.gradient @v, %0 : tensor<4xf32>
    train.gradient @w, %1 : tensor<4xf32>
    ```

    becomes

    ```mlir
    %found, %norm = amp.check_finite %0, %1 : tensor<4xf32>, tensor<4xf32> -> tensor<i32>, tensor<f64>
    train.update [@v, @w] gradients(%0, %1 : tensor<4xf32>, tensor<4xf32>) guard(%found : tensor<i32>)
      norm(%norm : tensor<f64>)
      {optimizer = #train.optimizer<kind = "sgd", constants = {momentum = 9.0e-01 : f64}>}
    train.assign @m, %m guard %found : tensor<i32> : tensor<4xf32>
    ```
  }];
  let dependentDialects = ["::halfstep::amp::AmpDialect"];
}

def MinimizeCasts : Pass<"minimize-casts", "::mlir::ModuleOp"> {
  let summary = "remove casts that no result needs";
  let description = [{
    Common subexpressions are merged, which leaves one cast a value and type. The check and the update read
    gradients of any type, so a widening cast before them goes. A widening cast that is narrowed back goes, being exact;
    a narrowing cast that is widened back goes only where the policy's `rounding` is `fused`. An `amp.loss_seed` of a
    scale is a cast of that scale.

    ```mlir
    %0 = amp.cast %g : tensor<4xbf16> to tensor<4xf32>
    %found, %norm = amp.check_finite %0 : tensor<4xf32> -> tensor<i32>, tensor<f64>
    ```

    becomes

    ```mlir
    %found, %norm = amp.check_finite %g : tensor<4xbf16> -> tensor<i32>, tensor<f64>
    ```
  }];
  let dependentDialects = ["::halfstep::amp::AmpDialect"];
}

def Masters : Pass<"masters", "::mlir::ModuleOp"> {
  let summary = "decide how parameters that ops read in low precision are stored";
  let description = [{
    The policy's `masters` says how a parameter is stored whose value is cast to a narrower type.

    `separate`: the parameter stays the master and gets `copy_type`. The optimizer writes that copy in the same pass
    over memory, and the step reads it instead of casting.

    ```mlir
    train.param @w : tensor<3x4xf32> {init = #zero}
    %w = train.read @w : tensor<3x4xf32>
    %0 = amp.cast %w : tensor<3x4xf32> to tensor<3x4xbf16>
    ```

    becomes

    ```mlir
    train.param @w : tensor<3x4xf32> {copy_type = bf16, init = #zero}
    %0 = train.read @w {copy} : tensor<3x4xbf16>
    ```

    `split`: the same with `split`. The copy is the high half of the master, and memory holds only the other half
    beside it. Only for f32 that is read in bf16.

    `none`: there is no master. The parameter takes the type in which it is read, its initial values are rounded to
    it once, to nearest-even, and its gradient, update and optimizer slots follow.

    ```mlir
    train.param @w : tensor<3x4xbf16> {init = #zero}
    %0 = train.read @w : tensor<3x4xbf16>
    ```

    A parameter that is read in its own type too, or in two narrower ones, is stored as with `separate` whatever the
    policy says, since the other forms do not hold what is read. One that is never cast stays as it is, and so do
    buffers, which the optimizer does not write.

    With `update = "stochastic"` in the policy, updates are marked `stochastic`: what they store in 16 bits is rounded
    up or down at random.
  }];
  let dependentDialects = ["::halfstep::amp::AmpDialect", "::halfstep::train::TrainDialect"];
}

def Fuse : Pass<"fuse", "::mlir::ModuleOp"> {
  let summary = "gather ops into kernels";
  let description = [{
    Afterwards a function holds train.kernel, train.read, train.scalar, nn.reshape (which shares memory) and its return.
    Element-wise ops of one shape join the kernel of the ops that made their operands, and a reduction takes in what
    only it reads. An op that works on whole rows (softmax, layer normalisation, cross-entropy and their gradients)
    takes in the element-wise ops of its shape before and after it, with a further result for each value that others
    read. Every other op is a kernel of its own. First, batch normalisation is split into statistics and an
    element-wise part, the finiteness check into chunks and verdict, and updates by the types of a sweep.
    Last, element-wise ops without an exponential join the `nn.matmul` whose result only they read, unless rounding is
    eager: they are computed where its sums are stored.

    What is stored between kernels is narrow: a cast to a wider type is made by each kernel that reads it, where the
    kernel can, and one to a narrower type stands right behind what it rounds. Both change places with reshapes and
    transpositions. No value changes: kernels round as the policy says.
    In a module with the attribute `train.separate_ops`, every op is a kernel of its own; with
    `train.separate_contractions`, contractions are.

    ```mlir
    %a = nn.add %x, %b : (tensor<8x4xf32>, tensor<4xf32>) -> tensor<8x4xf32>
    %r = nn.relu %a : (tensor<8x4xf32>) -> tensor<8x4xf32>
    ```

    becomes

    ```mlir
    %r = train.kernel "map"(%x, %b) : (tensor<8x4xf32>, tensor<4xf32>) -> tensor<8x4xf32> {
    ^bb0(%0: tensor<8x4xf32>, %1: tensor<4xf32>):
      %2 = nn.add %0, %1 : (tensor<8x4xf32>, tensor<4xf32>) -> tensor<8x4xf32>
      %3 = nn.relu %2 : (tensor<8x4xf32>) -> tensor<8x4xf32>
      train.yield %3 : tensor<8x4xf32>
    }
    ```
  }];
  let dependentDialects = ["::halfstep::amp::AmpDialect", "::halfstep::nn::NNDialect", "::halfstep::train::TrainDialect"];
}

def PlanMemory : Pass<"plan-memory", "::mlir::ModuleOp"> {
  let summary = "give every tensor its place in one arena";
  let description = [{
    The arena is scalars, state, gradients, work. What one update sweeps - masters, working copies, optimizer slots,
    gradients - lies one after the other, each tensor padded to 32 elements. Results of kernels share memory where they
    do not live at the same time; the three functions share the work region. Sets `offsets` on parameters and kernels
    and the module's `train.state_bytes` and `train.arena_bytes`. With the module's `train.separate_ops`, no two results
    of a function share memory, so that all are there when it ends.

    ```mlir
    train.param @w : tensor<4xf32> {init = #zero}
    %w = train.read @w : tensor<4xf32>
    %y = train.kernel "map"(%w) : (tensor<4xf32>) -> tensor<4xf32> {
    ^bb0(%0: tensor<4xf32>):
      %1 = nn.relu %0 : (tensor<4xf32>) -> tensor<4xf32>
      train.yield %1 : tensor<4xf32>
    }
    ```

    becomes

    ```mlir
    train.param @w : tensor<4xf32> {init = #zero, offsets = array<i64: 256, -1, -1, -1, -1>}
    %w = train.read @w : tensor<4xf32>
    %y = train.kernel "map"(%w) : (tensor<4xf32>) -> tensor<4xf32> attributes {offsets = array<i64: 320>} {
    ...
    ```
  }];
}

#endif // HALFSTEP_PASSES
