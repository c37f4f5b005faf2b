"""The reference cases: models in the JSON format, their data, and how each is trained.

Sizes are small because the trajectories are checked in; each case names the behaviour it is there for.
"""

from dataclasses import dataclass

STEPS = 20
BATCHES = 4  # distinct batches in the data, used in file order, again and again


@dataclass(frozen=True)
class Case:
    name: str
    model: dict
    target: tuple  # extents of y after the batch's
    batch: int
    loss: dict
    optimizer: dict
    clip_norm: float = 0.0
    clip_value: float = 0.0
    share: str = ""  # model, weights and data are those of this case

    @property
    def folder(self):
        return self.share or self.name


def inputs(*shape):
    return {"x": {"dtype": "f32", "shape": ["N", *shape]}}


def chain(name, shape, *layers):
    return {"halfstep": 1, "name": name, "inputs": inputs(*shape), "layers": list(layers)}


def mlp():
    return chain(
        "mlp",
        (64,),
        {"op": "linear", "name": "fc1", "out": 32},
        {"op": "tanh", "name": "act"},
        {"op": "linear", "name": "fc2", "out": 10},
    )


def losses():
    """Probabilities, which every loss of numbers can take."""
    return chain(
        "losses",
        (8,),
        {"op": "linear", "name": "fc1", "out": 16},
        {"op": "tanh", "name": "act"},
        {"op": "linear", "name": "fc2", "out": 4},
        {"op": "sigmoid", "name": "p"},
    )


def cnn():
    return chain(
        "cnn",
        (1, 8, 8),
        {"op": "conv2d", "name": "conv1", "out": 8, "kernel": 3, "padding": 1},
        {"op": "batch_norm", "name": "bn1"},
        {"op": "relu", "name": "relu1"},
        {"op": "max_pool2d", "name": "pool", "kernel": 2},
        {"op": "conv2d", "name": "conv2", "out": 12, "kernel": 3, "padding": 1, "bias": False},
        {"op": "batch_norm", "name": "bn2"},
        {"op": "relu", "name": "relu2"},
        {"op": "global_avg_pool", "name": "mean", "flatten": True},
        {"op": "linear", "name": "fc", "out": 10},
    )


class Graph:
    """Writes nodes of which each has one output of its own name."""

    def __init__(self):
        self.nodes = []

    def __call__(self, op, name, *sources, **attrs):
        node = {"op": op, "name": name, "inputs": list(sources), "outputs": [name]}
        self.nodes.append({**node, "attrs": attrs} if attrs else node)
        return name


def attention(g, p, x, tokens, width, heads):
    head = width // heads
    parts = []
    for part in "qkv":
        y = g("linear", p + part, x, out=width)
        y = g("reshape", f"{p}{part}_heads", y, shape=["N", tokens, heads, head])
        parts.append(g("transpose", f"{p}{part}_t", y, perm=[0, 2, 1, 3]))
    q, k, v = parts
    scores = g("matmul", p + "scores", q, k, transpose_b=True)
    scores = g("mul", p + "scaled", scores, value=head**-0.5)
    y = g("matmul", p + "mix", g("softmax", p + "weights", scores), v)
    y = g("transpose", p + "mix_t", y, perm=[0, 2, 1, 3])
    y = g("reshape", p + "joined", y, shape=["N", tokens, width])
    return g("linear", p + "proj", y, out=width)


def transformer(tokens=8, features=16, width=32, heads=2, blocks=2, classes=10):
    g = Graph()
    g("parameter", "position", shape=[tokens, width], init={"weight": {"kind": "normal", "std": 0.02}})
    x = g("add", "placed", g("linear", "embed", "x", out=width), "position")
    for b in range(blocks):
        p = f"block{b}."
        y = attention(g, p, g("layer_norm", p + "ln1", x), tokens, width, heads)
        x = g("add", p + "res1", x, y)
        y = g("linear", p + "up", g("layer_norm", p + "ln2", x), out=2 * width)
        y = g("linear", p + "down", g("gelu", p + "gelu", y), out=width)
        x = g("add", p + "res2", x, y)
    y = g("linear", "head", g("layer_norm", "ln_f", x), out=classes)
    return {"halfstep": 1, "name": "transformer", "inputs": inputs(tokens, features), "nodes": g.nodes, "outputs": [y]}


def gpt(vocab=32, tokens=16, width=32, heads=2):
    """Ids, positions, attention in both forms, and a head that shares the table of the embedding."""
    g = Graph()
    normal = {"weight": {"kind": "normal", "std": 0.125}}
    g("embedding", "wte", "x", rows=vocab, out=width, init=normal)
    g("parameter", "wpe", shape=[tokens, width], init=normal)
    x = g("add", "placed", "wte", "wpe")
    for b, causal in enumerate((True, False)):
        p = f"block{b}."
        y = g("layer_norm", p + "ln1", x)
        if causal:
            # The softmax cancels a bias of the keys: its gradient would be rounding noise.
            parts = [g("linear", p + "qkv", y, out=3 * width, bias=False)]
        else:
            parts = [g("linear", p + part, y, out=width) for part in "qkv"]
        y = g("attention", p + "heads", *parts, heads=heads, **({"causal": True} if causal else {"scale": 0.5}))
        x = g("add", p + "res1", x, g("linear", p + "proj", y, out=width))
        y = g("linear", p + "up", g("layer_norm", p + "ln2", x), out=2 * width)
        x = g("add", p + "res2", x, g("linear", p + "down", g("gelu", p + "gelu", y), out=width))
    y = g("linear", "head", g("layer_norm", "ln_f", x), out=vocab, bias=False, params={"weight": "wte.weight"})
    ids = {"x": {"dtype": "i64", "shape": ["N", tokens]}}
    return {"halfstep": 1, "name": "gpt", "inputs": ids, "nodes": g.nodes, "outputs": [y]}


