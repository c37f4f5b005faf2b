"""Writes a small model as PyTorch's exporters give it by default: optimised, with weights folded and merged.

Needs torch, onnx, onnxscript and safetensors; the tests need only the files:
  folded.script.onnx   the TorchScript exporter: weights of Linear are "onnx::MatMul_12" [in, out]
  folded.dynamo.onnx   torch.export: they are "val_3", and the second block's norm is the first's, as both begin as 1, 0
  folded.safetensors   the state_dict as the safetensors package writes it: the names and values to come back
"""

import logging
import warnings
from pathlib import Path

import onnx
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

HERE = Path(__file__).parent
KEPT = ("pkg.torch.onnx.fx_node", "pkg.torch.onnx.name_scopes")  # the others tell of this machine


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width, bias=False))

    def forward(self, x):
        return x + self.mlp(self.norm(x))


class Model(nn.Module):
    """Two blocks between an embedding and a head that shares its table."""

    def __init__(self, ids=11, width=6):
        super().__init__()
        self.wte = nn.Embedding(ids, width)
        self.h = nn.ModuleList([Block(width), Block(width)])
        self.head = nn.Linear(width, ids, bias=False)
        self.head.weight = self.wte.weight

    def forward(self, x):
        x = self.wte(x)
        for block in self.h:
            x = block(x)
        return self.head(x)


def strip(path):
    model = onnx.load(path)
    for node in model.graph.node:
        node.doc_string = ""
        kept = [entry for entry in node.metadata_props if entry.key in KEPT]
        del node.metadata_props[:]
        node.metadata_props.extend(kept)
    for value in [*model.graph.value_info, *model.graph.input, *model.graph.output, *model.graph.initializer]:
        del value.metadata_props[:]
    del model.graph.metadata_props[:]
    del model.metadata_props[:]
    onnx.checker.check_model(model)
    onnx.save(model, path)
    print(path.name, [tensor.name for tensor in model.graph.initializer])


def main():
    torch.manual_seed(5)
    model = Model().eval()
    x = torch.randint(0, 11, (4, 5))
    common = dict(input_names=["x"], output_names=["logits"], verbose=False)
    torch.onnx.export(model, (x,), str(HERE / "folded.script.onnx"), dynamo=False, opset_version=17,
                      dynamic_axes={"x": {0: "N"}, "logits": {0: "N"}}, **common)
    batch = {0: torch.export.Dim("N", min=2, max=4096)}
    torch.onnx.export(model, (x,), HERE / "folded.dynamo.onnx", dynamo=True, external_data=False,
                      dynamic_shapes=(batch,), **common)
    for kind in ("script", "dynamo"):
        strip(HERE / ("folded.%s.onnx" % kind))
    state = {name: value.clone() for name, value in model.state_dict().items() if name != "head.weight"}
    save_file(state, HERE / "folded.safetensors", {"format": "pt"})
    y = torch.randint(0, 11, (4, 5))
    print("loss", F.cross_entropy(model(x).reshape(-1, 11), y.reshape(-1)).item())


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    main()
