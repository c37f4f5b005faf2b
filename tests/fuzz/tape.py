"""Numbers in float64 that know how far a right program may be off, and the gradient of one of them by all others.

Each number carries two error coefficients: a program that computes with unit roundoff c and stores tensors with unit
roundoff s is off by at most `arithmetic` c + `storage` s, to first order. Both grow by the rules of running error
analysis (Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 3.3): an operation passes its operands'
errors on, times its partial derivatives, and adds its own rounding. The reverse sweep does the same for the gradient,
whose factors, the partial derivatives, are off as well.
"""

import math

# The rounding of a type's numbers below this is no longer relative: 2^-14 in f16, whose range is the narrowest.
SMALLEST = 2.0**-14
# A library function in f32 is off by at most this many roundings.
FUNCTION_ROUNDINGS = 4
# Of arithmetic and of storage, in the modes that are tested: f32 and bf16.
LARGEST_ROUNDOFFS = (2.0**-24, 2.0**-8)


class Unsuitable(Exception):
    """The operation has no derivative here, or next to here."""


class Tape:
    """The numbers, in the order of their computation; a number is an index."""

    def __init__(self):
        self.value, self.arithmetic, self.storage = [], [], []
        self.parents = []  # of each: (operand, partial derivative, its arithmetic error, its storage error)
        self.stores = set()  # numbers whose gradients are stored, and summed in the type that is stored

    def __len__(self):
        return len(self.value)

    def truncate(self, length):
        for column in (self.value, self.arithmetic, self.storage, self.parents):
            del column[length:]
        self.stores = {number for number in self.stores if number < length}

    def _append(self, value, arithmetic, storage, parents):
        self.value.append(value)
        self.arithmetic.append(arithmetic)
        self.storage.append(storage)
        self.parents.append(parents)
        return len(self.value) - 1

    def constant(self, value):
        return self._append(float(value), 0.0, 0.0, ())

    def stored(self, x):
        """The number as another operation reads it: rounded to the type in which tensors lie in memory."""
        v = self.value[x]
        number = self._append(v, self.arithmetic[x], self.storage[x] + max(abs(v), SMALLEST), ((x, 1.0, 0.0, 0.0),))
        self.stores.add(number)
        return number

    def add(self, a, b):
        v = self.value[a] + self.value[b]
        return self._append(v, self.arithmetic[a] + self.arithmetic[b] + abs(v), self.storage[a] + self.storage[b],
                            ((a, 1.0, 0.0, 0.0), (b, 1.0, 0.0, 0.0)))

    def sub(self, a, b):
        v = self.value[a] - self.value[b]
        return self._append(v, self.arithmetic[a] + self.arithmetic[b] + abs(v), self.storage[a] + self.storage[b],
                            ((a, 1.0, 0.0, 0.0), (b, -1.0, 0.0, 0.0)))

    def mul(self, a, b):
        x, y = self.value[a], self.value[b]
        ax, ay, sx, sy = self.arithmetic[a], self.arithmetic[b], self.storage[a], self.storage[b]
        v = x * y
        return self._append(v, abs(x) * ay + abs(y) * ax + abs(v), abs(x) * sy + abs(y) * sx,
                            ((a, y, ay, sy), (b, x, ax, sx)))

    def scale(self, a, factor):
        v = self.value[a] * factor
        return self._append(v, abs(factor) * self.arithmetic[a] + abs(v), abs(factor) * self.storage[a],
                            ((a, factor, abs(factor), 0.0),))

    def sum(self, terms):
        """A sum in any order."""
        values = [self.value[term] for term in terms]
        rounding = (len(terms) - 1) * math.fsum(map(abs, values))
        return self._append(math.fsum(values), sum(self.arithmetic[term] for term in terms) + rounding,
                            sum(self.storage[term] for term in terms), tuple((term, 1.0, 0.0, 0.0) for term in terms))

    def apply(self, x, value, slope, curvature, reread=0.0, terms=0.0):
        """A function of one number: its value, first and second derivative there. Where the derivative is computed
        from the stored result, `reread` is its change by a relative change of that result. `terms` are the magnitudes
        of what is summed, in value or derivative, where that may cancel."""
        ax, sx = self.arithmetic[x], self.storage[x]
        return self._append(value, abs(slope) * ax + FUNCTION_ROUNDINGS * max(abs(value), terms), abs(slope) * sx,
                            ((x, slope, abs(curvature) * ax + FUNCTION_ROUNDINGS * (max(abs(slope), terms) + reread),
                              abs(curvature) * sx + reread),))

    def detached(self, x):
        """The same number, through which no gradient flows."""
        return self._append(self.value[x], self.arithmetic[x], self.storage[x], ())

    def exp(self, x):
        v = math.exp(self.value[x])
        return self.apply(x, v, v, v, v)

    def reciprocal(self, x):
        v = 1 / self.apart(x)
        return self.apply(x, v, -v * v, 2 * v**3, 2 * v * v)

    def sqrt(self, x):
        v = math.sqrt(self.apart(x, positive=True))
        return self.apply(x, v, 0.5 / v, 0.25 / v**3, 0.5 / v)

    def log(self, x):
        v = self.apart(x, positive=True)
        return self.apply(x, math.log(v), 1 / v, 1 / v**2)

    def apart(self, x, y=None, positive=False):
        """The number `x`, which no program takes for 0, or for `y` (an index), whatever its errors."""
        distance = self.value[x] - (0.0 if y is None else self.value[y])
        off = sum(self.error(number, *LARGEST_ROUNDOFFS) for number in (x, y) if number is not None)
        if not abs(distance) > 4 * off + 2.0**-6 or (positive and distance < 0):
            raise Unsuitable
        return self.value[x]

    def error(self, x, arithmetic, storage):
        """How far the number may be off where the unit roundoffs are these."""
        return self.arithmetic[x] * arithmetic + self.storage[x] * storage

    def gradients(self, loss, wanted):
        """Of `loss` by each of `wanted`: (value, arithmetic error, storage error); and the largest adjoint met."""
        values, arithmetic, storage = {loss: 1.0}, {loss: 0.0}, {loss: 0.0}
        terms = {}  # sums of magnitudes and counts of what flows into a number
        wanted, found, largest = set(wanted), {}, 0.0
        for number in range(loss, -1, -1):
            if number not in values:
                continue
            adjoint, a, s = values.pop(number), arithmetic.pop(number), storage.pop(number)
            total, count = terms.pop(number, (0.0, 1))
            a += (count - 1) * total
            s += (count - 1) * total
            if number in self.stores:
                s += max(abs(adjoint), SMALLEST)
            largest = max(largest, abs(adjoint))
            if number in wanted:
                found[number] = (adjoint, a, s)
            for operand, slope, slopeArithmetic, slopeStorage in self.parents[number]:
                flow = adjoint * slope
                values[operand] = values.get(operand, 0.0) + flow
                arithmetic[operand] = (arithmetic.get(operand, 0.0) + abs(slope) * a
                                       + abs(adjoint) * slopeArithmetic + abs(flow))
                storage[operand] = storage.get(operand, 0.0) + abs(slope) * s + abs(adjoint) * slopeStorage
                total, count = terms.get(operand, (0.0, 0))
                terms[operand] = (total + abs(flow), count + 1)
        return {number: found.get(number, (0.0, 0.0, 0.0)) for number in wanted}, largest
