# SPDX-License-Identifier: Apache-2.0
"""A connected UR controller: state, stops and their release; subclasses begin moves by one transport each."""

from __future__ import annotations

import contextlib
import importlib.util
import re
import socket
from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from robot_drivers.arms.arm import ArmError, ArmLost, ArmState, ArmStopped, UnreachablePose
from robot_drivers.arms.ur_client import UrClient
from robot_drivers.arms.ur_config import UrArmConfig
from robot_drivers.arms.ur_pose import ur_pose_from_transform
from robot_drivers.arms.ur_snapshot import UrSnapshot

__all__ = [
    "REMOTE_CONTROL_ADVICE",
    "SECONDARY_PORT",
    "UrSession",
    "check_remote_control",
    "check_running",
    "open_receive",
]

# Accepts URScript from anyone at any time; a new program ends the running one.
SECONDARY_PORT = 30002
_LAST_RESORT_S = 0.5
_LAST_RESORT_RAD_S2 = 10.0

# PolyScope: major version 3 on a UR5 (CB3), 5 and later on a UR5e; remote control is asked for from 5.6 on.
_FIRST_E_SERIES = 5
_FIRST_REMOTE_CONTROL = (5, 6)

REMOTE_CONTROL_ADVICE = (
    "switch it to Remote Control at the top right of the pendant (Settings, System, Remote Control enables "
    "the button)"
)


class UrSession(ABC):
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
            self._check_remote_control()
            self._open()
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
                (self._config.robot_ip, SECONDARY_PORT), timeout=_LAST_RESORT_S
            ) as script,
        ):
            script.sendall(f"def halt():\n  stopj({_LAST_RESORT_RAD_S2})\nend\n".encode())

    def snapshot(self) -> UrSnapshot:
        """Latest state of the controller."""
        snapshot = self._client.snapshot()
        self._check_alive(snapshot)
        return snapshot

    @abstractmethod
    def prepare(self) -> UrSnapshot:
        """State of an arm that takes commands; its control program is started anew where it has ended.

        Raises:
            ArmStopped: the robot's safety holds it.
            ArmError: no power, brakes on, or the program does not start.
        """

    @abstractmethod
    def forward(self, q_rad: Sequence[float]) -> Sequence[float]:
        """UR pose of the TCP at joint angles (6,) rad."""

    @abstractmethod
    def inverse(self, pose: Sequence[float]) -> list[float]:
        """Joint angles (6,) rad near the present ones for a UR pose.

        Raises:
            UnreachablePose: out of reach, beyond a joint's limit, or too far for a joint to turn.
        """

    @abstractmethod
    def begin(self, method: str, target: Sequence[float], speed: float, acceleration: float) -> bool:
        """Begin a moveL or moveJ; whether the controller took it."""

    @abstractmethod
    def servo(self, poses: list[list[float]]) -> UrSnapshot:
        """Servo through UR poses, one a controller period, and hold the last."""

    @abstractmethod
    def end_servo(self) -> None:
        """Bring a servoing arm to rest."""

    @abstractmethod
    def brake(self) -> None:
        """Bring the joints to rest; returns when they are."""

    def end_program(self) -> None:
        """End the control program, so that nothing goes on when the robot's safety releases it."""
        self._client.dashboard("stop")

    @abstractmethod
    def _open(self) -> None:
        """Get ready to move."""

    @abstractmethod
    def _open_receive(self) -> None:
        """Connect to the state stream."""

    def _check_alive(self, snapshot: UrSnapshot) -> None:
        robot = f"the UR at {self._config.robot_ip}"
        if not snapshot.connected:
            raise ArmLost(f"the connection to {robot} broke: connect again")
        if snapshot.age_s > self._config.data_timeout_s:
            raise ArmLost(
                f"{robot} has been silent for {snapshot.age_s:.1f} s (limit "
                f"{self._config.data_timeout_s:.1f} s): check its network and that it is switched on"
            )
        try:
            snapshot.check_numbers()
        except ValueError as error:
            raise ArmLost(f"{robot} sends nonsense ({error}): is it a UR controller?") from error

    def _check_joints(self, where: str, q_rad: Sequence[float], q_now: Sequence[float]) -> list[float]:
        """The joints of a pose, unless they are beyond the limits."""
        q, limit_rad = np.array(q_rad), self._config.joint_limit_rad
        joint = int(np.argmax(np.abs(q)))
        if not abs(q[joint]) <= limit_rad:
            raise UnreachablePose(
                f"{where} needs joint {joint + 1} at {q[joint]:.2f} rad (limit {limit_rad:.2f}): "
                "choose another"
            )
        turn_rad, limit_rad = q - np.array(q_now), self._config.max_joint_change_rad
        joint = int(np.argmax(np.abs(turn_rad)))
        if abs(turn_rad[joint]) > limit_rad:
            raise UnreachablePose(
                f"{where} needs joint {joint + 1} to turn by {turn_rad[joint]:.2f} rad "
                f"(limit {limit_rad:.2f}): choose another"
            )
        return [float(angle) for angle in q]

    def _check_model(self) -> None:
        family = str(self._client.dashboard("getRobotModel")).lower()
        version = _polyscope_version(self._client)
        if not version or not re.fullmatch(r"ur\d+e?", family):
            return  # older software does not know the question
        model = family.rstrip("e") + ("e" if version[0] >= _FIRST_E_SERIES else "")
        if model != self._config.model:
            polyscope = ".".join(map(str, version))
            raise ArmError(
                f"the robot at {self._config.robot_ip} is a {model} (PolyScope {polyscope}), but model is "
                f"{self._config.model}: correct model or robot_ip"
            )

    def _check_remote_control(self) -> None:
        check_remote_control(self._client, self._config.robot_ip)


def check_running(snapshot: UrSnapshot) -> None:
    """Raise what keeps the arm from moving."""
    if snapshot.state is ArmState.RUNNING:
        return
    if snapshot.state is ArmState.NOT_READY:
        raise ArmError(snapshot.explain())
    raise ArmStopped(snapshot.explain())


def check_remote_control(client: UrClient, robot_ip: str) -> None:
    """Raise ArmError when the pendant's switch keeps us out; a UR5 (CB3) has no such switch."""
    if _polyscope_version(client) >= _FIRST_REMOTE_CONTROL and not client.dashboard("isInRemoteControl"):
        raise ArmError(f"the UR at {robot_ip} is in Local Control: {REMOTE_CONTROL_ADVICE}")


def _polyscope_version(client: UrClient) -> tuple[int, ...]:
    found = re.search(r"\d+(\.\d+)*", str(client.dashboard("polyscopeVersion")))
    return tuple(map(int, found[0].split("."))) if found else ()


def open_receive(client: UrClient, robot_ip: str, registers: bool) -> None:
    """Connect to the state stream. Raises ArmLost where nobody answers."""
    try:
        client.open_receive(registers)
    except ArmLost:
        raise
    except ArmError as error:
        raise ArmLost(
            f"no UR controller answers at {robot_ip}: check robot_ip, the network, and that "
            f"the robot is switched on ({error})"
        ) from error
