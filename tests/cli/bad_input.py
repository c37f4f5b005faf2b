#!/usr/bin/env python3
"""A table of wrong inputs: each must end in one diagnostic and the right exit code, and leave nothing behind.

usage: bad_input.py PATH_OF_HALFSTEP [NAME...]    (names: run only these cases)
"""
import hashlib
import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True  # the sources stay as they are
import bad_files  # noqa: E402

SECONDS = 20  # no case may take longer
USAGE, INPUT, UNSUPPORTED, IO, CHECKPOINT = 2, 3, 4, 6, 7

LOSS = ["--loss", "cross_entropy"]


def compile_(model, *flags):
    return ["compile", model, *LOSS, "--batch", "4", "-o", "out", *flags]


def train(data, *flags):
    """Trains the library that was compiled before the table is run."""
    return ["train", "library", "--data", data, "--steps", "2", *flags]


# name, arguments, exit code, a part of the diagnostic
CASES = [
    # The command line.
    ("no-verb", [], USAGE, "verb"),
    ("unknown-verb", ["trian"], USAGE, "did you mean 'train'"),
    ("unknown-flag", compile_("good.json", "--lerning-rate", "1"), USAGE, "--lerning-rate"),
    ("near-flag", compile_("good.json", "--momentun", "1"), USAGE, "did you mean '--momentum'"),
    ("missing-value", ["compile", "good.json", "--lr"], USAGE, "--lr"),
    ("no-model", ["compile", *LOSS], USAGE, "MODEL"),
    ("number-expected", compile_("good.json", "--lr", "fast"), USAGE, "--lr"),
    ("number-not-finite", compile_("good.json", "--lr", "nan"), USAGE, "--lr"),
    ("batch-zero", compile_("good.json", "--batch", "0"), USAGE, "/batch"),
    ("batch-huge", compile_("good.json", "--batch", "9223372036854775807"), USAGE, "/batch"),
    ("loss-missing", ["compile", "good.json", "-o", "out"], USAGE, "--loss with one of 'cross_entropy', 'nll'"),
    ("loss-unknown", ["compile", "good.json", "--loss", "hinge", "-o", "out"], USAGE, "cross_entropy"),
    ("set-unknown-key", compile_("good.json", "--set", "optimizer.lrr=1"), USAGE, "did you mean 'lr'"),
    ("set-no-value", compile_("good.json", "--set", "optimizer"), USAGE, "--set"),
    ("contradictory-flags", compile_("good.json", "--nesterov"), USAGE, "contradicts momentum"),
    ("contradictory-length", ["train", "good.json", *LOSS, "--data", "good.safetensors", "--steps", "1", "--epochs", "1"], USAGE, "contradicts epochs"),
    ("stage-unknown", ["inspect", "good.json", *LOSS, "--after", "fusee"], USAGE, "did you mean 'fuse'"),
    ("name-too-long", compile_("good.json", "--name", "n" * 300), USAGE, "--name"),
    # Precision.
    ("precision-unknown", compile_("good.json", "--precision", "fp17"), USAGE, "unknown precision"),
    ("precision-of-file", compile_("good.json", "--precision", "unknown.json"), INPUT, "unknown precision 'bf17'"),
    ("level-unknown", compile_("good.json", "--amp-level", "O4"), USAGE, "/amp_level: expected one of"),
    ("level-and-mode", compile_("good.json", "--amp-level", "O2", "--precision", "bf16-true"), USAGE,
     "amp_level 'O2' contradicts precision 'bf16-true'"),
    ("level-and-native", compile_("good.json", "--amp-level", "O2", "--amp-backend", "native"), USAGE,
     "amp_backend 'native' contradicts level 'O2'"),
    ("half-of-mode", compile_("good.json", "--precision", "bf16-mixed", "--half", "fp16"), USAGE, "half \"fp16\" contradicts"),
    ("masters-of-o1", compile_("good.json", "--amp-level", "O1", "--master-weights", "true"), USAGE,
     "master_weights true contradicts precision 'O1'"),
    ("norms-of-o1", compile_("good.json", "--amp-level", "O1", "--keep-batchnorm-fp32", "false"), USAGE,
     "keep_batchnorm_fp32 false contradicts precision 'O1'"),
    ("norms-of-mixed", compile_("good.json", "--precision", "bf16-mixed", "--keep-norms-fp32"), USAGE,
     "keep_norms_fp32 true contradicts precision 'bf16-mixed'"),
    ("norms-unreadable", compile_("good.json", "--amp-level", "O2", "--keep-batchnorm-fp32", "yes"), USAGE,
     "--keep-batchnorm-fp32"),
    ("lists-of-level", compile_("good.json", "--amp-level", "O3", "--lists", "cpu"), USAGE,
     "lists \"cpu\" contradicts precision 'O3'"),
    ("rounding-unknown", compile_("good.json", "--rounding", "up"), USAGE, "/rounding: expected one of"),
    ("split-of-fp16", compile_("good.json", "--amp-level", "O2", "--set", "precision.masters=split"), USAGE,
     "masters \"split\" contradicts precision 'O2'"),
    ("types-inline", compile_("good.json", "--precision", '{"params": "bf16", "compute": "f16"}'), INPUT,
     "params 'bf16' contradicts compute 'f16'"),
    ("types-in-recipe", compile_("good.json", "--recipe", "types.json"), INPUT,
     "/precision/params: params 'f16' contradicts compute 'f32'"),
    ("override-class", compile_("good.json", "--precision", '{"precision": "O2", "ops": {"matmul": "fp8"}}'), INPUT,
     "/ops/matmul: expected one of"),
    ("override-op", compile_("good.json", "--precision", '{"precision": "O2", "ops": {"matmull": "fp32"}}'), INPUT,
     "ops 'matmull' matches no op of the model; did you mean 'matmul'?"),
    ("override-layer", compile_("good.json", "--precision", '{"precision": "bf16", "layers": {"no.*": "fp32"}}'), INPUT,
     "layers 'no.*' matches no layer of the model"),
    ("override-tie", compile_("good.json", "--precision",
                              '{"precision": "bf16", "layers": {"f*": "fp32", "*c": "lower"}}'), INPUT,
     "layers '*c' and 'f*' match with equally many characters"),
    ("override-banned", compile_("good.json", "--precision", '{"precision": "bf16", "ops": {"matmul": "banned"}}'),
     UNSUPPORTED, "is banned by ops 'matmul'"),
    ("scaler-with-bf16", compile_("good.json", "--precision", "bf16", "--loss-scale", "dynamic"), USAGE, "contradicts"),
    ("scale-of-true", compile_("good.json", "--precision", "32", "--loss-scale", "8"), USAGE, "-true modes take no"),
    ("scale-of-bf16-level", compile_("good.json", "--amp-level", "O1", "--half", "bf16", "--loss-scale", "8"), USAGE,
     "contradicts precision 'O1'"),
    ("scale-unreadable", compile_("good.json", "--precision", "16", "--loss-scale", "1e99"), USAGE, "f32 can hold"),
    ("scaler-and-static", compile_("good.json", "--precision", "16", "--loss-scale", "8", "--set",
                                   "precision.scaler.init=8"), USAGE, "scaler contradicts loss_scale"),
    ("scaler-preset", compile_("good.json", "--precision", "16", "--set", "precision.scaler.preset=nvidia"), USAGE,
     "/scaler/preset: expected one of"),
    ("scaler-hysteresis", compile_("good.json", "--precision", "16", "--set", "precision.scaler.hysteresis=0"), USAGE,
     "/scaler/hysteresis: expected an integer"),
    ("scaler-minimum", compile_("good.json", "--precision", "16", "--set", "precision.scaler.preset=megatron", "--set",
                                "precision.scaler.init=0.5"), USAGE, "min 1.0 contradicts init 0.5"),
    ("onednn-f16", compile_("good.json", "--precision", "16", "--cpu-gemm", "onednn"), USAGE, "contradicts precision"),
    ("scaler-in-file", compile_("good.json", "--precision", "scaler.json"), INPUT, "scaler contradicts"),
    ("inline-broken", compile_("good.json", "--precision", "{"), INPUT, "not valid JSON"),
    ("tpu", compile_("good.json", "--target", "tpu"), UNSUPPORTED, "'tpu'"),
    ("tpu-double", compile_("good.json", "--target", "tpu", "--precision", "64-true"), USAGE, "no f64"),
    ("accumulate-zero", compile_("good.json", "--accumulate", "0"), USAGE, "/accumulate: expected an integer"),
    ("accumulate-and-explain", ["train", "good.json", *LOSS, "--data", "good.safetensors", "--accumulate", "2",
                                "--explain-nonfinite"], USAGE, "--explain-nonfinite contradicts --accumulate 2"),
    ("class-weights-count", compile_("good.json", "--class-weights", "1,2"), INPUT, "/loss/weight: has 2 numbers, expected"),
    ("class-weights-word", compile_("good.json", "--class-weights", "1,,2"), USAGE, "--class-weights"),
    ("pos-weight-count", ["compile", "good.json", "--loss", "bce_with_logits", "--pos-weight", "1,2", "-o", "out"], INPUT,
     "/loss/pos_weight: has 2 numbers, expected one, or"),
    ("setting-of-other-loss", compile_("good.json", "--huber-delta", "2"), USAGE, "delta contradicts loss 'cross_entropy'"),
    ("setting-of-other-optimizer", compile_("good.json", "--alpha", "0.9"), USAGE,
     "alpha contradicts optimizer 'sgd': it belongs to 'rmsprop'"),
    ("clip-twice", compile_("good.json", "--clip-norm", "1", "--clip-value", "1"), USAGE, "clip_value contradicts clip_norm"),
    ("group-without-parameter", compile_("good.json", "--set", 'optimizer.groups=[{"match": "fc9.weight"}]'), INPUT,
     "/optimizer/groups/0/match: 'fc9.weight' matches no parameter of the model; did you mean 'fc.weight'?"),
    ("group-without-match", compile_("good.json", "--set", 'optimizer.groups=[{"lr": 1}]'), USAGE, "has no 'match'"),
    ("schedule-unknown", compile_("good.json", "--schedule", "cosin"), USAGE, "/schedule/kind: expected one of"),
    ("schedule-of-other-kind", compile_("good.json", "--schedule", "cosine", "--schedule-every", "3"), USAGE,
     "every contradicts schedule 'cosine'"),
    # Recipes.
    ("recipe-missing", compile_("good.json", "--recipe", "none.json"), IO, "none.json"),
    ("recipe-folder", compile_("good.json", "--recipe", "models"), IO, "folder"),
    ("recipe-broken", compile_("good.json", "--recipe", "broken.json"), INPUT, "not valid JSON"),
    ("recipe-deep", compile_("good.json", "--recipe", "deep.json"), INPUT, "nested deeper"),
    ("recipe-key", compile_("good.json", "--recipe", "recipe-key.json"), INPUT, "did you mean 'momentum'"),
    ("recipe-contradiction", compile_("good.json", "--recipe", "contradiction.json"), INPUT, "contradicts"),
    ("recipe-schedule", compile_("good.json", "--recipe", "schedule.json"), INPUT, "/schedule/every: expected an integer"),
    # JSON and MLIR models.
    ("model-missing", compile_("none.json"), IO, "none.json"),
    ("model-folder", compile_("models"), IO, "folder"),
    ("model-empty", compile_("empty.json"), INPUT, "empty.json"),
    ("model-broken", compile_("broken.json"), INPUT, "broken.json"),
    ("model-deep", compile_("deep.json"), INPUT, "deep.json"),
    ("model-huge-number", compile_("huge-number.json"), INPUT, "huge-number.json"),
    ("model-huge-extent", compile_("huge-extent.json"), INPUT, "huge-extent.json"),
    ("model-negative", compile_("negative.json"), INPUT, "negative.json"),
    ("model-wrong-type", compile_("wrong-type.json"), INPUT, "wrong-type.json"),
    ("model-unknown-op", compile_("unknown-op.json"), UNSUPPORTED, "linaer"),
    ("check-unknown-op", ["check", "unknown-op.json"], UNSUPPORTED, ""),
    ("model-unknown-key", compile_("unknown-key.json"), INPUT, "outt"),
    ("model-duplicate-key", compile_("duplicate-key.json"), INPUT, "halfstep"),
    ("model-duplicate-name", compile_("duplicate-name.json"), INPUT, "fc"),
    ("model-no-layers", compile_("no-layers.json"), INPUT, "layer"),
    ("model-version", compile_("version.json"), INPUT, "version"),
    ("model-array", compile_("array.json"), INPUT, "array.json"),
    ("model-not-utf8", compile_("not-utf8.json"), INPUT, "not-utf8.json"),
    ("model-binary", compile_("binary.json"), INPUT, "binary.json"),
    ("model-hostile-name", compile_("hostile-name.json"), UNSUPPORTED, "linaer"),
    ("model-newline-name", compile_("newline-name.json"), INPUT, "control character"),
    ("mlir-garbage", compile_("garbage.mlir"), INPUT, "garbage.mlir"),
    ("mlir-deep", compile_("deep.mlir"), INPUT, "deep.mlir"),
    ("mlir-incomplete", compile_("incomplete.mlir"), INPUT, "train_step"),
    # ONNX models.
    ("onnx-truncated", compile_("truncated.onnx"), INPUT, "truncated.onnx"),
    ("onnx-hostile", compile_("hostile.onnx"), INPUT, "hostile.onnx"),
    ("onnx-nested", compile_("nested.onnx"), INPUT, "nested.onnx"),
    ("onnx-short-weight", compile_("short-weight.onnx"), INPUT, "short-weight.onnx"),
    ("onnx-overflow-dims", compile_("overflow-dims.onnx"), INPUT, "overflow-dims.onnx"),
    ("onnx-unknown-op", compile_("unknown-op.onnx"), UNSUPPORTED, "Frobnicate"),
    ("onnx-shape-clash", compile_("shape-clash.onnx"), INPUT, "shape-clash.onnx"),
    ("onnx-external-parent", compile_("models/parent.onnx"), INPUT, "parent.onnx"),
    ("onnx-external-absolute", compile_("models/absolute.onnx"), INPUT, "absolute.onnx"),
    ("onnx-external-symlink", compile_("models/symlink.onnx"), INPUT, "symlink.onnx"),
    ("onnx-external-range", compile_("models/range.onnx"), INPUT, "range.onnx"),
    # Where output goes.
    ("output-under-file", ["compile", "good.json", *LOSS, "--batch", "4", "-o", "good.onnx/out"], IO, "good.onnx"),
    ("output-is-file", ["compile", "good.json", *LOSS, "--batch", "4", "-o", "good.onnx"], IO, "good.onnx"),
    ("output-in-proc", ["compile", "good.json", *LOSS, "--batch", "4", "-o", "/proc/none/out"], IO, "/proc/none"),
    ("log-full-disk", train("good.safetensors", "--log", "/dev/full"), IO, "/dev/full"),
    ("log-under-file", train("good.safetensors", "--log", "good.onnx/log"), IO, "good.onnx"),
    ("checkpoint-under-file", train("good.safetensors", "--checkpoint", "good.onnx/ck"), IO, "good.onnx"),
    ("predict-under-file", ["predict", "library", "--weights", "weights.safetensors", "--data", "good.safetensors", "-o", "good.onnx/p.npy"], IO, "good.onnx"),
    # Libraries.
    ("library-missing", ["train", "none.so", "--data", "good.safetensors", "--steps", "1"], IO, "none.so"),
    ("library-truncated", ["train", "fake.so", "--data", "good.safetensors", "--steps", "1"], INPUT, "fake.so"),
    ("library-text", ["train", "text.so", "--data", "good.safetensors", "--steps", "1"], INPUT, "text.so"),
    ("library-cut", ["train", "cut", "--data", "good.safetensors", "--steps", "1"], INPUT, "libgood.so"),
    ("library-broken-manifest", ["train", "broken", "--data", "good.safetensors", "--steps", "1"], INPUT, "manifest"),
    ("library-settled", train("good.safetensors", "--batch", "8"), USAGE, "settled when this library was compiled"),
    ("library-empty-folder", ["train", "secret", "--data", "good.safetensors", "--steps", "1"], INPUT, "secret"),
    ("explain-of-library", train("good.safetensors", "--explain-nonfinite"), USAGE, "give the model file"),
    ("on-nonfinite-unknown", train("good.safetensors", "--on-nonfinite", "pause"), USAGE, "--on-nonfinite"),
    # Ranges.
    ("ranges-no-data", ["inspect", "good.json", *LOSS, "--ranges"], USAGE, "--data FILE"),
    ("ranges-and-stage", ["inspect", "good.json", *LOSS, "--ranges", "--data", "good.safetensors", "--after", "fuse"],
     USAGE, "--ranges is a report of its own"),
    ("ranges-no-steps", ["inspect", "good.json", *LOSS, "--ranges", "--data", "good.safetensors", "--steps", "0"],
     USAGE, "--steps"),
    ("ranges-implied", ["inspect", "good.json", *LOSS, "--data", "good.safetensors"], USAGE, "--ranges"),
    ("ranges-few-samples", ["inspect", "good.json", *LOSS, "--ranges", "--data", "good.safetensors", "--batch", "99"],
     INPUT, "less than one batch of 99"),
    ("ranges-weights-missing", ["inspect", "good.json", *LOSS, "--ranges", "--data", "good.safetensors", "--batch",
                                "4", "--weights", "none.safetensors"], IO, "none.safetensors"),
    ("ranges-tpu", ["inspect", "good.json", *LOSS, "--ranges", "--data", "good.safetensors", "--target", "tpu"],
     UNSUPPORTED, "'tpu'"),
    # Data.
    ("data-none-given", ["train", "library", "--steps", "1"], USAGE, "--data"),
    ("data-missing", train("none.safetensors"), IO, "none.safetensors"),
    ("data-folder", train("models"), INPUT, "models"),
    ("data-of-model", ["train", "good.json", *LOSS, "--data", "none.safetensors"], IO, "none.safetensors"),
    ("data-no-targets", train("no-y.safetensors"), INPUT, "y"),
    ("data-wrong-dtype", train("wrong-dtype.safetensors"), INPUT, "x"),
    ("data-float-ids", train("float-ids.safetensors"), INPUT, "y"),
    ("data-wrong-shape", train("wrong-shape.safetensors"), INPUT, "x"),
    ("data-wrong-count", train("wrong-count.safetensors"), INPUT, "7"),
    ("data-nan", train("nan.safetensors"), INPUT, "x"),
    ("data-class-high", train("class-high.safetensors"), INPUT, "3"),
    ("data-class-negative", train("class-negative.safetensors"), INPUT, "-1"),
    ("data-no-samples", train("no-samples.safetensors"), INPUT, "sample"),
    ("data-cut", train("cut.safetensors"), INPUT, "cut.safetensors"),
    ("data-cut-header", train("cut-header.safetensors"), INPUT, "cut-header.safetensors"),
    ("data-long-header", train("long-header.safetensors"), INPUT, "long-header.safetensors"),
    ("data-overflow", train("overflow.safetensors"), INPUT, "overflow.safetensors"),
    ("data-beyond", train("beyond.safetensors"), INPUT, "beyond.safetensors"),
    ("data-not-json", train("not-json.safetensors"), INPUT, "not-json.safetensors"),
    ("npy-lies", train("x-lies.npy,y.npy"), INPUT, "x-lies.npy"),
    ("npy-overflow", train("x-overflow.npy,y.npy"), INPUT, "x-overflow.npy"),
    ("npy-object", train("x-object.npy,y.npy"), INPUT, "x-object.npy"),
    ("npy-cut", train("x-cut.npy,y.npy"), INPUT, "x-cut.npy"),
    ("csv-ragged", train("ragged.csv"), INPUT, "ragged.csv"),
    ("csv-words", train("words.csv"), INPUT, "words.csv"),
    # Weights and checkpoints.
    ("weights-missing", train("good.safetensors", "--weights", "none.safetensors"), IO, "none.safetensors"),
    ("weights-cut", train("good.safetensors", "--weights", "cut.safetensors"), INPUT, "cut.safetensors"),
    ("weights-shape", train("good.safetensors", "--weights", "weights-shape.safetensors"), INPUT, "fc.weight"),
    ("weights-absent", train("good.safetensors", "--weights", "weights-missing.safetensors"), INPUT, "fc.bias"),
    ("resume-missing", train("good.safetensors", "--resume", "none"), IO, "none"),
    ("resume-not-checkpoint", train("good.safetensors", "--resume", "good.safetensors"), CHECKPOINT, "good.safetensors"),
    ("resume-cut", train("good.safetensors", "--resume", "cut.safetensors"), CHECKPOINT, "cut.safetensors"),
    ("export-not-checkpoint", ["export", "good.onnx", "-o", "w.safetensors"], CHECKPOINT, "good.onnx"),
    ("export-onnx-alone", ["export", "good.safetensors", "--onnx", "out.onnx"], USAGE, "--model"),
    ("export-other-weights", ["export", "good.safetensors", "--model", "good.json", "--onnx", "out.onnx"], INPUT,
     "good.safetensors"),
    ("export-cut-weights", ["export", "cut.safetensors", "--model", "good.json", "--onnx", "out.onnx"], INPUT,
     "cut.safetensors"),
    ("generate-other-model", ["generate", "library", "--weights", "good.safetensors"], INPUT, "good.safetensors"),
    ("data-target-missing", train("words.csv", "--data-target", "nowhere"), INPUT, "nowhere"),
]


