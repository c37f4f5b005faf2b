"""Writers of the small files, good and bad, that bad_input.py feeds to the tool. Standard library only."""
import json
import os
import shutil
import struct


def safetensors(tensors, header=None):
    """tensors: {name: (dtype, shape, bytes)}; header, if given, replaces the one that would be right."""
    offset, entries, body = 0, {}, b""
    for name, (dtype, shape, data) in tensors.items():
        entries[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
        body += data
    text = header if header is not None else json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text + body


def npy(shape, data, descr="<f4"):
    header = "{'descr': '%s', 'fortran_order': False, 'shape': %s, }" % (descr, shape)
    header += " " * (63 - (10 + len(header)) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data


def floats(count, value=0.5):
    return struct.pack("<%df" % count, *[value] * count)


def ids(values):
    return struct.pack("<%dq" % len(values), *values)


# ONNX, written as protobuf by hand: only what a one-layer model needs.
def varint(value):
    out = b""
    while value >= 128:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def field(number, value):
    """A varint field for ints, a length-delimited one for bytes and strings."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def value_info(name, shape):
    dims = b"".join(field(1, field(2, d) if isinstance(d, str) else field(1, d)) for d in shape)
    return field(1, name) + field(2, field(1, field(1, 1) + field(2, dims)))


def tensor(name, shape, data=None, external=None):
    out = b"".join(field(1, d) for d in shape) + field(2, 1) + field(8, name)
    if external is None:
        return out + field(9, data)
    entry = b"".join(field(13, field(1, key) + field(2, value)) for key, value in external.items())
    return out + entry + field(14, 1)


def onnx(op="MatMul", weight=None, output_shape=("N", 3), name="fc"):
    weight = weight if weight is not None else tensor("w", [4, 3], floats(12))
    node = field(1, "x") + field(1, "w") + field(2, "out") + field(3, name) + field(4, op)
    graph = field(1, node) + field(2, "g") + field(5, weight)
    graph += field(11, value_info("x", ["N", 4])) + field(12, value_info("out", output_shape))
    return field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, 17))


def model(layers=None, **changes):
    """The JSON model of the good case, with changes."""
    value = {"halfstep": 1, "inputs": {"x": {"dtype": "f32", "shape": ["N", 4]}}}
    value["layers"] = layers if layers is not None else [{"op": "linear", "name": "fc", "out": 3}]
    value.update(changes)
    return json.dumps(value)


def write_all(folder):
    """Writes every file that the table names into `folder`."""

    def put(name, content):
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as stream:
            stream.write(content if isinstance(content, bytes) else content.encode())

    write_models(put)
    write_onnx(put, folder)
    write_data(put)
    write_specs(put)
    put("secret/weights.bin", floats(12))


def write_models(put):
    linear = {"op": "linear", "name": "fc", "out": 3}
    put("good.json", model())
    put("empty.json", "")
    put("broken.json", model()[:40])
    put("deep.json", '{"halfstep":1,"inputs":' + "[" * 100000)
    put("huge-number.json", model([dict(linear, out=1)]).replace('"out": 1', '"out": 1e999'))
    put("huge-extent.json", model([dict(linear, out=2**62)]))
    put("negative.json", model([dict(linear, out=-3)]))
    put("wrong-type.json", model([dict(linear, out="three")]))
    put("unknown-op.json", model([{"op": "linaer", "name": "fc", "out": 3}]))
    put("unknown-key.json", model([dict(linear, outt=3)]))
    put("duplicate-key.json", model().replace('"halfstep": 1', '"halfstep": 1, "halfstep": 1'))
    put("duplicate-name.json", model([linear, linear]))
    put("no-layers.json", model([]))
    put("version.json", model(halfstep=2))
    put("array.json", "[1, 2]")
    put("not-utf8.json", b'{"halfstep": 1, "\xff\xfe": 2}')
    # Names that a shell, a C compiler, a linker script or the one-line rule of stderr could trip over.
    put("hostile-name.json", model([{"op": "linaer", "name": 'a"; touch pwned; $(touch pwned) `x` \\', "out": 3}]))
    put("newline-name.json", model([{"op": "linear", "name": "a\nhalfstep: error: fake", "out": "x"}]))
    put("garbage.mlir", "module {\n  func.func @train_step(%x: tensor<4xf32> -> {{{ garbage\n}\n")
    put("deep.mlir", "module { " + "func.func @f() { " * 100000)
    put("incomplete.mlir", "module {\n}\n")
    put("binary.json", bytes(range(256)) * 4)


def write_onnx(put, folder):
    good = onnx()
    put("good.onnx", good)
    put("truncated.onnx", good[: len(good) // 2])
    put("hostile.onnx", b"\x08\x08\x3a\xff\xff\xff\xff\x07" + b"\x0a" * 64)
    put("nested.onnx", nested_messages(5000))
    put("short-weight.onnx", onnx(weight=tensor("w", [4, 3], floats(5))))
    put("overflow-dims.onnx", onnx(weight=tensor("w", [2**62, 2**62], floats(12))))
    put("unknown-op.onnx", onnx(op="Frobnicate"))
    put("shape-clash.onnx", onnx(weight=tensor("w", [5, 3], floats(15))))
    put("models/parent.onnx", onnx(weight=tensor("w", [4, 3], external={"location": "../secret/weights.bin"})))
    put("models/absolute.onnx", onnx(weight=tensor("w", [4, 3], external={"location": os.path.join(folder, "secret/weights.bin")})))
    put("models/symlink.onnx", onnx(weight=tensor("w", [4, 3], external={"location": "link.bin"})))
    put("models/range.onnx", onnx(weight=tensor("w", [4, 3], external={"location": "own.bin", "offset": str(2**63 - 8), "length": "48"})))
    put("models/own.bin", floats(12))
    os.symlink("../secret/weights.bin", os.path.join(folder, "models/link.bin"))


def nested_messages(depth):
    """A graph attribute in a node in a graph in an attribute ...: deeper than protobuf's recursion limit."""
    content = b""
    for _ in range(depth):
        content = field(1, field(5, field(6, content)))
        if len(content) > 1 << 20:
            break
    return field(1, 8) + field(7, content)


def write_data(put):
    x, y = ("F32", [8, 4], floats(32)), ("I64", [8], ids([0, 1, 2, 0, 1, 2, 0, 1]))
    nan = ("F32", [8, 4], floats(31) + struct.pack("<f", float("nan")))
    put("good.safetensors", safetensors({"x": x, "y": y}))
    put("no-y.safetensors", safetensors({"x": x}))
    put("wrong-dtype.safetensors", safetensors({"x": ("C64", [8, 4], floats(64)), "y": y}))
    put("float-ids.safetensors", safetensors({"x": x, "y": ("F32", [8], floats(8))}))
    put("wrong-shape.safetensors", safetensors({"x": ("F32", [8, 5], floats(40)), "y": y}))
    put("wrong-count.safetensors", safetensors({"x": x, "y": ("I64", [7], ids([0] * 7))}))
    put("nan.safetensors", safetensors({"x": nan, "y": y}))
    put("class-high.safetensors", safetensors({"x": x, "y": ("I64", [8], ids([0] * 7 + [3]))}))
    put("class-negative.safetensors", safetensors({"x": x, "y": ("I64", [8], ids([0] * 7 + [-1]))}))
    put("no-samples.safetensors", safetensors({"x": ("F32", [0, 4], b""), "y": ("I64", [0], b"")}))
    put("cut.safetensors", safetensors({"x": x, "y": y})[:-20])
    put("cut-header.safetensors", safetensors({"x": x, "y": y})[:30])
    put("long-header.safetensors", struct.pack("<Q", 2**63) + b"{}")
    entry = '{"x":{"dtype":"F32","shape":[8,4],"data_offsets":[%d,%d]}}'
    put("overflow.safetensors", safetensors({}, (entry % (2**64 - 128, 2**64)).encode()))
    put("beyond.safetensors", safetensors({}, (entry % (2**40, 2**40 + 128)).encode()))
    put("not-json.safetensors", safetensors({}, b"{not json at all}"))
    weight, bias = ("F32", [3, 4], floats(12)), ("F32", [3], floats(3))
    put("weights.safetensors", safetensors({"fc.weight": weight, "fc.bias": bias}))
    put("weights-shape.safetensors", safetensors({"fc.weight": ("F32", [4, 3], floats(12)), "fc.bias": bias}))
    put("weights-missing.safetensors", safetensors({"fc.weight": weight}))
    put("x.npy", npy("(8, 4)", floats(32)))
    put("y.npy", npy("(8,)", ids([0] * 8), "<i8"))
    put("x-lies.npy", npy("(800, 4)", floats(32)))
    put("x-overflow.npy", npy("(4611686018427387904, 4)", floats(32)))
    put("x-object.npy", npy("(8, 4)", floats(32), "|O"))
    put("x-cut.npy", npy("(8, 4)", b"")[:20])
    put("ragged.csv", "1,2,3,4,0\n1,2,3\n")
    put("words.csv", "1,2,three,4,0\n")
    put("fake.so", b"\x7fELF" + b"\0" * 12)
    put("text.so", "not a library")


def write_broken_libraries(folder):
    """Copies of the library that was compiled: with half of its code, and with another file as its manifest."""
    source = os.path.join(folder, "library")
    for name in ("cut", "broken"):
        shutil.copytree(source, os.path.join(folder, name))
    code = os.path.join(folder, "cut", "libgood.so")
    os.truncate(code, os.path.getsize(code) // 2)
    with open(os.path.join(folder, "broken", "good.manifest.json"), "w") as stream:
        stream.write('{"name": "good"}')


def write_specs(put):
    put("contradiction.json", '{"optimizer": {"kind": "sgd", "nesterov": true}}')
    put("recipe-key.json", '{"optimizer": {"momentun": 0.9}}')
    put("unknown.json", '{"precision": "bf17"}')
    put("types.json", '{"precision": {"params": "f16", "compute": "f32"}}')
    put("scaler.json", '{"precision": "bf16-mixed", "scaler": {"init": 1024}}')
    put("schedule.json", '{"schedule": {"kind": "step", "every": 0}}')
