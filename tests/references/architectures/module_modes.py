"""What PyTorch computes with a module in the modes of architecture_cases.py; ../torch_modes.py says what they are."""

import copy

import torch
import torch.nn.functional as F
from torch import nn

from torch_modes import BF16, MODES

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
LOSSES = {"cross_entropy": lambda logits, y: F.cross_entropy(logits.reshape(-1, logits.shape[-1]), y.reshape(-1)),
          "mse": F.mse_loss}


class ModuleTrainer:
    """One module in one mode. `trained` are the optimizer's parameters; with masters the module holds copies."""

    def __init__(self, module, mode, loss, make_optimizer):
        self.mode, self.loss_of = MODES[mode], LOSSES[loss]
        self.module = copy.deepcopy(module).train()
        masters = [p.detach().clone().requires_grad_() for p in self.module.parameters()]
        self.cast()
        self.parameters = list(self.module.parameters())
        self.trained = masters if self.mode.masters else self.parameters
        self.optimizer = make_optimizer(self.trained)

    def cast(self):
        self.module.to(self.mode.model)
        for part in self.module.modules():
            if self.mode.keep_batchnorm and isinstance(part, NORMS):
                part.float()

    def loss(self, inputs, y):
        mode = self.mode
        inputs = [x.to(mode.model) if x.is_floating_point() else x for x in inputs]
        with torch.autocast("cpu", mode.autocast or BF16, enabled=mode.autocast is not None):
            output = self.module(*inputs)
        return self.loss_of(output.to(mode.output), y.to(mode.output) if y.is_floating_point() else y)

    def step(self, inputs, y, scale):
        """The loss; gradients must be finite."""
        for tensor in self.parameters:
            tensor.grad = None
        loss = self.loss(inputs, y)
        (loss * scale).backward()
        if not all(tensor.grad.isfinite().all() for tensor in self.parameters):
            raise ValueError("a gradient is not finite")
        for master, tensor in zip(self.trained, self.parameters):
            master.grad = tensor.grad.to(master.dtype) / scale
        self.optimizer.step()
        if self.mode.masters:
            with torch.no_grad():
                for master, tensor in zip(self.trained, self.parameters):
                    tensor.copy_(master)
        return loss.item()
