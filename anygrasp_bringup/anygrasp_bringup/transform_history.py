# SPDX-License-Identifier: Apache-2.0
"""The transforms of one frame relative to its parent over time, interpolated between stamps."""

from __future__ import annotations

import bisect

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

__all__ = ["ExtrapolationException", "Transform", "TransformException", "TransformHistory"]

Transform = npt.NDArray[np.float64]  # (4, 4)


class TransformException(Exception):
    """Base of the errors of a lookup, as in tf2."""


class ExtrapolationException(TransformException):
    """A transform was asked for outside the stretch of time that is known."""


class TransformHistory:
    """`T_parent_child` by stamp; a static frame has one, valid at any time."""

    def __init__(self, parent: str, child: str, *, static: bool, cache_ns: int) -> None:
        self.parent = parent
        self.child = child
        self.static = static
        self._cache_ns = cache_ns
        self._stamps_ns: list[int] = []  # rising
        self._transforms: list[Transform] = []

    @property
    def newest_ns(self) -> int:
        """Stamp of the newest transform, nanoseconds."""
        return self._stamps_ns[-1]

    def insert(self, T_parent_child: Transform, stamp_ns: int) -> bool:
        """Store a transform, over one of the same stamp; False when it is older than the history kept."""
        if self.static:
            self._stamps_ns, self._transforms = [stamp_ns], [T_parent_child]
            return True
        if self._stamps_ns and stamp_ns < self.newest_ns - self._cache_ns:
            return False
        at = bisect.bisect_left(self._stamps_ns, stamp_ns)
        if at < len(self._stamps_ns) and self._stamps_ns[at] == stamp_ns:
            self._transforms[at] = T_parent_child
            return True
        self._stamps_ns.insert(at, stamp_ns)
        self._transforms.insert(at, T_parent_child)
        expired = bisect.bisect_left(self._stamps_ns, self.newest_ns - self._cache_ns)
        del self._stamps_ns[:expired], self._transforms[:expired]
        return True

    def at(self, stamp_ns: int) -> Transform:
        """Return `T_parent_child` (4, 4) at `stamp_ns`; raises ExtrapolationException."""
        if self.static:
            return self._transforms[0]
        first, last = self._stamps_ns[0], self._stamps_ns[-1]
        if not first <= stamp_ns <= last:
            side = "before the oldest" if stamp_ns < first else "after the newest"
            gap_s = max(first - stamp_ns, stamp_ns - last) / 1e9
            raise ExtrapolationException(
                f"'{self.child}' in '{self.parent}' was asked for at {stamp_ns / 1e9:.3f} s, {gap_s:.3f} s "
                f"{side} transform; ask within [{first / 1e9:.3f}, {last / 1e9:.3f}] s or wait for it"
            )
        after = bisect.bisect_left(self._stamps_ns, stamp_ns)
        if self._stamps_ns[after] == stamp_ns:
            return self._transforms[after]
        before = after - 1
        gap_ns = self._stamps_ns[after] - self._stamps_ns[before]
        share = (stamp_ns - self._stamps_ns[before]) / gap_ns
        return _interpolate(self._transforms[before], self._transforms[after], share)


def _interpolate(T_a: Transform, T_b: Transform, share: float) -> Transform:
    """Blend linearly in translation and along the shortest turn in rotation."""
    R_a = Rotation.from_matrix(T_a[:3, :3])
    turn = (R_a.inv() * Rotation.from_matrix(T_b[:3, :3])).as_rotvec()
    T = np.eye(4)
    T[:3, :3] = (R_a * Rotation.from_rotvec(share * turn)).as_matrix()
    T[:3, 3] = (1.0 - share) * T_a[:3, 3] + share * T_b[:3, 3]
    return T
