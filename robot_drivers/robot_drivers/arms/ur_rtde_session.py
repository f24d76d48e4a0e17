# SPDX-License-Identifier: Apache-2.0
"""Moves through ur_rtde: its control program runs on the controller and takes commands over RTDE."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from robot_drivers.arms.arm import ArmError, ArmLost, UnreachablePose
from robot_drivers.arms.ur_checks import check_joints, check_running
from robot_drivers.arms.ur_session import REMOTE_CONTROL_ADVICE, UrSession, open_receive
from robot_drivers.arms.ur_snapshot import UrSnapshot

__all__ = ["UrRtdeSession"]


class UrRtdeSession(UrSession):
    """See UrSession."""

    def prepare(self) -> UrSnapshot:
        """See UrLink."""
        snapshot = self.snapshot()
        check_running(snapshot)
        if not snapshot.program_running:
            if not self._client.upload():
                self._check_remote_control()
                raise ArmError(f"the UR does not start the control program: {REMOTE_CONTROL_ADVICE}")
            self._set_tool()
            snapshot = self.snapshot()
        return snapshot

    def forward(self, q_rad: Sequence[float]) -> Sequence[float]:
        """See UrLink."""
        self.prepare()
        pose: Sequence[float] = self._compute("getForwardKinematics", list(q_rad), self._tcp)
        return pose

    def inverse(self, pose: Sequence[float]) -> list[float]:
        """See UrLink."""
        q_now = self.prepare().q_rad
        where = f"position {np.round(pose[:3], 3)} m"
        # Asked first: the inverse itself ends the control program where there is no solution.
        if not self._compute("getInverseKinematicsHasSolution", list(pose)):
            raise UnreachablePose(f"{where} is out of the arm's reach: choose another pose")
        return check_joints(self._compute("getInverseKinematics", list(pose)), q_now, where, self._config)

    def begin(self, method: str, target: Sequence[float], speed: float, acceleration: float) -> bool:
        """See UrLink."""
        return bool(self._client.control(method, list(target), speed, acceleration, True))

    def servo(self, poses: list[list[float]]) -> UrSnapshot:
        """See UrLink."""
        config = self._config
        snapshot = self._client.servo(poses, config.servo_lookahead_s, config.servo_gain)
        self._check_alive(snapshot)
        return snapshot

    def end_servo(self) -> None:
        """See UrLink."""
        self._client.end_servo()

    def brake(self) -> None:
        """See UrLink."""
        self._client.brake()

    def _open_receive(self) -> None:
        open_receive(self._client, self._config.robot_ip, registers=False)

    def _open(self) -> None:
        try:
            self._client.open_control(self._config.watchdog_hz)
        except ArmError as error:
            raise ArmLost(
                f"the UR at {self._config.robot_ip} does not run our control program ({error}): "
                f"{REMOTE_CONTROL_ADVICE}; allow ports 29999, 30002, 30003 and 30004 under Settings, "
                "Security; and look at the log on the pendant for a program that did not start"
            ) from error
        self._set_tool()

    def _compute(self, method: str, *arguments: Any) -> Any:
        answer = self._client.control(method, *arguments)
        if answer == []:  # what ur_rtde returns when the program ended meanwhile
            check_running(self.snapshot())
            raise ArmError(f"the UR did not compute {method}: its control program ended")
        return answer

    def _set_tool(self) -> None:
        config = self._config
        tool = self._client.control("setTcp", self._tcp)
        payload = self._client.control("setPayload", config.payload_kg, list(config.payload_center_m))
        if not (tool and payload):
            raise ArmError(f"the UR refused TCP {config.tcp_offset_m} m or payload {config.payload_kg} kg")
