"""Fit the polynomials of vmath.h: best approximations in the sense of Chebyshev, by Remez.

Needs mpmath. Prints for each function and element type the coefficients, constant term first, and
the largest weighted error in units of the type's epsilon, after rounding them to the type.
"""

from __future__ import annotations

from collections.abc import Callable

import mpmath as mp  # type: ignore[import-untyped]

mp.mp.dps = 50
TYPES = {"float": (24, 0), "double": (53, 1)}  # bits, column of the degrees below


def rounded(x: mp.mpf, bits: int) -> mp.mpf:
    """Round to `bits` bits of mantissa."""
    with mp.workprec(bits):
        return +x


def remez(f: Callable, weight: Callable, low: float, high: float, degree: int) -> list[mp.mpf]:
    """Return c so that max |weight(x) (f(x) - sum c[k] x^k)| over [low, high] is least."""
    low, high = mp.mpf(low), mp.mpf(high)
    grid = [
        (low + high) / 2 - (high - low) / 2 * mp.cos(mp.pi * k / (20 * degree + 20))
        for k in range(20 * degree + 21)
    ]
    values, weights = [f(x) for x in grid], [weight(x) for x in grid]
    points = [round(k * (len(grid) - 1) / (degree + 1)) for k in range(degree + 2)]
    for _ in range(30):
        system = mp.matrix(degree + 2, degree + 2)
        for row, i in enumerate(points):
            for k in range(degree + 1):
                system[row, k] = grid[i] ** k
            system[row, degree + 1] = (-1) ** row / weights[i]
        solution = mp.lu_solve(system, mp.matrix([values[i] for i in points]))
        c = list(solution)[:-1]
        errors = [
            w * (v - mp.polyval(c[::-1], x)) for x, v, w in zip(grid, values, weights, strict=True)
        ]
        # One extremum for each run of errors of the same sign.
        runs: list[int] = []
        for i, e in enumerate(errors):
            if runs and (errors[runs[-1]] < 0) == (e < 0):
                if abs(e) > abs(errors[runs[-1]]):
                    runs[-1] = i
            else:
                runs.append(i)
        while len(runs) > degree + 2:
            runs.pop(0 if abs(errors[runs[0]]) < abs(errors[runs[-1]]) else -1)
        if runs == points or len(runs) < degree + 2:
            break
        points = runs
    return c


def fit(name: str, f: Callable, weight: Callable, domains: dict, degrees: tuple[int, int]) -> None:
    for type_name, (low, high) in domains.items():
        bits, column = TYPES[type_name]
        c = [rounded(x, bits) for x in remez(f, weight, low, high, degrees[column])]
        worst = max(
            abs(weight(x) * (f(x) - mp.polyval(c[::-1], x)))
            for x in mp.linspace(mp.mpf(low), mp.mpf(high), 2001)
        )
        print(f"{name} {type_name}: error {mp.nstr(worst * mp.mpf(2) ** (bits - 1), 3)} epsilon")
        print("   " + ", ".join(float(x).hex() + ("f" if bits == 24 else "") for x in c))


def exp_remainder(r: mp.mpf) -> mp.mpf:
    """(exp(r) - 1 - r) / r^2."""
    return (3 + r) / 6 if abs(r) < mp.mpf(10) ** -12 else (mp.expm1(r) - r) / r**2


def log_remainder(z: mp.mpf) -> mp.mpf:
    """(log((1 + s) / (1 - s)) - 2 s) / s^3 with z = s^2."""
    if z < mp.mpf(10) ** -12:
        return mp.mpf(2) / 3 + 2 * z / 5
    s = mp.sqrt(z)
    return (2 * mp.atanh(s) - 2 * s) / s**3


def pow_remainder(z: mp.mpf) -> mp.mpf:
    """(log((1 + s) / (1 - s)) - 2 s - 2/3 s^3) / s^5 with z = s^2."""
    if z < mp.mpf(10) ** -8:
        return mp.mpf(2) / 5 + 2 * z / 7 + 2 * z**2 / 9
    s = mp.sqrt(z)
    return (2 * mp.atanh(s) - 2 * s - 2 * s**3 / 3) / s**5


