# SPDX-License-Identifier: Apache-2.0
"""The last step before any gripper: no harder than the limits, and only numbers."""

from __future__ import annotations

import math
from types import TracebackType

from robot_drivers.grippers.gripper import Gripper, GripperState
from robot_drivers.safety.limits import SafetyLimits

__all__ = ["SafeGripper"]


class SafeGripper:
    """A `Gripper` whose force is cut down to the limit.

    Raises:
        ValueError: from `move`, width, speed or force out of range; nothing has moved.
    """

    def __init__(self, gripper: Gripper, limits: SafetyLimits) -> None:
        self._gripper = gripper
        self._limits = limits

    @property
    def force_range_n(self) -> tuple[float, float]:
        """See Gripper."""
        return self._gripper.force_range_n

    def move(self, width_m: float, *, speed: float, force: float) -> GripperState:
        """See Gripper."""
        if not 0.0 <= width_m < math.inf:
            raise ValueError(f"width is {width_m} m; it must be a number of metres, 0 or more")
        if not (0.0 <= speed <= 1.0 and 0.0 <= force <= 1.0):
            raise ValueError(f"speed {speed} and force {force} must be 0 to 1")
        return self._gripper.move(width_m, speed=speed, force=min(force, self._highest_force()))

    def connect(self) -> None:
        """See Gripper."""
        self._gripper.connect()

    def close(self) -> None:
        """See Gripper."""
        self._gripper.close()

    def activate(self) -> None:
        """See Gripper."""
        self._gripper.activate()

    def state(self) -> GripperState:
        """See Gripper."""
        return self._gripper.state()

    def stop(self) -> None:
        """See Gripper."""
        self._gripper.stop()

    def __enter__(self) -> SafeGripper:
        self._gripper.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._gripper.__exit__(kind, error, trace)

    def _highest_force(self) -> float:
        """Share of the gripper's range that the limit allows."""
        low_n, high_n = self._gripper.force_range_n
        limit_n = self._limits.max_grip_force_n
        if limit_n < low_n:
            raise ValueError(
                f"max_grip_force_n is {limit_n} N, but this gripper presses at least {low_n} N: raise the "
                "limit or take another gripper"
            )
        return min(1.0, (limit_n - low_n) / (high_n - low_n))
