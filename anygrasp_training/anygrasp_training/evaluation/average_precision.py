# SPDX-License-Identifier: Apache-2.0
"""Precision at k and average precision of ranked grasps, as the GraspNet benchmark defines them."""

import numpy as np
from numpy.typing import ArrayLike

from anygrasp_perception.arrays import Float64Array

__all__ = ["precision_at_k"]


def precision_at_k(friction: ArrayLike, limits: ArrayLike, top: int) -> Float64Array:
    """Return precision (top, L): row k - 1 is the share of good grasps among the k best.

    `friction` (N,) is what each grasp needs, best ranked first, infinite for one that fails; it is good at
    a limit (L,) that it does not exceed. Missing grasps count as failures: k divides even when N < k. The
    mean over rows is the average precision at each limit, the mean of all is AP.
    """
    needed = np.full(top, np.inf)
    ranked = np.asarray(friction, dtype=np.float64)[:top]
    needed[: len(ranked)] = ranked
    # A hair of slack, so that a slope of exactly 0.4 is good at 0.4.
    good = needed[:, None] <= np.asarray(limits, dtype=np.float64) + 1e-6
    return np.asarray(np.cumsum(good, axis=0) / np.arange(1, top + 1)[:, None])
