"""Writes small ONNX models by both of PyTorch's exporters, with the first training step's loss in float64.

Needs torch, onnx, onnxscript and safetensors; the tests need only the files. For each model of MODELS:
  NAME.dynamo.onnx       torch.export, not optimised; NAME.static.onnx: the same with the batch fixed in the file
  NAME.script.onnx       the TorchScript exporter, with a symbolic batch
  NAME.data.safetensors  x and y, one batch
  NAME.expected.json     loss of that batch with the file's initial weights: `train` in training mode (batch
                         statistics), `eval` in evaluation mode; null where dropout makes `train` random
All are exported in evaluation mode, as users do: batch normalisation and dropout become inference-mode nodes (or
vanish), which halfstep trains as training-mode ones.
"""

import json
import logging
import warnings
from pathlib import Path

import onnx
import torch
import torch.nn.functional as F
from onnx import helper
from safetensors.torch import save_file
from torch import nn

HERE = Path(__file__).parent
BATCH = 8
DROPOUT = 0.25
OPSET = 18


class Attention(nn.Module):
    """One transformer block: separate q, k and v, softmax attention, GELU, two residuals, mean over tokens."""

    def __init__(self, width=16, heads=2, classes=10):
        super().__init__()
        self.heads = heads
        self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.q, self.k, self.v, self.proj = (nn.Linear(width, width) for _ in range(4))
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.head = nn.Linear(width, classes)

    def split_heads(self, x):
        return x.reshape(-1, x.shape[1], self.heads, x.shape[2] // self.heads).transpose(1, 2)

    def forward(self, x):
        y = self.ln1(x)
        q, k, v = (self.split_heads(part(y)) for part in (self.q, self.k, self.v))
        weights = torch.softmax(q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5, -1)
        x = x + self.proj((weights @ v).transpose(1, 2).reshape(-1, x.shape[1], x.shape[2]))
        x = x + self.down(F.gelu(self.up(self.ln2(x))))
        return self.head(x)


class GPT(nn.Module):
    """Ids and the first of the known positions, and one block of causal attention on a split of one product."""

    def __init__(self, vocab=12, context=8, width=16, heads=2, classes=10):
        super().__init__()
        self.heads = heads
        self.wte, self.wpe = nn.Embedding(vocab, width), nn.Embedding(context, width)
        self.ln = nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.head = nn.Linear(width, classes, bias=False)

    def forward(self, ids):
        x = self.wte(ids) + self.wpe(torch.arange(ids.shape[1]))
        parts = self.qkv(self.ln(x)).split(x.shape[2], dim=2)
        q, k, v = (part.reshape(-1, x.shape[1], self.heads, x.shape[2] // self.heads).transpose(1, 2) for part in parts)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.head(x + self.proj(y.transpose(1, 2).reshape(-1, x.shape[1], x.shape[2])))


def mlp():
    return nn.Sequential(nn.Linear(16, 12), nn.Tanh(), nn.Linear(12, 10))


def cnn():
    return nn.Sequential(
        *(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(4, 6, 3, bias=False), nn.BatchNorm2d(6), nn.SiLU(), nn.AdaptiveAvgPool2d(1)),
        *(nn.Flatten(), nn.Linear(6, 10)),
    )


def dropout():
    return nn.Sequential(
        *(nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.AvgPool2d(2)),
        *(nn.Flatten(), nn.Dropout(DROPOUT), nn.Linear(16, 10)),
    )


MODELS = {"mlp": (mlp, (16,), ()), "cnn": (cnn, (1, 8, 8), ()), "dropout": (dropout, (1, 8, 8), ()),
          "attention": (Attention, (6, 16), (6,)), "gpt": (GPT, (6,), (6,))}
IDS = {"gpt": 12}  # models of ids, and what these are below


def unsettle(model):
    """Gives norms values other than 1 and 0, so that a reader that confuses two of them is found out."""
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, (nn.BatchNorm2d, nn.LayerNorm)):
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.5, 0.5)
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.uniform_(-0.5, 0.5)
                module.running_var.uniform_(0.5, 1.5)


def loss_of(model, x, y, training):
    model = model.double().train(training)
    logits = model(x.double() if x.is_floating_point() else x)
    return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), y.reshape(-1)).item()


def insert_dropout(path):
    """Both exporters drop nn.Dropout in evaluation mode. Other tools keep it, so this puts one before the last Gemm."""
    model = onnx.load(path)
    graph = model.graph
    gemm = [n for n in graph.node if n.op_type == "Gemm"][-1]
    graph.initializer.append(helper.make_tensor("dropout_ratio", onnx.TensorProto.FLOAT, [], [DROPOUT]))
    node = helper.make_node("Dropout", [gemm.input[0], "dropout_ratio"], ["dropout_out"], name="/Dropout")
    gemm.input[0] = "dropout_out"
    graph.node.insert(list(graph.node).index(gemm), node)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def strip(path):
    """Removes traces of this machine and checks the file."""
    model = onnx.load(path)
    model.doc_string = ""
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    for value in [*model.graph.value_info, *model.graph.input, *model.graph.output, *model.graph.initializer]:
        if hasattr(value, "metadata_props"):
            del value.metadata_props[:]
    del model.graph.metadata_props[:]
    del model.metadata_props[:]
    onnx.checker.check_model(model)
    onnx.save(model, path)


def export(name, model, x):
    common = dict(input_names=["x"], output_names=["logits"], opset_version=OPSET, verbose=False)
    dynamo = dict(common, dynamo=True, optimize=False, external_data=False)
    batch = {0: torch.export.Dim("N", min=2, max=4096)}
    torch.onnx.export(model, (x,), HERE / f"{name}.dynamo.onnx", dynamic_shapes=(batch,), **dynamo)
    torch.onnx.export(model, (x,), HERE / f"{name}.static.onnx", **dynamo)
    # PRESERVE and no folding: otherwise the exporter merges batch normalisation into the convolution before it.
    script = dict(common, dynamo=False, training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False)
    axes = {"x": {0: "N"}, "logits": {0: "N"}}
    torch.onnx.export(model, (x,), str(HERE / f"{name}.script.onnx"), dynamic_axes=axes, **script)
    for kind in ("dynamo", "static", "script"):
        strip(HERE / f"{name}.{kind}.onnx")
    if name == "dropout":
        insert_dropout(HERE / f"{name}.script.onnx")


def write(name, seed):
    make, x_shape, y_shape = MODELS[name]
    torch.manual_seed(seed)
    model = make()
    unsettle(model)
    g = torch.Generator().manual_seed(seed)
    if name in IDS:
        x = torch.randint(0, IDS[name], (BATCH, *x_shape), generator=g)
    else:
        x = torch.randint(-8, 9, (BATCH, *x_shape), generator=g) / 8
    y = torch.randint(0, 10, (BATCH, *y_shape), generator=g)
    export(name, model.eval(), x)
    save_file({"x": x, "y": y}, HERE / f"{name}.data.safetensors")
    evaluated = loss_of(model, x, y, training=False)
    trained = None if name == "dropout" else loss_of(model, x, y, training=True)
    losses = {"train": trained, "eval": evaluated}
    expected = {"batch": BATCH, "arguments": ["--loss", "cross_entropy", "--batch", str(BATCH)], "loss": losses}
    (HERE / f"{name}.expected.json").write_text(json.dumps(expected, indent=1) + "\n")
    print(name, losses)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    for index, name in enumerate(MODELS):
        write(name, seed=31 + index)
