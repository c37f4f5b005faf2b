#!/usr/bin/env python3
"""Writes a table for regression by a formula, so that it needs no source and no licence.

usage: make_data.py ROWS OUT.csv

The formula is Friedman's first (Multivariate adaptive regression splines, 1991): ten features, uniform in [0, 1), of
which five count, and noise of standard deviation 1.
    y = 10 sin(pi a b) + 20 (c - 1/2)^2 + 10 d + 5 e + noise
"""

import math
import random
import sys


def main():
    rows, path = int(sys.argv[1]), sys.argv[2]
    chance = random.Random(1991)
    names = "abcdefghij"
    with open(path, "w") as out:
        out.write(",".join(["target", *names]) + "\n")
        for _ in range(rows):
            a, b, c, d, e, *rest = (chance.random() for _ in names)
            y = 10 * math.sin(math.pi * a * b) + 20 * (c - 0.5)**2 + 10 * d + 5 * e + chance.gauss(0, 1)
            out.write(",".join("%.6f" % value for value in (y, a, b, c, d, e, *rest)) + "\n")


if __name__ == "__main__":
    main()
