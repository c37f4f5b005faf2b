"""A generated library in this process, through its C interface. The structures are those of halfstep/types.h."""

import array
import ctypes
import math
import struct
from ctypes import POINTER, byref, c_char_p, c_double, c_float, c_int32, c_int64, c_size_t, c_uint64, c_void_p

OK = 0
ISA_X86_64_V3 = 1
F16, BF16 = 2, 3
DTYPES = {0: "f", 1: "d", F16: "H", BF16: "H", 4: "q", 5: "i", 6: "B"}  # hs_dtype to codes of Python's array; H: bits
ON_NONFINITE_SKIP, ON_NONFINITE_IGNORE = 2, 3

RANGE_FN = ctypes.CFUNCTYPE(None, c_void_p, c_int64, c_int64, c_int32)
PARALLEL_FOR = ctypes.CFUNCTYPE(None, c_void_p, RANGE_FN, c_void_p, c_int64, c_int64)


class Config(ctypes.Structure):
    _fields_ = [("struct_size", c_size_t), ("threads", c_int32), ("isa", c_int32), ("parallel_for", PARALLEL_FOR),
                ("parallel_user", c_void_p), ("allocator", c_void_p), ("seed", c_uint64), ("on_nonfinite", c_int32),
                ("error", c_char_p), ("error_bytes", c_size_t)]


class StepResult(ctypes.Structure):
    _fields_ = [("struct_size", c_size_t), ("loss", c_double), ("grad_norm", c_double), ("scale", c_float),
                ("skipped", c_int32), ("updates", c_int64)]


class ParamInfo(ctypes.Structure):
    _fields_ = [("struct_size", c_size_t), ("name", c_char_p), ("dtype", c_int32), ("rank", c_int32),
                ("shape", POINTER(c_int64)), ("count", c_int64), ("kind", c_int32)]


class ScalerState(ctypes.Structure):
    _fields_ = [("scale", c_float), ("growth_tracker", c_int32)]


class StatusError(Exception):
    """A call that did not return HS_OK."""

    def __init__(self, status, message):
        super().__init__("status %d: %s" % (status, message))
        self.status = status


def address(values):
    return values.buffer_info()[0]


def pointers(tensors):
    """An array of pointers to the tensors, each an array.array."""
    return (c_void_p * max(1, len(tensors)))(*map(address, tensors))


def round_to(dtype, values):
    """The floats `values` in an array of the type, rounded to nearest, ties to even; 16-bit floats as their bits."""
    if dtype == F16:
        return array.array("H", map(f16_bits, values))
    if dtype == BF16:
        bits = array.array("I", array.array("f", values).tobytes())
        return array.array("H", [0x7FC0 if b & 0x7FFFFFFF > 0x7F800000 else (b + 0x7FFF + (b >> 16 & 1)) >> 16
                                 for b in bits])
    return array.array(DTYPES[dtype], values)


def f16_bits(value):
    if abs(value) >= 65520:  # rounds to infinity, which struct refuses
        value = math.copysign(math.inf, value)
    return struct.unpack("<H", struct.pack("<e", value))[0]


def widen(dtype, bits):
    """The f32 values of 16-bit floats."""
    if dtype == F16:
        return array.array("f", struct.unpack("<%de" % len(bits), bits.tobytes()))
    return array.array("f", array.array("I", [b << 16 for b in bits]).tobytes())


class Instance:
    """One instance of the library `path`, whose prefix is `name`. Tensors are array.array objects."""

    def __init__(self, path, name, **config):
        self.library = ctypes.CDLL(str(path))
        self.name = name
        self.handle = c_void_p()
        self.error = ctypes.create_string_buffer(512)
        self.config = Config(struct_size=ctypes.sizeof(Config), error_bytes=512, **config)
        self.config.error = ctypes.cast(self.error, c_char_p)
        status = self._function("create")(byref(self.config), byref(self.handle))
        if status != OK:
            raise StatusError(status, self.error.value.decode())
        self.types = {}  # hs_dtype of each parameter
        self.parameters = self._parameters()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._function("destroy")(self.handle)

    def _function(self, name):
        return self.library["%s_%s" % (self.name, name)]

    def _call(self, name, *arguments):
        status = self._function(name)(self.handle, *arguments)
        if status != OK:
            last_error = self._function("last_error")
            last_error.restype = c_char_p
            raise StatusError(status, last_error(self.handle).decode())

    def _parameters(self):
        """{name: (index, code of array, elements)}."""
        count, found = c_int32(), {}
        self._call("param_count", byref(count))
        for index in range(count.value):
            info = ParamInfo(struct_size=ctypes.sizeof(ParamInfo))
            self._call("param_info", c_int32(index), byref(info))
            self.types[info.name.decode()] = info.dtype
            found[info.name.decode()] = (index, DTYPES[info.dtype], info.count)
        return found

    def get(self, name):
        index, code, count = self.parameters[name]
        values = array.array(code, bytes(array.array(code).itemsize * count))
        self._call("param_get", c_int32(index), c_void_p(address(values)), c_size_t(count * values.itemsize))
        return values

    def set(self, name, values):
        index, code, count = self.parameters[name]
        assert (values.typecode, len(values)) == (code, count), name
        self._call("param_set", c_int32(index), c_void_p(address(values)), c_size_t(count * values.itemsize))

    def set_rounded(self, name, values):
        self.set(name, round_to(self.types[name], values))

    def set_scaler(self, scale, tracker=0):
        self._call("scaler_set", byref(ScalerState(scale, tracker)))

    def scaler(self):
        """(scale, clean steps since it moved)."""
        state = ScalerState()
        self._call("scaler_get", byref(state))
        return state.scale, state.growth_tracker

    def set_lr(self, lr):
        self._call("set_lr", c_float(lr))

    def train_step(self, inputs, targets):
        result = StepResult(struct_size=ctypes.sizeof(StepResult))
        self._call("train_step", pointers(inputs), pointers(targets), byref(result))
        return result

    def accumulate_step(self, inputs, targets):
        result = StepResult(struct_size=ctypes.sizeof(StepResult))
        self._call("accumulate_step", pointers(inputs), pointers(targets), byref(result))
        return result

    def set_batch(self, batch):
        self._call("set_batch", c_int64(batch))

    def eval_step(self, inputs, targets, outputs=None):
        """The loss; `outputs` are filled."""
        loss = c_double()
        self._call("eval_step", pointers(inputs), pointers(targets), pointers(outputs) if outputs else None,
                   byref(loss))
        return loss.value

    def forward(self, inputs, outputs):
        self._call("forward", pointers(inputs), pointers(outputs))

    def save(self, path, metadata=None):
        self._call("save", str(path).encode(), metadata)

    def load(self, path):
        self._call("load", str(path).encode())
