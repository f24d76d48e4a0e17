# SPDX-License-Identifier: Apache-2.0
"""A gripper without hardware, for dry runs and for tests of what is built on grippers."""

from __future__ import annotations

import threading
import time
from types import TracebackType

from robot_drivers.grippers.gripper import GripperError, GripperLost, GripperState

__all__ = ["KinematicGripper"]

_STEP_S = 0.002


class KinematicGripper:
    """A `Gripper` whose fingers move evenly; `object_width_m` is what lies between them, None for nothing.

    Args:
        open_width_m: opening of the open gripper.
        full_speed_m_s: at speed 1; at speed 0 it is 15 % of that.
        time_scale: seconds of the clock for a second of motion; 0 moves in no time.
    """

    def __init__(
        self, open_width_m: float = 0.085, full_speed_m_s: float = 0.15, time_scale: float = 1.0
    ) -> None:
        self.object_width_m: float | None = None
        self._open_width_m = open_width_m
        self._full_speed_m_s = full_speed_m_s
        self._time_scale = time_scale
        self._state = GripperState(open_width_m, object_detected=False, moving=False)
        self._connected = False
        self._active = False
        self._stop_requested = threading.Event()

    @property
    def force_range_n(self) -> tuple[float, float]:
        """See Gripper; that of a 2F-85."""
        return (20.0, 235.0)

    def connect(self) -> None:
        """See Gripper."""
        self._connected = True

    def close(self) -> None:
        """See Gripper."""
        self._connected = False

    def activate(self) -> None:
        """See Gripper."""
        self._check_connected()
        self._active = True

    def move(self, width_m: float, *, speed: float, force: float) -> GripperState:
        """See Gripper."""
        self._check_connected()
        if not self._active:
            raise GripperError("the gripper is not active: call activate first")
        if not 0.0 <= width_m <= self._open_width_m:
            raise ValueError(f"width is {width_m} m; this gripper takes 0 to {self._open_width_m} m")
        if not (0.0 <= speed <= 1.0 and 0.0 <= force <= 1.0):
            raise ValueError(f"speed {speed} and force {force} must be 0 to 1")
        self._stop_requested.clear()
        start_m = self._state.width_m
        thing_m = self.object_width_m
        blocked = thing_m is not None and width_m < thing_m <= start_m
        goal_m = thing_m if blocked and thing_m is not None else width_m
        speed_m_s = self._full_speed_m_s * (0.15 + 0.85 * speed)
        duration_s = abs(goal_m - start_m) / speed_m_s * self._time_scale
        begin_s, done = time.monotonic(), 0.0
        while done < 1.0:
            if self._stop_requested.wait(_STEP_S if duration_s > 0 else 0.0):
                self._state = GripperState(self._state.width_m, object_detected=False, moving=False)
                return self._state
            done = min(1.0, (time.monotonic() - begin_s) / duration_s) if duration_s > 0 else 1.0
            self._state = GripperState(
                start_m + done * (goal_m - start_m),
                object_detected=blocked and done == 1.0,
                moving=done < 1.0,
            )
        return self._state

    def state(self) -> GripperState:
        """See Gripper."""
        self._check_connected()
        return self._state

    def stop(self) -> None:
        """See Gripper."""
        self._check_connected()
        self._stop_requested.set()

    def __enter__(self) -> KinematicGripper:
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _check_connected(self) -> None:
        if not self._connected:
            raise GripperLost("not connected: call connect first")
