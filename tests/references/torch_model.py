"""The JSON model format (docs/model-format.md) read into PyTorch: the oracle's own, independent reading of it."""

import math

import torch
import torch.nn.functional as F
from torch import nn


DTYPES = {"f32": torch.float32, "f64": torch.float32, "i64": torch.int64}  # of models as they are built
NORMAL = {"weight": {"kind": "normal"}}


def pair(value):
    return (value, value) if isinstance(value, int) else tuple(value)


def graph_of(model):
    """(nodes, output names) of either form; a chain becomes a graph."""
    if "nodes" in model:
        return model["nodes"], model["outputs"]
    nodes, last = [], next(iter(model["inputs"]))
    for index, layer in enumerate(model["layers"]):
        name = layer.get("name", f"{layer['op']}_{index}")
        attrs = {k: v for k, v in layer.items() if k not in ("op", "name")}
        nodes.append({"op": layer["op"], "name": name, "inputs": [last], "outputs": [name], "attrs": attrs})
        last = name
    return nodes, [last]


class JsonModel(nn.Module):
    """Its parameters and buffers bear halfstep's names; shapes come from a run on zeros of batch `batch`."""

    def __init__(self, model, batch=2):
        super().__init__()
        self.nodes, self.output_names = graph_of(model)
        self.input_names = list(model["inputs"])
        self.tensors = {}
        self.values = {}  # of the latest run, with gradients after backward() when keep_gradients is set
        self.keep_gradients = False
        self.building = True
        with torch.no_grad():
            self.forward(*(torch.zeros([batch, *spec["shape"][1:]], dtype=DTYPES[spec["dtype"]])
                           for spec in model["inputs"].values()))
        self.building = False
        for name in self.tensors:
            if "running_" not in name:
                self.tensors[name] = self.tensors[name].requires_grad_()
        # PyTorch forbids dots in registered names, so the dictionary is the registry.
        self.trained = [t for t in self.tensors.values() if t.requires_grad]

    def to_type(self, dtype):
        for name, tensor in self.tensors.items():
            self.tensors[name] = tensor.detach().to(dtype).requires_grad_(tensor.requires_grad)
        self.trained = [t for t in self.tensors.values() if t.requires_grad]
        return self

    def state(self):
        return {name: tensor.detach().clone() for name, tensor in self.tensors.items()}

    def load(self, state):
        with torch.no_grad():
            for name, tensor in self.tensors.items():
                tensor.copy_(state[name])

    def forward(self, *inputs):
        values = dict(zip(self.input_names, inputs))
        for node in self.nodes:
            arguments = [values[name] for name in node["inputs"]]
            result = self.run_node(node, arguments)
            values.update(zip(node["outputs"], result if isinstance(result, (tuple, list)) else [result]))
            if self.keep_gradients:
                for name in node["outputs"]:
                    values[name].retain_grad()
        self.values = values
        return values[self.output_names[0]]

    def run_node(self, node, arguments):
        return getattr(self, "op_" + node["op"])(node["name"], node.get("attrs", {}), *arguments)

    def parameter(self, node, short, shape, default, attrs):
        """The tensor NODE.SHORT, made on the first run; `default` is a bound b for U(-b, b), or ("constant", c)."""
        name = attrs.get("params", {}).get(short, f"{node}.{short}")
        if self.building and name not in self.tensors:
            init = attrs.get("init", {}).get(short)
            self.tensors[name] = self.initial(torch.empty(shape), init, default)
        return self.tensors[name]

    @staticmethod
    def initial(tensor, init, default):
        if init is None:
            return tensor.fill_(default[1]) if isinstance(default, tuple) else tensor.uniform_(-default, default)
        if init["kind"] == "constant":
            return tensor.fill_(init["value"])
        if init["kind"] == "uniform":
            return tensor.uniform_(init["low"], init["high"])
        if init["kind"] == "normal":
            return tensor.normal_(init.get("mean", 0), init.get("std", 1))
        if init["kind"] == "kaiming_uniform":
            return nn.init.kaiming_uniform_(tensor, init.get("a", 0))
        return nn.init.xavier_uniform_(tensor, init.get("gain", 1))

    def weight_and_bias(self, node, shape, attrs):
        bound = 1 / math.sqrt(math.prod(shape[1:]))
        weight = self.parameter(node, "weight", shape, bound, attrs)
        bias = self.parameter(node, "bias", shape[:1], bound, attrs) if attrs.get("bias", True) else None
        return weight, bias

    def op_linear(self, node, attrs, x):
        return F.linear(x, *self.weight_and_bias(node, (attrs["out"], x.shape[-1]), attrs))

    def op_conv2d(self, node, attrs, x):
        groups = attrs.get("groups", 1)
        shape = (attrs["out"], x.shape[1] // groups, *pair(attrs["kernel"]))
        stride, padding, dilation = (pair(attrs.get(k, d)) for k, d in (("stride", 1), ("padding", 0), ("dilation", 1)))
        return F.conv2d(x, *self.weight_and_bias(node, shape, attrs), stride, padding, dilation, groups)

    def op_batch_norm(self, node, attrs, x):
        shape = (x.shape[1],)
        weight = self.parameter(node, "weight", shape, ("constant", 1), attrs)
        bias = self.parameter(node, "bias", shape, ("constant", 0), attrs)
        mean = self.parameter(node, "running_mean", shape, ("constant", 0), {})
        var = self.parameter(node, "running_var", shape, ("constant", 1), {})
        if self.building:  # the run that finds the shapes must leave the running statistics alone
            return F.batch_norm(x, mean, var, weight, bias, training=False)
        momentum, eps = attrs.get("momentum", 0.1), attrs.get("eps", 1e-5)
        return F.batch_norm(x, mean, var, weight, bias, self.training, momentum, eps)

    def op_layer_norm(self, node, attrs, x):
        axis = attrs.get("axis", -1) % x.dim()
        weight = self.parameter(node, "weight", x.shape[axis:], ("constant", 1), attrs)
        bias = self.parameter(node, "bias", x.shape[axis:], ("constant", 0), attrs)
        return F.layer_norm(x, x.shape[axis:], weight, bias, attrs.get("eps", 1e-5))

    def op_parameter(self, node, attrs):
        return self.parameter(node, "weight", attrs["shape"], None, attrs)

    def op_max_pool2d(self, _, attrs, x):
        return F.max_pool2d(x, attrs["kernel"], attrs.get("stride"), attrs.get("padding", 0))

    def op_avg_pool2d(self, _, attrs, x):
        options = attrs.get("padding", 0), False, attrs.get("count_include_pad", True)
        return F.avg_pool2d(x, attrs["kernel"], attrs.get("stride"), *options)

    def op_global_avg_pool(self, _, attrs, x):
        return x.mean((2, 3), keepdim=not attrs.get("flatten", False))

    def op_relu(self, _, attrs, x):
        return F.relu(x)

    def op_tanh(self, _, attrs, x):
        return torch.tanh(x)

    def op_sigmoid(self, _, attrs, x):
        return torch.sigmoid(x)

    def op_silu(self, _, attrs, x):
        return F.silu(x)

    def op_gelu(self, _, attrs, x):
        return F.gelu(x, approximate=attrs.get("approximate", "none"))

    def op_add(self, _, attrs, a, b=None):
        return a + (attrs["value"] if b is None else b)

    def op_mul(self, _, attrs, a, b=None):
        return a * (attrs["value"] if b is None else b)

    def op_flatten(self, _, attrs, x):
        return torch.flatten(x, attrs.get("start", 1))

    def op_reshape(self, _, attrs, x):
        extents = enumerate(attrs["shape"])
        return x.reshape([x.shape[i] if e == 0 or isinstance(e, str) else e for i, e in extents])

    def op_transpose(self, _, attrs, x):
        return x.permute(attrs["perm"])

    def op_split(self, _, attrs, x):
        return torch.split(x, attrs["sizes"], attrs["axis"])

    def op_matmul(self, _, attrs, a, b):
        return a @ (b.transpose(-1, -2) if attrs.get("transpose_b", False) else b)

    def op_softmax(self, _, attrs, x):
        return torch.softmax(x, attrs.get("axis", -1))

    def op_embedding(self, node, attrs, ids):
        table = self.parameter(node, "weight", (attrs["rows"], attrs["out"]), None, {"init": NORMAL, **attrs})
        return F.embedding(ids, table)

    def op_attention(self, _, attrs, *parts):
        heads, causal, scale = attrs["heads"], attrs.get("causal", False), attrs.get("scale")
        parts = parts if len(parts) == 3 else parts[0].chunk(3, dim=-1)
        q, k, v = (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in parts)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=causal, scale=scale)
        return y.transpose(1, 2).flatten(2)

    def op_dropout(self, _, attrs, x):
        return F.dropout(x, attrs.get("p", 0.5), self.training)
