# SPDX-License-Identifier: Apache-2.0
"""What every parallel gripper can do, and how it fails."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

__all__ = ["Gripper", "GripperError", "GripperLost", "GripperState", "GripperTimeout"]


@dataclass(frozen=True)
class GripperState:
    """Measured by the gripper."""

    width_m: float  # between the fingers
    object_detected: bool  # the fingers were stopped by something between or outside them
    moving: bool


class GripperError(RuntimeError):
    """The gripper did not do what was asked; the message says what happened and what to do."""


class GripperLost(GripperError):
    """The connection to the gripper is gone: call `connect` again."""


class GripperTimeout(GripperLost):
    """The gripper did not answer or finish in time, and is no longer relied on."""


class Gripper(Protocol):
    """Two fingers that open to a width. As a context manager it is connected on entry and closed on exit.

    Everything raises GripperLost when the connection is gone.
    """

    @property
    def force_range_n(self) -> tuple[float, float]:
        """Newtons at force 0 and at force 1."""
        ...

    def connect(self) -> None:
        """Connect; does nothing while connected. The fingers do not move."""
        ...

    def close(self) -> None:
        """Disconnect; the fingers keep their grip."""
        ...

    def activate(self) -> None:
        """Make the gripper ready; one that is ready already does not move."""
        ...

    def move(self, width_m: float, *, speed: float, force: float) -> GripperState:
        """Move the fingers to a width, with speed and force from 0 to 1 of the gripper's range.

        Returns the state once the fingers rest: at the width, at an object, or where `stop` halted them.

        Raises:
            ValueError: width, speed or force out of range.
            GripperTimeout: the fingers did not come to rest in time.
            GripperError: the gripper reports a fault.
        """
        ...

    def state(self) -> GripperState:
        """Present state."""
        ...

    def stop(self) -> None:
        """Halt the fingers; callable from any thread."""
        ...

    def __enter__(self) -> Gripper: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
