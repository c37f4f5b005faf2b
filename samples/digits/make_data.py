"""Writes data/digits.safetensors from scikit-learn's copy of the UCI optical digits.

Needs numpy, scikit-learn and safetensors. Not part of the build: its output is kept beside the sample, and running
it again gives the same bytes. The samples are put in a fixed random order because the source lists them by writer;
with this order the last fifth is a fair held-out set.
"""

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from sklearn.datasets import load_digits

ORDER_SEED = 1998  # the year of the data set's publication; any fixed number would do
LARGEST_PIXEL = 16  # pixels are counts 0..16 of set points in a 4x4 block


def main():
    digits = load_digits()
    order = np.random.RandomState(ORDER_SEED).permutation(len(digits.target))
    x = (digits.images[order] / LARGEST_PIXEL).astype(np.float32).reshape(-1, 1, 8, 8)
    y = digits.target[order].astype(np.int64)
    out = Path(__file__).parent / "data" / "digits.safetensors"
    out.parent.mkdir(exist_ok=True)
    save_file({"x": np.ascontiguousarray(x), "y": y}, out)
    print(f"{out.name}: x {x.shape} {x.dtype}, y {y.shape} {y.dtype}")


if __name__ == "__main__":
    main()
