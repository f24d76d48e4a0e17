# SPDX-License-Identifier: Apache-2.0
"""Array types of the package and the checks made where arrays come in from outside."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "BoolArray",
    "Float32Array",
    "Float64Array",
    "Int32Array",
    "IntpArray",
    "Uint8Array",
    "check_points",
    "check_vector",
]

BoolArray = NDArray[np.bool_]
Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]
Int32Array = NDArray[np.int32]
IntpArray = NDArray[np.intp]
Uint8Array = NDArray[np.uint8]


def check_points(points: ArrayLike, name: str = "points") -> Float32Array:
    """Return `points` as contiguous (N, 3) float32.

    Raises ValueError on another shape and on NaN or infinite coordinates.
    """
    array = np.ascontiguousarray(_as_real(points, name), dtype=np.float32)
    if array.ndim != 2 or array.shape[1] != 3:
        raise ValueError(f"{name} must have shape (N, 3), got {array.shape}")
    finite = np.isfinite(array)
    if not finite.all():
        bad = int(np.count_nonzero(~finite.all(axis=1)))
        raise ValueError(f"{name}: {bad} of {len(array)} points are NaN or infinite; drop them first")
    return array


def check_vector(vector: ArrayLike, name: str) -> Float64Array:
    """Return `vector` as a finite (3,) float64 array, else raise ValueError."""
    array = _as_real(vector, name).astype(np.float64)
    if array.shape != (3,) or not np.isfinite(array).all():
        raise ValueError(f"{name} must be 3 finite numbers, got {vector!r}")
    return array


def _as_real(values: ArrayLike, name: str) -> NDArray[Any]:
    try:
        array = np.asarray(values)
    except ValueError as error:  # ragged nesting
        raise ValueError(f"{name} must be a rectangular array of numbers: {error}") from error
    if array.dtype.kind not in "fiu":
        raise ValueError(f"{name} must be real numbers, got {array.dtype}")
    return array
