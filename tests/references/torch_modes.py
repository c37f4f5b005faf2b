"""What PyTorch computes in each precision mode of mode_cases.py.

`-mixed` is torch.autocast, `-true` is a model and its inputs in that type. Apex no longer runs, so its levels are
written out here: O1 by its lists of functions, O2 and O3 by casting the model, with float32 masters made from the
original weights (Apex made them from the rounded ones, a defect that halfstep does not copy).
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from torch_model import JsonModel

F16, BF16, F32, F64 = torch.float16, torch.bfloat16, torch.float32, torch.float64


@dataclass(frozen=True)
class Mode:
    model: torch.dtype = F32  # of the model's tensors and inputs
    output: torch.dtype = F32  # of what the loss is computed from
    autocast: torch.dtype = None
    apex: torch.dtype = None  # O1's 16-bit type
    masters: bool = False  # the optimizer updates float32 tensors, of which the model's are copies
    keep_batchnorm: bool = False


MODES = {
    "64-true": Mode(F64, F64),
    "32-true": Mode(),
    "bf16-true": Mode(BF16, BF16),
    "16-true": Mode(F16, F16),
    "bf16-mixed": Mode(autocast=BF16),
    "16-mixed": Mode(autocast=F16),
    "O0": Mode(),
    "O1": Mode(apex=F16),
    "O1-bf16": Mode(apex=BF16),
    "O2": Mode(F16, masters=True, keep_batchnorm=True),
    "O2-bf16": Mode(BF16, masters=True, keep_batchnorm=True),
    "O3": Mode(F16),
    "O3-bf16": Mode(BF16),
}


class ApexModel(JsonModel):
    """O1: functions cast their arguments by Apex's lists, of which these are the ops that JsonModel has."""

    HALF = ("linear", "conv2d", "matmul")
    FLOAT = ("softmax", "layer_norm", "gelu")
    PROMOTE = ("add", "mul")  # the other ops run in the type that they are given

    def __init__(self, model, half):
        self.weight_type, self.half = None, half
        super().__init__(model)

    def run_node(self, node, arguments):
        op = node["op"]
        if self.building:
            return super().run_node(node, arguments)
        if op in self.HALF:
            return self.run_in(self.half, node, arguments)
        if op in self.FLOAT or (op in self.PROMOTE and any(a.dtype == F32 for a in arguments)):
            return self.run_in(F32, node, arguments)
        return super().run_node(node, arguments)

    def run_in(self, dtype, node, arguments):
        self.weight_type = dtype
        result = super().run_node(node, [a.to(dtype) for a in arguments])
        self.weight_type = None
        return result

    def parameter(self, *arguments):
        tensor = super().parameter(*arguments)
        return tensor if self.weight_type is None else tensor.to(self.weight_type)


class Trainer:
    """One model in one mode. Parameters of the optimizer: `trained`; what the model computes with: `model.tensors`."""

    def __init__(self, case, mode, initial, make_optimizer):
        self.mode = mode
        self.model = ApexModel(case, mode.apex) if mode.apex else JsonModel(case)
        self.model.load(initial)
        self.model.train()
        self.names = [name for name, tensor in self.model.tensors.items() if tensor.requires_grad]
        if mode.masters:
            self.trained = [self.model.tensors[name] for name in self.names]
        self.cast_model()
        if not mode.masters:
            self.trained = [self.model.tensors[name] for name in self.names]
        self.optimizer = make_optimizer(self.trained)

    def cast_model(self):
        tensors = self.model.tensors
        kept = {node["name"] for node in self.model.nodes
                if self.mode.keep_batchnorm and node["op"] == "batch_norm"}
        for name, tensor in tensors.items():
            dtype = F32 if name.rsplit(".", 1)[0] in kept else self.mode.model
            tensors[name] = tensor.detach().to(dtype).requires_grad_(tensor.requires_grad)

    def copy_masters(self):
        """Apex copies the masters into the model after each step; a skipped one leaves the same values."""
        with torch.no_grad():
            for name, master in zip(self.names, self.trained):
                self.model.tensors[name].copy_(master)

    def loss(self, x, y):
        mode = self.mode
        with torch.autocast("cpu", mode.autocast or BF16, enabled=mode.autocast is not None):
            output = self.model(x.to(mode.model))
        logits = output.to(mode.output).reshape(-1, output.shape[-1])
        return F.cross_entropy(logits, y.reshape(-1))

    def step(self, x, y, scale):
        """(loss, was it skipped): no update is applied when a gradient is not finite."""
        tensors = [self.model.tensors[name] for name in self.names]
        for tensor in tensors:
            tensor.grad = None
        loss = self.loss(x, y)
        (loss * scale if scale != 1 else loss).backward()
        if not all(tensor.grad.isfinite().all() for tensor in tensors):
            return loss.item(), True
        for master, tensor in zip(self.trained, tensors):
            master.grad = tensor.grad.to(master.dtype) / scale if scale != 1 else tensor.grad.to(master.dtype)
        self.optimizer.step()
        if self.mode.masters:
            self.copy_masters()
        return loss.item(), False


class Scale:
    """The loss scale by the kernel that torch.amp.GradScaler uses: its check of f16 gradients would refuse O2's."""

    def __init__(self, settings):
        self.scale = torch.full((1,), settings["init"])
        self.tracker = torch.zeros(1, dtype=torch.int32)
        self.rule = settings["growth"], settings["backoff"], settings["interval"]

    def value(self):
        return self.scale.item()

    def update(self, skipped):
        torch._amp_update_scale_(self.scale, self.tracker, torch.full((1,), float(skipped)), *self.rule)
