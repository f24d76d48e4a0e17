# SPDX-License-Identifier: Apache-2.0
"""A hand-over between two threads in which the latest item wins and replaced ones are counted."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

__all__ = ["LatestSlot"]

Item = TypeVar("Item")


class LatestSlot(Generic[Item]):
    """One place for one item: `put` never blocks, `take` waits for the next item.

    It keeps slow work off a callback thread without a queue that falls behind the camera.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._item: Item | None = None
        self._full = False
        self._closed = False
        self._dropped = 0

    def put(self, item: Item) -> None:
        """Store `item`; one that nobody took is dropped and counted. Ignored once closed."""
        with self._changed:
            if self._closed:
                return
            self._dropped += self._full
            self._item, self._full = item, True
            self._changed.notify()

    def take(self, timeout_s: float | None = None) -> Item | None:
        """Remove and return the item; None after `timeout_s` or once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._full or self._closed, timeout_s)
            item, self._item, self._full = self._item, None, False
            return item

    def close(self) -> None:
        """Wake every waiting `take`, which returns None from now on."""
        with self._changed:
            self._closed, self._item, self._full = True, None, False
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        """Whether `close` was called: tells a None of `take` that means the end from a time-out."""
        with self._changed:
            return self._closed

    @property
    def dropped(self) -> int:
        """Number of items replaced before anybody took them."""
        with self._changed:
            return self._dropped
