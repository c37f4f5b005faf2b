"""Writes NAME.EXPORTER.onnx and NAME.json of the architectures: what tests/e2e/architectures.py trains and compares.

usage: export_architectures.py [NAME...]    (default: all of architecture_cases.py)

Needs torch 2.13, onnx 1.23, onnxscript and numpy. The weights of the .onnx files are not stored: their initialisers
are external data of the file `weights`, which weights_file() of architecture_cases.py makes.
  files     by file: [initialiser, parameter, the parameter's shape, order of its dimensions] as they lie in `weights`
  tensors   {parameter: shape}
  buffers   the running statistics, which begin as the mean 0 and the variance 1
  floor     the distance that a right program may have when PyTorch's is 0 (../../e2e/tolerances.md)
  losses    by seed: float64's
  distance  by mode and seed: PyTorch's largest |loss - float64's| / max(|float64's|, 1e-3)
"""

import importlib
import json
import logging
import math
import sys
import warnings
from pathlib import Path

import numpy
import onnx
import torch
from onnx import numpy_helper

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "onnx")]
from architecture_cases import CASES, MODES, PLAIN_SCALE, SCALED, SEEDS, STEPS, batches, initial  # noqa: E402
from export_onnx import strip  # noqa: E402
from make_references import optimizer_of  # noqa: E402
from module_modes import ModuleTrainer  # noqa: E402
from tolerances import DEVIATIONS, UNIT_ROUNDOFF  # noqa: E402

OPSET = 20
# Ops that only move data, or are computed when the file is read.
MOVES = {"Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Concat", "Split", "Slice", "Gather", "Expand",
         "Constant", "Shape", "Cast", "Identity", "Range", "ConstantOfShape", "CastLike", "Pad"}


def build(case, seed, dtype=torch.float32):
    module = importlib.import_module("definitions." + case.name).build()
    with torch.no_grad():
        for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
            if tensor.is_floating_point() and (isinstance(tensor, torch.nn.Parameter) or "running_" in name):
                tensor.copy_(torch.tensor(initial(name, list(tensor.shape), seed)).reshape(tensor.shape))
    return module.to(dtype)


def tensors_of(case, seed):
    """[([inputs], target)] as tensors."""
    return [([torch.tensor(values).reshape(case.batch, *spec.shape) for values, spec in zip(x, case.inputs.values())],
             torch.tensor(y).reshape(case.batch, *case.target.shape)) for x, y in batches(case, seed)]


#
# The files
#


def export(case, exporter, path):
    module, inputs = build(case, 0).eval(), tuple(tensors_of(case, 0)[0][0])
    common = dict(input_names=list(case.inputs), output_names=["output"], opset_version=OPSET, verbose=False)
    if exporter == "dynamo":
        batch = torch.export.Dim("N", min=2, max=4096)
        torch.onnx.export(module, inputs, path, dynamo=True, external_data=False, optimize=False,
                          dynamic_shapes=tuple({0: batch} for _ in inputs), **common)
    else:
        axes = {name: {0: "N"} for name in [*case.inputs, "output"]}
        # PRESERVE and no folding: otherwise the exporter merges batch normalisation into the layer before it.
        torch.onnx.export(module, inputs, str(path), dynamo=False, dynamic_axes=axes,
                          training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False, **common)
    strip(path)
    return take_weights(path, module)


def take_weights(path, module):
    """Moves what are parameters into the file `weights`; returns what lies there."""
    model = onnx.load(path)
    parameters = {name: tensor.detach().numpy() for name, tensor in module.named_parameters()}
    found, offset = [], 0
    for tensor in model.graph.initializer:
        entry = parameter_of(tensor, parameters)
        if not entry:
            continue
        found.append([tensor.name, *entry])
        length = len(tensor.raw_data) or 4 * math.prod(tensor.dims)
        tensor.ClearField("raw_data")
        tensor.ClearField("float_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (("location", "weights"), ("offset", offset), ("length", length)):
            tensor.external_data.add(key=key, value=str(value))
        offset += length
    missing = set(parameters) - {entry[1] for entry in found}
    if missing:
        sys.exit(f"{path.name}: no initialiser holds {sorted(missing)}")
    path.write_bytes(model.SerializeToString(deterministic=True))
    return found


def parameter_of(tensor, parameters):
    """[parameter, shape, order] whose values an initialiser holds."""
    if tensor.data_type != onnx.TensorProto.FLOAT:
        return None
    values = numpy_helper.to_array(tensor)
    for name, parameter in parameters.items():
        if numpy.array_equal(values, parameter):
            return [name, list(parameter.shape), []]
        if parameter.ndim == 2 and numpy.array_equal(values, parameter.T):
            return [name, list(parameter.shape), [1, 0]]
    return None


#
# The trajectories
#


def run(case, mode, seed):
    trainer = ModuleTrainer(build(case, seed, torch.float64 if mode == "64-true" else torch.float32), mode, case.loss,
                            lambda tensors: optimizer_of(case, tensors))
    data = tensors_of(case, seed)
    scale = PLAIN_SCALE if mode in SCALED else 1
    return [trainer.step(*data[step % len(data)], scale) for step in range(STEPS)]


def distance(losses, exact):
    return max(abs(loss - right) / max(abs(right), 1e-3) for loss, right in zip(losses, exact))


def floor(case, path):
    nodes = onnx.load(path, load_external_data=False).graph.node
    depth = sum(node.op_type not in MOVES for node in nodes)
    longest = case.batch * max(math.prod(spec.shape) for spec in case.inputs.values())
    return DEVIATIONS * math.sqrt(2 * depth) * UNIT_ROUNDOFF["f32"] * math.sqrt(longest)


def text_of(value, depth=0):
    """JSON with a line for each entry of the two outer levels, and for each seed's losses."""
    if isinstance(value, dict) and depth < 2:
        entries = [f"{json.dumps(key)}: {text_of(entry, depth + 1)}" for key, entry in value.items()]
        return "{\n" + ",\n".join(" " * (depth + 1) + entry for entry in entries) + "}"
    return json.dumps(value)


def write(case):
    module = build(case, 0)
    files = {f"{case.name}.{kind}.onnx": export(case, kind, HERE / f"{case.name}.{kind}.onnx")
             for kind in case.exporters}
    exact = [run(case, "64-true", seed) for seed in range(SEEDS)]
    distances = {mode: [float(f"{distance(run(case, mode, seed), exact[seed]):.4g}") for seed in range(SEEDS)]
                 for mode in MODES}
    result = {"files": files, "tensors": {name: list(p.shape) for name, p in module.named_parameters()},
              "buffers": {name: list(b.shape) for name, b in module.named_buffers() if "running_" in name},
              "floor": float(f"{floor(case, HERE / next(iter(files))):.3g}"),
              "losses": [[loss.hex() for loss in run] for run in exact], "distance": distances}
    (HERE / f"{case.name}.json").write_text(text_of(result) + "\n")
    count = sum(p.numel() for p in module.parameters())
    print(f"{case.name:12} {count} parameters, floor {result['floor']:.1e}, " +
          ", ".join(f"{mode} {max(found):.2e}" for mode, found in distances.items()))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    for chosen in CASES:
        if chosen.name in (sys.argv[1:] or [chosen.name]):
            write(chosen)