def sin_remainder(z: mp.mpf) -> mp.mpf:
    """(sin(r) - r) / r^3 with z = r^2."""
    if z < mp.mpf(10) ** -12:
        return -mp.mpf(1) / 6 + z / 120
    r = mp.sqrt(z)
    return (mp.sin(r) - r) / r**3


def cos_remainder(z: mp.mpf) -> mp.mpf:
    """(cos(r) - 1 + r^2/2) / r^4 with z = r^2."""
    if z < mp.mpf(10) ** -8:
        return mp.mpf(1) / 24 - z / 720 + z**2 / 40320
    return (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2


def erf_remainder(z: mp.mpf) -> mp.mpf:
    """erf(x) / x - 1 with z = x^2."""
    if z < mp.mpf(10) ** -30:
        return 2 / mp.sqrt(mp.pi) - 1
    return mp.erf(mp.sqrt(z)) / mp.sqrt(z) - 1


def parts(name: str, x: mp.mpf, count: int) -> None:
    """Print x as a sum of `count` numbers of each type."""
    for type_name, (bits, _) in TYPES.items():
        left, found = x, []
        for _ in range(count):
            found.append(rounded(left, bits))
            left -= found[-1]
        print(f"{name} {type_name}: " + ", ".join(float(y).hex() for y in found))


def scaled_erfc(center: float) -> Callable:
    """exp(a^2) erfc(a) (a + K) as a function of t = (a - K) / (a + K)."""
    k = mp.mpf(center)

    def f(t: mp.mpf) -> mp.mpf:
        a = k * (1 + t) / (1 - t)
        return mp.exp(a * a) * mp.erfc(a) * (a + k)

    return f


def main() -> None:
    # Weights turn absolute errors into those of the result, relative to it.
    half = mp.log(2) / 2 * mp.mpf("1.0001")
    fit("exp", exp_remainder, lambda r: abs(r) + mp.mpf(1e-3),
        dict.fromkeys(TYPES, (-half, half)), (4, 10))  # fmt: skip
    largest = (mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)
    fit("log", log_remainder, lambda z: z / 2 + mp.mpf(1e-5),
        dict.fromkeys(TYPES, (0, largest**2 * 1.0001)), (2, 6))  # fmt: skip
    # The farthest a = |x| / sqrt(2) at which the normal distribution does not underflow.
    for type_name, k, limit, degree in (("float", 2.0, 10.0, 10), ("double", 4.0, 27.5, 28)):
        f = scaled_erfc(k)
        domain = (-1, (limit - k) / (limit + k))
        fit("erfc", f, lambda t, f=f: 1 / f(t), {type_name: domain}, (degree, degree))
    fit("pow", pow_remainder, lambda z: z**2 / 2 + mp.mpf(1e-9),
        dict.fromkeys(TYPES, (0, largest**2 * 1.0001)), (2, 8))  # fmt: skip
    # A little more than pi/4: the multiple of pi/2 that is taken off may not be the nearest.
    quarter = (mp.pi / 4 * mp.mpf("1.03")) ** 2
    fit("sin", sin_remainder, lambda z: z + mp.mpf(1e-3),
        dict.fromkeys(TYPES, (0, quarter)), (2, 6))  # fmt: skip
    fit("cos", cos_remainder, lambda z: z**2 / mp.cos(mp.sqrt(z)) + mp.mpf(1e-5),
        dict.fromkeys(TYPES, (0, quarter)), (2, 6))  # fmt: skip
    fit("erf", erf_remainder, lambda z: 1 / (1 + erf_remainder(z)),
        dict.fromkeys(TYPES, (0, 1)), (6, 11))  # fmt: skip
    parts("pi/2", mp.pi / 2, 3)
    parts("2/3", mp.mpf(2) / 3, 2)


if __name__ == "__main__":
    main()