def contents(folder):
    """What is in `folder`: path -> link target, "folder" or hash."""
    found = {}
    for root, folders, files in os.walk(folder):
        for name in folders + files:
            path = os.path.join(root, name)
            if os.path.islink(path):
                found[path] = os.readlink(path)
            elif os.path.isdir(path):
                found[path] = "folder"
            else:
                with open(path, "rb") as stream:
                    found[path] = hashlib.sha256(stream.read()).hexdigest()
    return found


def run(tool, arguments, folder):
    environment = dict(os.environ, TMPDIR=os.path.join(folder, "tmp"), NO_COLOR="1", LC_ALL="C")
    return subprocess.run([tool, *arguments], cwd=folder, env=environment, timeout=SECONDS, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace")


def problems(tool, case, folder, before):
    """What is wrong with the tool's answer to `case`, as a list of lines."""
    _, arguments, code, part = case
    try:
        result = run(tool, arguments, folder)
    except subprocess.TimeoutExpired:
        return ["took longer than %d s" % SECONDS]
    found = []
    errors = [line for line in result.stderr.splitlines() if "error:" in line]
    if result.returncode < 0:
        found.append("ended by signal %d" % -result.returncode)
    elif result.returncode != code:
        found.append("exit code %d, expected %d" % (result.returncode, code))
    if len(errors) != 1 or not errors[0].startswith("halfstep: error: "):
        found.append("%d error lines, expected 1" % len(errors))
    elif part not in errors[0]:
        found.append("the diagnostic lacks %r" % part)
    changed = sorted(os.path.relpath(path, folder) for path, _ in set(before.items()) ^ set(contents(folder).items()))
    if changed:
        found.append("left or changed: %s" % ", ".join(dict.fromkeys(changed)))
    if found:
        found.append("stderr: " + (result.stderr.strip()[-400:] or "(empty)"))
    return found


def main():
    tool, chosen = os.path.abspath(sys.argv[1]), set(sys.argv[2:])
    names = [case[0] for case in CASES]
    if len(set(names)) != len(names) or chosen - set(names):
        sys.exit("bad_input.py: duplicate or unknown case names: %s" % sorted(chosen - set(names)))
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(os.path.join(folder, "tmp"))
        bad_files.write_all(folder)
        made = run(tool, ["compile", "good.json", *LOSS, "--batch", "4", "-o", "library", "--name", "good"], folder)
        if made.returncode != 0:
            print("FAIL: the good model does not compile, so that cases of the library will fail too:\n" + made.stderr)
            failed += 1
        else:
            bad_files.write_broken_libraries(folder)
        for case in CASES:
            if chosen and case[0] not in chosen:
                continue
            found = problems(tool, case, folder, contents(folder))
            if found:
                failed += 1
                print("FAIL %s: halfstep %s\n    %s" % (case[0], " ".join(case[1]), "\n    ".join(found)))
    print("bad input: %d cases, %d failed" % (len(chosen or CASES), failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
