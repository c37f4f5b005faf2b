"""The halfstep tool, and the files that it reads and writes, for the end-to-end tests. Standard library only."""

import array
import json
import os
import shutil
import struct
import subprocess
from pathlib import Path

SECONDS = 120  # no single command of these tests may take longer
ROOT = Path(__file__).resolve().parents[2]
REFERENCES = ROOT / "tests" / "references"
DIGITS = ROOT / "samples" / "digits"
# What settles a library when it is compiled; the other arguments of a training run belong to the run.
RUN_FLAGS = {"--data": 1, "--weights": 1, "--no-shuffle": 0, "--steps": 1, "--epochs": 1, "--val-split": 1,
             "--seed": 1}
CODES = {"F64": "d", "F32": "f", "I64": "q", "I32": "i", "U8": "B"}


class Failure(Exception):
    """A command that did not end as the test expects; the text is what it printed."""


def run(arguments, folder=None, environment=None, expect=0, timeout=SECONDS):
    """Runs a command and returns its standard output."""
    environment = dict(os.environ, NO_COLOR="1", LC_ALL="C", **(environment or {}))
    words = [str(word) for word in arguments]
    result = subprocess.run(words, cwd=folder, env=environment, timeout=timeout, stdin=subprocess.DEVNULL,
                            capture_output=True, text=True, errors="replace")
    if result.returncode != expect:
        raise Failure("%s\nended with %d, expected %d\n%s%s"
                      % (" ".join(words), result.returncode, expect, result.stdout[-2000:], result.stderr[-2000:]))
    return result.stdout


class Tool:
    """The verbs that the tests need. `path` is the program."""

    def __init__(self, path):
        self.path = os.path.abspath(path)

    def __call__(self, *arguments, **options):
        return run([self.path, *arguments], **options)

    def compile(self, model, output, *flags, name="model"):
        """Compiles `model` into the folder `output`, which is returned."""
        self("compile", model, "-o", output, "--name", name, *flags)
        return Path(output)

    def train(self, source, *flags, log=None, **options):
        """Trains; returns the log's lines as objects when `log` names a file."""
        self("train", source, *flags, *(["--log", log] if log else []), **options)
        return read_log(log) if log else None


def read_log(path):
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def logged_loss(line):
    """The loss of a log line from its hexadecimal digits, which are exact."""
    return struct.unpack(">f", bytes.fromhex(line["loss_hex"]))[0]


def split_arguments(arguments):
    """The arguments of `train MODEL` as those of `compile MODEL` and those of `train LIBRARY`."""
    compiled, runs, words = [], [], iter(arguments)
    for word in words:
        values = [next(words) for _ in range(RUN_FLAGS.get(word, 0))]
        (runs if word in RUN_FLAGS else compiled).extend([word, *values])
    return compiled, runs


def read_safetensors(path):
    """{name: (shape, values)} of a file with numbers that Python's array knows."""
    content = Path(path).read_bytes()
    length = struct.unpack_from("<Q", content)[0]
    header, found = json.loads(content[8:8 + length]), {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        values = array.array(CODES[entry["dtype"]])
        values.frombytes(content[begin:end])
        found[name] = (entry["shape"], values)
    return found


def read_state(path):
    """Every tensor of a checkpoint as bytes, in whatever type."""
    content = Path(path).read_bytes()
    length = struct.unpack_from("<Q", content)[0]
    header = json.loads(content[8:8 + length])
    header.pop("__metadata__", None)
    return {name: content[8 + length + entry["data_offsets"][0]:8 + length + entry["data_offsets"][1]]
            for name, entry in header.items()}


def write_safetensors(path, tensors):
    """`tensors`: {name: (shape, array.array)}."""
    names = {code: dtype for dtype, code in CODES.items()}
    header, body = {}, b""
    for name, (shape, values) in tensors.items():
        data = values.tobytes()
        header[name] = {"dtype": names[values.typecode], "shape": list(shape),
                        "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    Path(path).write_bytes(struct.pack("<Q", len(text)) + text + body)


def take_samples(data, begin, end):
    """The samples [begin, end) of tensors whose first extent counts samples."""
    taken = {}
    for name, (shape, values) in data.items():
        size = len(values) // shape[0]
        taken[name] = ([end - begin, *shape[1:]], values[begin * size:end * size])
    return taken


def find_compiler(variable, default):
    """The command of a compiler: of the environment, or the system's; as a list of words."""
    words = os.environ.get(variable, default).split()
    if not shutil.which(words[0]):
        raise Failure("no compiler %s" % words[0])
    return words
