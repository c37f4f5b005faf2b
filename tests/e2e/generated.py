"""A generated library in this process, through its C interface. The structures are those of halfstep/types.h."""

import array
import ctypes
from ctypes import POINTER, byref, c_char_p, c_double, c_float, c_int32, c_int64, c_size_t, c_uint64, c_void_p

OK = 0
ISA_X86_64_V3 = 1
DTYPES = {0: "f", 1: "d", 4: "q", 5: "i", 6: "B"}  # hs_dtype to the codes of Python's array

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

    def set_lr(self, lr):
        self._call("set_lr", c_float(lr))

    def train_step(self, inputs, targets):
        result = StepResult(struct_size=ctypes.sizeof(StepResult))
        self._call("train_step", pointers(inputs), pointers(targets), byref(result))
        return result

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
