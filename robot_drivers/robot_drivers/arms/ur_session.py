# SPDX-License-Identifier: Apache-2.0
"""A connected UR controller that executes our control program: state, kinematics, begin and end of moves."""

from __future__ import annotations

import contextlib
import importlib.util
import re
import socket
import time
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from robot_drivers.arms.arm import ArmError, ArmLost, ArmState, ArmStopped, UnreachablePose
from robot_drivers.arms.ur_checks import check_joints, check_running
from robot_drivers.arms.ur_client import UrClient
from robot_drivers.arms.ur_config import UrArmConfig
from robot_drivers.arms.ur_pose import ur_pose_from_transform
from robot_drivers.arms.ur_snapshot import UrSnapshot

__all__ = ["UrLink", "UrSession"]

# Accepts URScript from anyone at any time; a new program ends the running one.
_SECONDARY_PORT = 30002
_LAST_RESORT_S = 0.5
_LAST_RESORT_RAD_S2 = 10.0

_UNLOCK_TIMEOUT_S = 2.0
_POLL_S = 0.01

# PolyScope major versions: 3 on a UR5 (CB3), 5 and later on a UR5e.
_FIRST_E_SERIES = 5


class UrLink(Protocol):
    """What `UrArm` needs of a connected controller; `UrSession` says what each method does and raises."""

    def close(self) -> None: ...

    def abandon(self) -> None: ...

    def snapshot(self) -> UrSnapshot: ...

    def prepare(self) -> UrSnapshot: ...

    def forward(self, q_rad: Sequence[float]) -> Sequence[float]: ...

    def inverse(self, pose: Sequence[float]) -> list[float]: ...

    def begin(self, method: str, target: Sequence[float], speed: float, acceleration: float) -> bool: ...

    def brake(self) -> None: ...

    def end_program(self) -> None: ...

    def unlock(self) -> None: ...


class UrSession:
    """One connection, from connecting to its loss; every method raises ArmLost when it is gone.

    Raises:
        ArmError: not reachable, another robot than configured, or not ready.
        ArmStopped: the robot's safety holds it.
    """

    def __init__(self, config: UrArmConfig) -> None:
        if importlib.util.find_spec("rtde_control") is None:
            raise ArmError("ur_rtde is not installed: pip install ur_rtde==1.6.5")
        self._config = config
        self._client = UrClient(config.robot_ip, config.frequency_hz, config.request_timeout_s)
        self._tcp = ur_pose_from_transform(config.T_tool0_tcp)
        try:
            self._open_receive()
            check_running(self.snapshot())
            self._check_model()
            self._client.open_control(config.watchdog_hz)
            self._set_tool()
        except ArmError:
            self._client.kill()
            raise

    def close(self) -> None:
        """Bring the arm to rest and disconnect."""
        self._client.close()

    def abandon(self) -> None:
        """Give up a broken connection; the arm is stopped through any port that still answers."""
        self._client.kill()
        with (
            contextlib.suppress(OSError),
            socket.create_connection(
                (self._config.robot_ip, _SECONDARY_PORT), timeout=_LAST_RESORT_S
            ) as script,
        ):
            script.sendall(f"def halt():\n  stopj({_LAST_RESORT_RAD_S2})\nend\n".encode())

    def snapshot(self) -> UrSnapshot:
        """Latest state of the controller."""
        snapshot = self._client.snapshot()
        if not snapshot.connected:
            raise ArmLost(f"the connection to the UR at {self._config.robot_ip} broke: connect again")
        if snapshot.age_s > self._config.data_timeout_s:
            raise ArmLost(
                f"the UR at {self._config.robot_ip} has been silent for {snapshot.age_s:.1f} s (limit "
                f"{self._config.data_timeout_s:.1f} s): check its network and that it is switched on"
            )
        return snapshot

    def prepare(self) -> UrSnapshot:
        """State of an arm that takes commands; its control program is started anew where it has ended.

        Raises:
            ArmStopped: the robot's safety holds it.
            ArmError: no power, brakes on, or the program does not start.
        """
        snapshot = self.snapshot()
        check_running(snapshot)
        if not snapshot.program_running:
            if not self._client.upload():
                raise ArmError("the UR does not start the control program: switch it to remote control")
            self._set_tool()
            snapshot = self.snapshot()
        return snapshot

    def forward(self, q_rad: Sequence[float]) -> Sequence[float]:
        """UR pose of the TCP at joint angles (6,) rad."""
        pose: Sequence[float] = self._compute("getForwardKinematics", list(q_rad), self._tcp)
        return pose

    def inverse(self, pose: Sequence[float]) -> list[float]:
        """Joint angles (6,) rad near the present ones for a UR pose.

        Raises:
            UnreachablePose: out of reach, beyond a joint's limit, or too far for a joint to turn.
        """
        q_now = np.array(self.prepare().q_rad)
        where = f"position {np.round(pose[:3], 3)} m"
        # Asked first: the inverse itself ends the control program where there is no solution.
        if not self._compute("getInverseKinematicsHasSolution", list(pose)):
            raise UnreachablePose(f"{where} is out of the arm's reach: choose another pose")
        q_rad = np.array(self._compute("getInverseKinematics", list(pose)))
        check_joints(q_rad, q_now, where, self._config)
        return [float(angle) for angle in q_rad]

    def begin(self, method: str, target: Sequence[float], speed: float, acceleration: float) -> bool:
        """Begin an asynchronous moveL or moveJ; whether the controller took it."""
        return bool(self._client.control(method, list(target), speed, acceleration, True))

    def brake(self) -> None:
        """Bring the joints to rest; returns when they are."""
        self._client.brake()

    def end_program(self) -> None:
        """End the control program, so that nothing goes on when the robot's safety releases it."""
        self._client.dashboard("stop")

    def unlock(self) -> None:
        """Release a protective stop.

        Raises:
            ArmStopped: the controller refuses, as it does for the first five seconds.
        """
        try:
            self._client.dashboard("unlockProtectiveStop")
        except ArmLost:
            raise
        except ArmError as error:
            raise ArmStopped(f"{error}; look at the cause, then try again after 5 s") from error
        deadline_s = time.monotonic() + _UNLOCK_TIMEOUT_S
        while self.snapshot().state is ArmState.PROTECTIVE_STOP and time.monotonic() < deadline_s:
            time.sleep(_POLL_S)
        check_running(self.snapshot())

    def _open_receive(self) -> None:
        try:
            self._client.open_receive()
        except ArmLost:
            raise
        except ArmError as error:
            raise ArmLost(
                f"no UR controller answers at {self._config.robot_ip}: check robot_ip, the network, and that "
                f"the robot is switched on ({error})"
            ) from error

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

    def _check_model(self) -> None:
        family = str(self._client.dashboard("getRobotModel")).lower()
        version = str(self._client.dashboard("polyscopeVersion"))
        major = re.match(r"\d+", version)
        if major is None or not re.fullmatch(r"ur\d+e?", family):
            return  # older software does not know the question
        model = family.rstrip("e") + ("e" if int(major[0]) >= _FIRST_E_SERIES else "")
        if model != self._config.model:
            raise ArmError(
                f"the robot at {self._config.robot_ip} is a {model} (PolyScope {version}), but model is "
                f"{self._config.model}: correct model or robot_ip"
            )
