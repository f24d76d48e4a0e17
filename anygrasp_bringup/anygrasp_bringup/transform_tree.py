# SPDX-License-Identifier: Apache-2.0
"""A tree of coordinate frames over time: the ROS-free core of TF, with tf2's rules and exceptions."""

from __future__ import annotations

import difflib
import threading

import numpy as np

from anygrasp_bringup.transform_history import (
    ExtrapolationException,
    Transform,
    TransformException,
    TransformHistory,
)

__all__ = [
    "ConnectivityException",
    "ExtrapolationException",
    "LookupException",
    "Transform",
    "TransformException",
    "TransformTree",
]


class LookupException(TransformException):
    """A frame is unknown."""


class ConnectivityException(TransformException):
    """Two known frames are not in one tree."""


class TransformTree:
    """Stores `T_parent_child` by stamp and answers `T_target_source` within the last `cache_s` seconds."""

    def __init__(self, cache_s: float = 10.0) -> None:
        if not cache_s > 0.0:
            raise ValueError(f"cache_s is {cache_s}, but must be positive")
        self._cache_ns = round(cache_s * 1e9)
        self._histories: dict[str, TransformHistory] = {}  # by child frame
        self._changed = threading.Condition()

    def set_transform(
        self, parent: str, child: str, T_parent_child: Transform, stamp_ns: int, *, static: bool = False
    ) -> bool:
        """Store one transform; False when it is older than the history kept.

        A frame that gets another parent, or turns static or moving, starts a new history.
        Raises ValueError on a transform that is not rigid or that would close a loop.
        """
        T = np.array(T_parent_child, dtype=np.float64)
        parent, child = parent.lstrip("/"), child.lstrip("/")
        _check_rigid(T, parent, child)
        with self._changed:
            if not parent or not child or child in self._chain(parent):
                raise ValueError(
                    f"'{child}' under '{parent}' is not a tree: a name is empty or a loop closes"
                )
            history = self._histories.get(child)
            if history is None or (history.parent, history.static) != (parent, static):
                history = TransformHistory(parent, child, static=static, cache_ns=self._cache_ns)
                self._histories[child] = history
            accepted = history.insert(T, stamp_ns)
            self._changed.notify_all()
            return accepted

    def lookup(self, target: str, source: str, stamp_ns: int | None = None) -> Transform:
        """Return `T_target_source` (4, 4) at `stamp_ns`, interpolated; None: the latest time known to all.

        Raises LookupException (unknown frame), ConnectivityException (two trees), ExtrapolationException.
        """
        with self._changed:
            source_branch, target_branch = self._branches(target, source)
            if stamp_ns is None:
                stamp_ns = self._newest_common(source_branch + target_branch)
            T_top_source = self._compose(source_branch, stamp_ns)
            T_top_target = self._compose(target_branch, stamp_ns)
        return _inverse(T_top_target) @ T_top_source

    def latest_common_stamp(self, target: str, source: str) -> int:
        """Return the latest stamp in nanoseconds at which `lookup` answers; 0 where all frames are static."""
        with self._changed:
            source_branch, target_branch = self._branches(target, source)
            return self._newest_common(source_branch + target_branch)

    def can_transform(
        self, target: str, source: str, stamp_ns: int | None = None, timeout_s: float = 0.0
    ) -> bool:
        """Whether `lookup` answers, now or within `timeout_s`."""
        with self._changed:
            return self._changed.wait_for(lambda: self._answers(target, source, stamp_ns), timeout_s)

    def frames(self) -> list[str]:
        """Return all frame names, sorted."""
        with self._changed:
            return sorted({*self._histories, *(history.parent for history in self._histories.values())})

    def clear(self) -> None:
        """Forget every moving transform, as after a jump back in time; static ones stay."""
        with self._changed:
            self._histories = {child: h for child, h in self._histories.items() if h.static}

    def _answers(self, target: str, source: str, stamp_ns: int | None) -> bool:
        try:
            self.lookup(target, source, stamp_ns)  # the condition's lock is reentrant
        except TransformException:
            return False
        return True

    def _chain(self, frame: str) -> list[str]:
        """Return `frame` and the frames above it, up to the root; set_transform refuses loops."""
        chain = [frame]
        while chain[-1] in self._histories:
            chain.append(self._histories[chain[-1]].parent)
        return chain

    def _branches(self, target: str, source: str) -> tuple[list[str], list[str]]:
        """Return the frames from source, and from target, up to below their nearest common ancestor."""
        source, target = source.lstrip("/"), target.lstrip("/")
        known = self.frames()
        for frame in (source, target):
            if frame not in known:
                close = difflib.get_close_matches(frame, known, 1)
                hint = f"did you mean '{close[0]}'?" if close else f"known: {', '.join(known) or 'none'}"
                raise LookupException(f"frame '{frame}' does not exist; {hint}")
        source_chain, target_chain = self._chain(source), self._chain(target)
        common = next((frame for frame in source_chain if frame in target_chain), None)
        if common is None:
            raise ConnectivityException(
                f"no transform connects the trees of '{source}' (root '{source_chain[-1]}') and "
                f"'{target}' (root '{target_chain[-1]}')"
            )
        return source_chain[: source_chain.index(common)], target_chain[: target_chain.index(common)]

    def _newest_common(self, frames: list[str]) -> int:
        histories = (self._histories[frame] for frame in frames)
        return min((history.newest_ns for history in histories if not history.static), default=0)

    def _compose(self, branch: list[str], stamp_ns: int) -> Transform:
        """Return the transform from the first frame of `branch` to the parent of its last."""
        T_top_frame = np.eye(4)
        for frame in branch:
            T_top_frame = self._histories[frame].at(stamp_ns) @ T_top_frame
        return T_top_frame


def _inverse(T: Transform) -> Transform:
    inverse = np.eye(4)
    inverse[:3, :3] = T[:3, :3].T
    inverse[:3, 3] = -T[:3, :3].T @ T[:3, 3]
    return inverse


def _check_rigid(T: Transform, parent: str, child: str) -> None:
    rigid = (
        T.shape == (4, 4)
        and bool(np.isfinite(T).all())
        and np.allclose(T[:3, :3] @ T[:3, :3].T, np.eye(3), atol=1e-6)
        and np.linalg.det(T[:3, :3]) > 0.0
        and np.array_equal(T[3], [0.0, 0.0, 0.0, 1.0])
    )
    if not rigid:
        raise ValueError(f"the transform of '{child}' in '{parent}' is not rigid: {T.tolist()}")
