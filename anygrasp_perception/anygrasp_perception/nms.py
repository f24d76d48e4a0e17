# SPDX-License-Identifier: Apache-2.0
"""Non-maximum suppression of grasps in SE(3), aware of the half-turn symmetry of a parallel gripper."""

import math

import numpy as np
from scipy.spatial import cKDTree

from anygrasp_perception.arrays import Float64Array, IntpArray
from anygrasp_perception.grasp_group import GraspGroup

__all__ = ["grasp_nms", "symmetric_rotation_angle"]


def grasp_nms(
    group: GraspGroup,
    translation_m: float = 0.03,
    angle_rad: float = math.radians(30.0),
    max_kept: int | None = None,
) -> IntpArray:
    """Return the indices of the grasps to keep, best score first; equal scores in their order.

    No more than `max_kept` are looked for.

    A grasp is dropped when a better kept one lies within `translation_m` **and** `angle_rad` of it, a
    half turn about the approach counting as no turn. The defaults are those of the GraspNet tools.
    Raises ValueError on negative limits.
    """
    if not (translation_m >= 0 and angle_rad >= 0):
        raise ValueError(f"limits must be >= 0, got translation_m {translation_m}, angle_rad {angle_rad}")
    kept: list[int] = []
    if len(group) == 0:
        return np.zeros(0, dtype=np.intp)
    tree = cKDTree(group.translations)
    alive = np.ones(len(group), dtype=bool)
    R = group.rotation_matrices
    for best in np.argsort(-group.scores, kind="stable"):
        if not alive[best]:
            continue
        kept.append(int(best))
        if len(kept) == max_kept:
            break
        near = np.asarray(tree.query_ball_point(group.translations[best], translation_m), dtype=np.intp)
        near = near[alive[near]]
        alive[near[symmetric_rotation_angle(R[best], R[near]) <= angle_rad]] = False
    return np.asarray(kept, dtype=np.intp)


def symmetric_rotation_angle(R_a: Float64Array, R_b: Float64Array) -> Float64Array:
    """Return the angle (...) in radians, [0, pi], between grasps (..., 3, 3), the smaller of R_b and
    R_b after a half turn about its approach; broadcasts."""
    x, y, z = np.moveaxis(np.sum(R_a * R_b, axis=-2), -1, 0)  # cosines between like axes
    # The half turn flips the signs of y and z, so the smaller angle has the larger trace.
    cos = (x + np.abs(y + z) - 1.0) / 2.0
    return np.asarray(np.arccos(np.clip(cos, -1.0, 1.0)))
