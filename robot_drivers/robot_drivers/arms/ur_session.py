# SPDX-License-Identifier: Apache-2.0
"""A connected UR controller: state, stops and their release; subclasses begin moves by one transport each."""

from __future__ import annotations

import contextlib
import importlib.util
import re
import socket
import time
from abc import abstractmethod

from robot_drivers.arms.arm import ArmError, ArmLost
from robot_drivers.arms.ur_checks import check_running
from robot_drivers.arms.ur_client import UrClient, broken_text
from robot_drivers.arms.ur_config import UrArmConfig
from robot_drivers.arms.ur_link import UrLink
from robot_drivers.arms.ur_pose import ur_pose_from_transform
from robot_drivers.arms.ur_snapshot import UrSnapshot

__all__ = [
    "REMOTE_CONTROL_ADVICE",
    "SECONDARY_PORT",
    "UrSession",
    "check_remote_control",
    "open_receive",
]

# Accepts URScript from anyone at any time; a new program ends the running one.
SECONDARY_PORT = 30002
_LAST_RESORT_S = 0.5

# How often a look at the pendant's switch may delay a move, by some 10 ms.
_CONTROL_CHECK_S = 2.0
_LAST_RESORT_RAD_S2 = 10.0

# PolyScope: major version 3 on a UR5 (CB3), 5 and later on a UR5e; remote control is asked for from 5.6 on.
_FIRST_E_SERIES = 5
_FIRST_REMOTE_CONTROL = (5, 6)

REMOTE_CONTROL_ADVICE = (
    "switch it to Remote Control at the top right of the pendant (Settings, System, Remote Control enables "
    "the button)"
)


class UrSession(UrLink):
    """A `UrLink` over the network.

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
        self._control_checked_s = 0.0
        try:
            self._open_receive()
            check_running(self.snapshot())
            self._version = _polyscope_version(self._client)
            self._check_model()
            self._check_remote_control()
            self._open()
        except ArmError:
            self._client.kill()
            raise

    def close(self) -> None:
        """See UrLink."""
        self._client.close()

    def abandon(self) -> None:
        """See UrLink; the arm is stopped through any port that still answers."""
        self._client.kill()
        with (
            contextlib.suppress(OSError),
            socket.create_connection(
                (self._config.robot_ip, SECONDARY_PORT), timeout=_LAST_RESORT_S
            ) as script,
        ):
            script.sendall(f"def halt():\n  stopj({_LAST_RESORT_RAD_S2})\nend\n".encode())

    def snapshot(self) -> UrSnapshot:
        """See UrLink."""
        snapshot = self._client.snapshot()
        self._check_alive(snapshot)
        return snapshot

    def check_control(self) -> None:
        """See UrLink."""
        if time.monotonic() - self._control_checked_s > _CONTROL_CHECK_S:
            self._check_remote_control()

    def end_program(self) -> None:
        """See UrLink."""
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
            raise ArmLost(broken_text(self._config.robot_ip, snapshot.age_s))
        if snapshot.age_s > self._config.data_timeout_s:
            raise ArmLost(
                f"{robot} has been silent for {snapshot.age_s:.1f} s (limit "
                f"{self._config.data_timeout_s:.1f} s): check its network and that it is switched on"
            )
        try:
            snapshot.check_numbers()
        except ValueError as error:
            raise ArmLost(f"{robot} sends nonsense ({error}): is it a UR controller?") from error

    def _check_model(self) -> None:
        family = str(self._client.dashboard("getRobotModel")).lower()
        version = self._version
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
        check_remote_control(self._client, self._config.robot_ip, self._version)
        self._control_checked_s = time.monotonic()


def check_remote_control(client: UrClient, robot_ip: str, version: tuple[int, ...] | None = None) -> None:
    """Raise ArmError when the pendant's switch keeps us out; a UR5 (CB3) has no such switch."""
    if (
        _polyscope_version(client) if version is None else version
    ) >= _FIRST_REMOTE_CONTROL and not client.dashboard("isInRemoteControl"):
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
