# SPDX-License-Identifier: Apache-2.0
"""An emulated UR whose time goes on only while somebody waits for it."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable

from anygrasp_sim.emulators.robot_backend import RobotBackend
from anygrasp_sim.emulators.ur_robot import UrRobot

__all__ = ["LockstepRobot"]


class LockstepRobot:
    """The emulated controller without its network, and the `Clock` of all who drive it.

    Args:
        backend: the joints and fingers that it moves.
        period_s: of the controller.
        on_tick: called after each period, to step the physics and to watch.
    """

    def __init__(
        self,
        backend: RobotBackend,
        period_s: float = 0.008,
        on_tick: Callable[[], None] = lambda: None,
        model: str = "ur5e",
    ) -> None:
        if not period_s > 0.0:
            raise ValueError(f"period_s is {period_s}; it must be positive, e.g. 0.008")
        self.robot = UrRobot(model, backend)
        self.period_s = period_s
        self._on_tick = on_tick
        self._one_tick = threading.Lock()

    def now_s(self) -> float:
        """See Clock; seconds since the simulation began."""
        return self.robot.time_s

    def wait(self, stop: threading.Event, timeout_s: float) -> bool:
        """See Clock; at least one period passes, so that whoever asks again and again gets on."""
        for _ in range(max(1, math.ceil(timeout_s / self.period_s - 1e-6))):
            self.tick()
            if stop.is_set():
                return True
        return False

    def wait_until(self, time_s: float) -> None:
        """Let time pass until `now_s` is at least `time_s`."""
        while self.now_s() < time_s - 1e-9:
            self.tick()

    def tick(self) -> None:
        """One period of the controller, then of the physics."""
        with self._one_tick:
            self.robot.tick(self.period_s)
            self._on_tick()
