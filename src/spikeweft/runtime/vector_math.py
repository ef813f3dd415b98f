"""Exponential and logarithm in single precision, for compiled loops that work on many at a time.

Those of the C library are called one number at a time. These are the polynomials of the Cephes
library (Moshier 1989), without branches, so that the compiler puts as many numbers into a register
as fit. Their relative error is below 3e-7. What is not a number stays so.

They are inlined where they are used, in loops compiled with `ARITHMETIC`.
"""

from typing import no_type_check

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

ARITHMETIC = {"contract", "arcp", "nsz"}
"""What a loop may do that uses these functions: fuse products and sums, but not reorder sums."""

_f, _i = np.float32, np.int32
_LOG2_E, _LN2_HIGH, _LN2_LOW = _f(1.44269504), _f(0.693359375), _f(-2.12194440e-4)
_LOWEST_EXPONENT, _HIGHEST_EXPONENT = _f(-87.0), _f(89.0)
_ROOT_HALF_BITS = _i(0x3F3504F3)
_ONE, _HALF, _TWO = _f(1.0), _f(0.5), _f(2.0)


@intrinsic
@no_type_check  # numba reads it
def float_of(typing_context, bits):  # noqa: ARG001
    """The single-precision number with these 32 bits."""

    def generate(context, builder, signature, arguments):  # noqa: ARG001
        return builder.bitcast(arguments[0], context.get_value_type(types.float32))

    return types.float32(types.int32), generate


@intrinsic
@no_type_check
def bits_of(typing_context, number):  # noqa: ARG001
    """The 32 bits of a single-precision number."""

    def generate(context, builder, signature, arguments):  # noqa: ARG001
        return builder.bitcast(arguments[0], context.get_value_type(types.int32))

    return types.int32(types.float32), generate


@njit(inline="always", error_model="numpy", fastmath=ARITHMETIC)
@no_type_check
def size_of(x):
    """Compute |x|."""
    return float_of(bits_of(x) & _i(2**31 - 1))


@njit(inline="always", error_model="numpy", fastmath=ARITHMETIC)
@no_type_check
def one_if_positive(x):
    """Compute 1 for a positive number, also for 0.0, and 0 for a negative one, without a branch."""
    return _HALF + float_of((bits_of(x) & _i(-(2**31))) | _i(0x3F000000))


@njit(inline="always", error_model="numpy", fastmath=ARITHMETIC)
@no_type_check
def exponential(x):
    """Compute eˣ; infinite above 88, and not below e⁻⁸⁷."""
    x = _LOWEST_EXPONENT if x < _LOWEST_EXPONENT else x
    x = _HIGHEST_EXPONENT if x > _HIGHEST_EXPONENT else x
    n = _i(np.floor(x * _LOG2_E + _HALF))
    whole = _f(n)
    r = x - whole * _LN2_HIGH
    r = r - whole * _LN2_LOW
    p = _f(1.9875691500e-4)
    p = p * r + _f(1.3981999507e-3)
    p = p * r + _f(8.3334519073e-3)
    p = p * r + _f(4.1665795894e-2)
    p = p * r + _f(1.6666665459e-1)
    p = p * r + _f(5.0000001201e-1)
    mantissa = p * r * r + r + _ONE
    return mantissa * float_of(_i((n + _i(127)) << _i(23)))


@njit(inline="always", error_model="numpy", fastmath=ARITHMETIC)
@no_type_check
def logarithm(x):
    """Compute log x of a positive number that is not denormal; of infinity it is not a number."""
    bits = bits_of(x)
    n = _i((bits - _ROOT_HALF_BITS) >> _i(23))
    m = float_of(_i(bits - (n << _i(23)))) - _ONE
    p = _f(7.0376836292e-2)
    p = p * m + _f(-1.1514610310e-1)
    p = p * m + _f(1.1676998740e-1)
    p = p * m + _f(-1.2420140846e-1)
    p = p * m + _f(1.4249322787e-1)
    p = p * m + _f(-1.6668057665e-1)
    p = p * m + _f(2.0000714765e-1)
    p = p * m + _f(-2.4999993993e-1)
    p = p * m + _f(3.3333331174e-1)
    whole, square = _f(n), m * m
    low = p * m * square + whole * _LN2_LOW - _HALF * square
    return m + low + whole * _LN2_HIGH + (x - x)


@njit(inline="always", error_model="numpy", fastmath=ARITHMETIC)
@no_type_check
def logarithm_above_one(x):
    """Compute log(1 + x) of a number from 0 to 1, with a small relative error however small it is.

    It is 2 artanh(x / (2 + x)), by its series.
    """
    s = x / (x + _TWO)
    z = s * s
    p = _f(2.0 / 15.0)
    p = p * z + _f(2.0 / 13.0)
    p = p * z + _f(2.0 / 11.0)
    p = p * z + _f(2.0 / 9.0)
    p = p * z + _f(2.0 / 7.0)
    p = p * z + _f(2.0 / 5.0)
    p = p * z + _f(2.0 / 3.0)
    return (p * z + _TWO) * s
