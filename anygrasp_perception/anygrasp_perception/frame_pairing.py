# SPDX-License-Identifier: Apache-2.0
"""Pairs colour and depth images by stamp, keeps the newest pair, and counts what it drops."""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["FramePair", "FramePairing"]

Message = TypeVar("Message")

# An image that is older than the newest pair by more than this is not late: the clock was set back, or the
# newest one was stamped in the future.
_JUMP_BACK_NS = 1_000_000_000


@dataclass(frozen=True)
class FramePair(Generic[Message]):
    """A colour and a depth image of the same moment; `stamp_ns` is the depth image's."""

    color: Message
    depth: Message
    stamp_ns: int


class FramePairing(Generic[Message]):
    """Thread-safe meeting point of two image streams and the readers of the newest pair.

    An image waits for its partner until a newer pair is complete or `capacity` images of its stream
    have arrived since. Readers always get the newest pair; pairs nobody read count as `superseded`.
    Stamps that jump back by over a second begin anew, so that one wrong stamp does not shut out all later
    images.
    """

    def __init__(self, tolerance_s: float = 0.02, capacity: int = 8) -> None:
        """`tolerance_s`: largest difference of the two stamps; realsense-ros gives equal stamps."""
        if not tolerance_s >= 0:
            raise ValueError(f"tolerance_s is {tolerance_s}; it must be 0 or more")
        if capacity < 1:
            raise ValueError(f"capacity is {capacity}; it must be at least 1")
        self._tolerance_ns = round(tolerance_s * 1e9)
        self._capacity = capacity
        self._waiting: dict[str, OrderedDict[int, Message]] = {"color": OrderedDict(), "depth": OrderedDict()}
        self._newest: FramePair[Message] | None = None
        self._newest_was_read = True
        self._closed = False
        self._drops: Counter[str] = Counter()
        self._changed = threading.Condition()

    def add_color(self, stamp_ns: int, message: Message) -> None:
        """Take a colour image."""
        self._add("color", "depth", stamp_ns, message)

    def add_depth(self, stamp_ns: int, message: Message) -> None:
        """Take a depth image aligned to the colour image."""
        self._add("depth", "color", stamp_ns, message)

    def wait(self, newer_than_ns: int, timeout_s: float) -> FramePair[Message] | None:
        """The newest pair stamped later than `newer_than_ns`, or None after `timeout_s` or `close`."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while self._newest is None or self._newest.stamp_ns <= newer_than_ns:
                if self._closed or not self._changed.wait(deadline - time.monotonic()):
                    return None
            self._newest_was_read = True
            return self._newest

    def wait_unread(self, timeout_s: float) -> FramePair[Message] | None:
        """The newest pair if nobody has read it, whatever its stamp; None after `timeout_s` or `close`."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or not self._newest_was_read, timeout_s)
            if self._closed or self._newest_was_read:
                return None
            self._newest_was_read = True
            return self._newest

    @property
    def newest_ns(self) -> int | None:
        """Stamp of the newest pair; None before the first, and after the stamps have jumped back."""
        with self._changed:
            return None if self._newest is None else self._newest.stamp_ns

    def drops(self) -> dict[str, int]:
        """Images dropped so far, by reason: unpaired, out_of_order, superseded; and times of jumped_back."""
        with self._changed:
            return dict(self._drops)

    def close(self) -> None:
        """Wake all readers; later waits return at once."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _add(self, own: str, other: str, stamp_ns: int, message: Message) -> None:
        with self._changed:
            if self._newest is not None and stamp_ns < self._newest.stamp_ns - _JUMP_BACK_NS:
                self._drops["jumped_back"] += 1
                self._newest, self._newest_was_read = None, True
                for waiting in self._waiting.values():
                    waiting.clear()
            if self._newest is not None and stamp_ns <= self._newest.stamp_ns - self._tolerance_ns:
                self._drops["out_of_order"] += 1
                return
            partners = self._waiting[other]
            partner_ns = min(partners, key=lambda t: abs(t - stamp_ns), default=None)
            if partner_ns is None or abs(partner_ns - stamp_ns) > self._tolerance_ns:
                self._keep(own, stamp_ns, message)
                return
            partner = partners.pop(partner_ns)
            color, depth = (message, partner) if own == "color" else (partner, message)
            self._complete(FramePair(color, depth, stamp_ns if own == "depth" else partner_ns))

    def _keep(self, own: str, stamp_ns: int, message: Message) -> None:
        waiting = self._waiting[own]
        waiting[stamp_ns] = message
        if len(waiting) > self._capacity:
            waiting.popitem(last=False)
            self._drops["unpaired"] += 1

    def _complete(self, pair: FramePair[Message]) -> None:
        for waiting in self._waiting.values():
            for stamp_ns in [t for t in waiting if t <= pair.stamp_ns]:
                del waiting[stamp_ns]
                self._drops["unpaired"] += 1
        if not self._newest_was_read:
            self._drops["superseded"] += 1
        self._newest, self._newest_was_read = pair, False
        self._changed.notify_all()
