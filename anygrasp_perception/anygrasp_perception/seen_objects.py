# SPDX-License-Identifier: Apache-2.0
"""What hangs together on the objects as they are seen, and how far off its middle a grasp closes."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from anygrasp_perception.arrays import Float32Array, Float64Array
from anygrasp_perception.connected_pieces import pieces_within
from anygrasp_perception.grasp_group import GraspGroup

__all__ = ["SeenObjects"]

_LEAST_RADIUS_M = 0.02  # depth noise moves the middle of smaller things by a good part of them


class SeenObjects:
    """Points on objects, in pieces that hang together; objects that touch are one piece.

    The true centre of mass of an object is not seen; the mean of its visible points stands for it.
    """

    def __init__(self, points: Float32Array, reach_m: float) -> None:
        """`points` (N, 3) on objects, metres, or none; two within `reach_m` are of one piece."""
        self._tree = cKDTree(points) if len(points) else None
        if self._tree is None:
            return
        self._piece = pieces_within(self._tree, reach_m)
        sizes = np.bincount(self._piece)
        count = len(sizes)
        sums = [np.bincount(self._piece, points[:, axis], count) for axis in range(3)]
        self._middles = np.stack(sums, axis=1) / sizes[:, None]
        radii = np.full(count, _LEAST_RADIUS_M)
        np.maximum.at(radii, self._piece, np.linalg.norm(points - self._middles[self._piece], axis=1))
        self._radii = radii

    def off_centre(self, grasps: GraspGroup) -> Float64Array:
        """Return (G,) how far the piece's middle lies from the plane that the fingers close in, over the
        piece's radius, 0 to 1: the paper's stable score (IV-A) of what is seen. The piece is the one nearest
        to the grasp. 0 where there is none; grasps in the points' frame."""
        if self._tree is None or len(grasps) == 0:
            return np.zeros(len(grasps))
        held = grasps.pad_middles
        piece = self._piece[self._tree.query(held)[1]]
        across = np.einsum("gi,gi->g", self._middles[piece] - held, grasps.rotation_matrices[:, :, 2])
        return np.asarray(np.minimum(np.abs(across) / self._radii[piece], 1.0))
