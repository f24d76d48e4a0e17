# SPDX-License-Identifier: Apache-2.0
"""Non-maximum suppression of grasps in SE(3), aware of the half-turn symmetry of a parallel gripper."""

import math

import numpy as np

from anygrasp_perception.arrays import Float64Array, IntpArray
from anygrasp_perception.compiled import compiled
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
    if len(group) == 0:
        return np.zeros(0, dtype=np.intp)
    places = group.translations
    axis = int(np.ptp(places, axis=0).argmax())
    along = np.argsort(places[:, axis], kind="stable")
    rank = np.empty(len(group), dtype=np.intp)
    rank[along] = np.arange(len(group))
    best_first = np.argsort(-group.scores, kind="stable")
    kept = _keep_best(
        np.ascontiguousarray(places[along]),
        np.ascontiguousarray(group.rotation_matrices[along]),
        axis,
        rank[best_first],
        translation_m,
        angle_rad,
        len(group) if max_kept is None else max_kept,
    )
    return along[kept]


@compiled
def _keep_best(
    places: Float64Array,
    rotations: Float64Array,
    axis: int,
    best_first: IntpArray,
    translation_m: float,
    angle_rad: float,
    most: int,
) -> IntpArray:
    """Rows to keep of grasps at places (N, 3), sorted along the axis; `best_first` (N,): rows by score."""
    kept = np.empty(len(best_first), dtype=np.intp)
    count = 0
    alive = np.ones(len(best_first), dtype=np.bool_)
    along = np.ascontiguousarray(places[:, axis])
    for best in best_first:
        if count == most:
            break
        if not alive[best]:
            continue
        kept[count] = best
        count += 1
        first = np.searchsorted(along, along[best] - translation_m)
        for other in range(first, len(along)):
            if along[other] > along[best] + translation_m:
                break
            if not alive[other]:
                continue
            square = 0.0
            for k in range(3):
                square += (places[other, k] - places[best, k]) ** 2
            if square > translation_m**2:
                continue
            x, y, z = 0.0, 0.0, 0.0  # cosines between like axes
            for k in range(3):
                x += rotations[best, k, 0] * rotations[other, k, 0]
                y += rotations[best, k, 1] * rotations[other, k, 1]
                z += rotations[best, k, 2] * rotations[other, k, 2]
            cosine = (x + abs(y + z) - 1.0) / 2.0  # as in `symmetric_rotation_angle`
            if math.acos(min(max(cosine, -1.0), 1.0)) <= angle_rad:
                alive[other] = False
        alive[best] = False
    return kept[:count].copy()


def symmetric_rotation_angle(R_a: Float64Array, R_b: Float64Array) -> Float64Array:
    """Return the angle (...) in radians, [0, pi], between grasps (..., 3, 3), the smaller of R_b and
    R_b after a half turn about its approach; broadcasts."""
    x, y, z = np.moveaxis(np.sum(R_a * R_b, axis=-2), -1, 0)  # cosines between like axes
    # The half turn flips the signs of y and z, so the smaller angle has the larger trace.
    cos = (x + np.abs(y + z) - 1.0) / 2.0
    return np.asarray(np.arccos(np.clip(cos, -1.0, 1.0)))
