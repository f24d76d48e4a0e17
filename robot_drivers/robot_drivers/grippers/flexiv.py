# SPDX-License-Identifier: Apache-2.0
"""The gripper on a Flexiv Rizon, through flexivrdk 1.9.1."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any

from robot_drivers.arms.arm import ArmError
from robot_drivers.arms.flexiv import FlexivArm
from robot_drivers.clock import Clock, WallClock
from robot_drivers.grippers.gripper import GripperError, GripperLost, GripperState, GripperTimeout

__all__ = ["FlexivGripper", "FlexivGripperConfig"]

_POLL_S = 0.01

# By then a gripper that is going to move reports that it does.
_REACTION_S = 0.3


@dataclass(frozen=True)
class FlexivGripperConfig:
    """Name, calibration and time limits.

    Raises:
        ValueError: a value outside its range.
    """

    name: str = "Robotiq-2F-85"  # as the robot's settings call it
    open_width_m: float = 0.085  # between the open fingers, as this driver counts widths
    closed_reading_m: float = 0.0  # what the gripper reports where the fingertips meet
    open_reading_m: float = 0.085  # what it reports when open
    object_gap_m: float = 0.003  # fingers that rest this far short of their target hold something
    grasp_by_force: bool = False  # close fully by Grasp(force) instead of Move, where the gripper can
    initialize: bool = True  # run Init() on activation: most grippers need it after power-on
    move_timeout_s: float = 8.0  # longest motion of the fingers
    activation_timeout_s: float = 15.0  # longest initialization

    def __post_init__(self) -> None:
        if not 0.0 <= self.closed_reading_m < self.open_reading_m:
            raise ValueError(
                f"closed_reading_m {self.closed_reading_m} must be at least 0 and below open_reading_m "
                f"{self.open_reading_m}"
            )
        for name in ("open_width_m", "object_gap_m", "move_timeout_s", "activation_timeout_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be positive")


class FlexivGripper:
    """A `Gripper` that the robot itself drives; it lives on the connection of its arm.

    Args:
        arm: connected before the gripper is.
        clock: what it waits by for the fingers.
    """

    def __init__(
        self, arm: FlexivArm, config: FlexivGripperConfig | None = None, clock: Clock | None = None
    ) -> None:
        self.config = config or FlexivGripperConfig()
        self._clock = clock or WallClock()
        self._arm = arm
        self._gripper: Any = None
        self._limits: Any = None
        self._target_m: float | None = None
        self._stop_requested = threading.Event()

    @property
    def force_range_n(self) -> tuple[float, float]:
        """See Gripper; known once it is active."""
        limits = self._active_limits()
        return (limits.min_force, limits.max_force)

    def connect(self) -> None:
        """See Gripper; the arm has to be connected."""
        if self._gripper is not None:
            return
        try:
            self._gripper = self._arm.rdk.Gripper(self._arm.robot)
        except (ArmError, RuntimeError) as error:
            raise GripperLost(f"no gripper: {error}; connect the arm first") from error

    def close(self) -> None:
        """See Gripper."""
        self._gripper = self._limits = self._target_m = None

    def activate(self) -> None:
        """See Gripper."""
        if self._limits is not None:
            return
        name = self.config.name
        self._call(lambda gripper: gripper.Enable(name), f"does not know a gripper {name!r}: check its name")
        if self.config.initialize:
            self._call(lambda gripper: gripper.Init(), "cannot initialize the gripper")
            self._wait_for_rest(self.config.activation_timeout_s, "initialize")
        self._limits = self._call(lambda gripper: gripper.params(), "does not say the gripper's limits")

    def move(self, width_m: float, *, speed: float, force: float) -> GripperState:
        """See Gripper."""
        config = self.config
        if not 0.0 <= width_m <= config.open_width_m:
            raise ValueError(f"width is {width_m} m; this gripper takes 0 to {config.open_width_m} m")
        if not (0.0 <= speed <= 1.0 and 0.0 <= force <= 1.0):
            raise ValueError(f"speed {speed} and force {force} must be 0 to 1")
        limits = self._active_limits()
        speed_m_s = limits.min_vel + speed * (limits.max_vel - limits.min_vel)
        force_n = limits.min_force + force * (limits.max_force - limits.min_force)
        self._stop_requested.clear()
        self._target_m = width_m
        if width_m == 0.0 and config.grasp_by_force:
            self._call(lambda gripper: gripper.Grasp(force_n), "cannot grasp by force")
        else:
            reading_m = min(limits.max_width, max(limits.min_width, self._reading(width_m)))
            self._call(lambda gripper: gripper.Move(reading_m, speed_m_s, force_n), "cannot move the gripper")
        self._wait_for_rest(config.move_timeout_s, f"move to {width_m:.3f} m")
        state = self.state()
        if self._stop_requested.is_set():
            return replace(state, object_detected=False, moving=False)
        return state

    def state(self) -> GripperState:
        """See Gripper; an object is what keeps resting fingers from their target."""
        states = self._call(lambda gripper: gripper.states(), "does not say the gripper's state")
        width_m = self._width(states.width)
        short_m = 0.0 if self._target_m is None else abs(width_m - self._target_m)
        return GripperState(
            width_m=width_m,
            object_detected=not states.is_moving and short_m > self.config.object_gap_m,
            moving=states.is_moving,
        )

    def stop(self) -> None:
        """See Gripper."""
        self._call(lambda gripper: gripper.Stop(), "cannot stop the gripper")
        self._target_m = None
        self._stop_requested.set()

    def __enter__(self) -> FlexivGripper:
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _active_limits(self) -> Any:
        self._connected()
        if self._limits is None:
            raise GripperError("the gripper is not active: call activate first")
        return self._limits

    def _connected(self) -> Any:
        if self._gripper is None:
            raise GripperLost("not connected to the gripper: call connect first")
        return self._gripper

    def _call(self, request: Callable[[Any], Any], problem: str) -> Any:
        gripper = self._connected()
        try:
            connected = self._arm.robot.connected()
        except ArmError as error:
            self.close()
            raise GripperLost(f"the connection to the robot broke: {error}") from error
        try:
            return request(gripper)
        except RuntimeError as error:
            if not connected:
                self.close()
                raise GripperLost(f"the connection to the robot broke ({error}): connect again") from error
            raise GripperError(f"the Rizon {problem} ({error})") from error

    def _wait_for_rest(self, limit_s: float, what: str) -> None:
        begin_s = self._clock.now_s()
        moved = False
        while not self._stop_requested.is_set():
            moving = self._call(lambda gripper: gripper.states(), "does not say its state").is_moving
            moved = moved or moving
            waited_s = self._clock.now_s() - begin_s
            if not moving and (moved or waited_s > _REACTION_S):
                return
            if waited_s > limit_s:
                self.close()
                raise GripperTimeout(
                    f"the gripper did not {what} within {limit_s:.0f} s: is it powered and free to move?"
                )
            self._clock.wait(self._stop_requested, _POLL_S)

    def _reading(self, width_m: float) -> float:
        config = self.config
        share = width_m / config.open_width_m
        return config.closed_reading_m + share * (config.open_reading_m - config.closed_reading_m)

    def _width(self, reading_m: float) -> float:
        config = self.config
        share = (reading_m - config.closed_reading_m) / (config.open_reading_m - config.closed_reading_m)
        return config.open_width_m * min(1.0, max(0.0, share))