def branches():
    """The ops and attributes that the other cases leave out, and a shared weight."""
    g = Graph()
    x = g("conv2d", "conv", "x", out=8, kernel=[3, 5], stride=[1, 2], padding=[1, 2], dilation=1, groups=2)
    x = g("silu", "silu", x)
    a = g("conv2d", "wide", x, out=8, kernel=3, padding=2, dilation=2, groups=8, bias=False)
    b = g("avg_pool2d", "avg", x, kernel=3, stride=1, padding=1, count_include_pad=False)
    x = g("max_pool2d", "max", g("add", "sum", a, b), kernel=3, stride=2, padding=1)
    x = g("flatten", "flat", x)
    g.nodes.append({"op": "split", "name": "cut", "inputs": [x], "outputs": ["left", "right"],
                    "attrs": {"axis": 1, "sizes": [32, 32]}})
    x = g("mul", "gated", "left", g("sigmoid", "gate", "right"))
    y = g("linear", "mix", x, out=32, init={"weight": {"kind": "xavier_uniform", "gain": 1.0}})
    y = g("gelu", "gelu", y, approximate="tanh")
    y = g("linear", "again", y, out=32, params={"weight": "mix.weight"})
    y = g("linear", "out", g("add", "skip", y, x), out=4)
    return {"halfstep": 1, "name": "branches", "inputs": inputs(4, 8, 8), "nodes": g.nodes, "outputs": [y]}


CROSS_ENTROPY = {"kind": "cross_entropy"}
# Learning rates and clip norms are exact in float32, in which a library takes them, so that 64-true is comparable.
SGD = {"kind": "sgd", "lr": 3 / 64, "momentum": 0.9}
ADAMW = {"kind": "adamw", "lr": 1 / 1024, "weight_decay": 0.1}
ADAM = {"kind": "adam", "lr": 1 / 1024, "betas": [0.875, 0.96875], "weight_decay": 2**-6, "amsgrad": True}
ADAGRAD = {"kind": "adagrad", "lr": 1 / 64, "lr_decay": 0.125, "initial_accumulator_value": 2**-10}
RMSPROP = {"kind": "rmsprop", "lr": 1 / 4096, "alpha": 0.875, "momentum": 0.5, "centered": True, "eps": 2**-10}
WEIGHTS = [0.5, 1.0, 2.0, 1.0, 0.25, 1.0, 1.5, 1.0, 1.0, 3.0]

CASES = [
    Case("mlp", mlp(), (), 32, CROSS_ENTROPY, {**SGD, "lr": 1 / 128}),
    Case("mlp-clip", mlp(), (), 32, CROSS_ENTROPY, SGD, clip_norm=0.25, share="mlp"),
    Case("mlp-smoothing", mlp(), (), 32, {**CROSS_ENTROPY, "label_smoothing": 0.1}, SGD, share="mlp"),
    Case("mlp-nesterov", mlp(), (), 32, CROSS_ENTROPY, {**SGD, "nesterov": True, "weight_decay": 1e-3}, share="mlp"),
    Case("cnn", cnn(), (), 16, CROSS_ENTROPY, {**SGD, "weight_decay": 5e-4}),
    Case("transformer", transformer(), (8,), 4, CROSS_ENTROPY, ADAMW),
    Case("branches", branches(), (4,), 8, {"kind": "mse"}, {**SGD, "lr": 1 / 64}),
    Case("gpt", gpt(), (16,), 4, CROSS_ENTROPY, ADAMW),
    # The seed of a model is the place of its first case.
    Case("mlp-adam", mlp(), (), 32, CROSS_ENTROPY, ADAM, share="mlp"),
    Case("mlp-adagrad", mlp(), (), 32, CROSS_ENTROPY, ADAGRAD, share="mlp"),
    Case("mlp-rmsprop", mlp(), (), 32, CROSS_ENTROPY, RMSPROP, share="mlp"),
    Case("mlp-weights", mlp(), (), 32, {**CROSS_ENTROPY, "label_smoothing": 0.125, "weight": WEIGHTS,
                                        "ignore_index": 3}, {**SGD, "lr": 1 / 64}, clip_value=2**-7, share="mlp"),
    Case("mlp-nll", mlp(), (), 32, {"kind": "nll", "weight": WEIGHTS, "ignore_index": 3}, {**SGD, "lr": 1 / 256},
         share="mlp"),
    Case("losses", losses(), (4,), 8, {"kind": "l1"}, SGD),
    Case("losses-huber", losses(), (4,), 8, {"kind": "huber", "delta": 0.25}, SGD, share="losses"),
    Case("losses-smooth-l1", losses(), (4,), 8, {"kind": "smooth_l1", "beta": 0.25}, SGD, share="losses"),
    Case("losses-bce", losses(), (4,), 8, {"kind": "bce"}, SGD, share="losses"),
    Case("losses-logits", losses(), (4,), 8, {"kind": "bce_with_logits", "pos_weight": [0.5, 1.0, 2.0, 4.0]}, SGD,
         share="losses"),
    Case("losses-soft", losses(), (4,), 8, {**CROSS_ENTROPY, "targets": "probabilities", "label_smoothing": 0.125,
                                            "weight": [0.5, 1.0, 2.0, 1.0]}, SGD, share="losses"),
    Case("losses-sum", losses(), (4,), 8, {"kind": "l1", "reduction": "sum"}, {**SGD, "lr": 1 / 256}, share="losses"),
]
