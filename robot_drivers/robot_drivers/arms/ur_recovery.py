# SPDX-License-Identifier: Apache-2.0
"""Releases what may be released from afar on a UR, on request: protective stops, power and brakes."""

from __future__ import annotations

import time

from robot_drivers.arms.arm import ArmError, ArmLost, ArmState, ArmStopped
from robot_drivers.arms.ur_client import UrClient
from robot_drivers.arms.ur_config import UrArmConfig
from robot_drivers.arms.ur_session import check_remote_control, open_receive
from robot_drivers.arms.ur_snapshot import UrSnapshot

__all__ = ["recover_ur"]

_POLL_S = 0.02
_UNLOCK_TIMEOUT_S = 2.0

_POWERED_OFF, _IDLE, _POWER_ON = 3, 5, 4
_SAFETY_NORMAL = (1, 2)


def recover_ur(config: UrArmConfig) -> str:
    """See Arm.recover; over connections of its own, since an arm without power takes no others.

    An emergency or safeguard stop, and a failed safety system, are for the person at the robot.
    """
    client = UrClient(config.robot_ip, config.frequency_hz, config.request_timeout_s)
    try:
        open_receive(client, config.robot_ip, registers=False)
        return _Recovery(client, config).run()
    finally:
        client.kill()


class _Recovery:
    def __init__(self, client: UrClient, config: UrArmConfig) -> None:
        self._client = client
        self._config = config
        self._done: list[str] = []

    def run(self) -> str:
        snapshot = self._client.snapshot()
        held = (ArmState.PROTECTIVE_STOP, ArmState.NOT_READY)
        if snapshot.state in held:
            check_remote_control(self._client, self._config.robot_ip)
        if snapshot.state is ArmState.PROTECTIVE_STOP:
            snapshot = self._unlock()
        if snapshot.state is ArmState.NOT_READY and snapshot.safety_mode in _SAFETY_NORMAL:
            snapshot = self._power_on(snapshot)
        if snapshot.state is ArmState.RUNNING:
            return f"the UR is ready: {' and '.join(self._done) or 'nothing held it'}"
        raise ArmStopped(snapshot.explain())

    def _unlock(self) -> UrSnapshot:
        self._ask("unlockProtectiveStop", "look at the cause, then try again after 5 s")
        snapshot = self._wait_while(ArmState.PROTECTIVE_STOP, _UNLOCK_TIMEOUT_S)
        if snapshot.state is ArmState.PROTECTIVE_STOP:
            raise ArmStopped(f"the UR stays locked: {snapshot.explain()}")
        self._done.append("unlocked its protective stop")
        return snapshot

    def _power_on(self, snapshot: UrSnapshot) -> UrSnapshot:
        if snapshot.robot_mode not in (_POWERED_OFF, _POWER_ON, _IDLE):
            raise ArmError(f"the UR cannot be powered on now: {snapshot.explain()}")
        if snapshot.robot_mode == _POWERED_OFF:
            self._ask("powerOn", "look at the pendant")
            self._done.append("powered it on")
        self._ask("brakeRelease", "look at the pendant")
        snapshot = self._wait_while(ArmState.NOT_READY, self._config.recover_timeout_s)
        if snapshot.state is ArmState.NOT_READY:
            raise ArmError(
                f"the UR did not get ready in {self._config.recover_timeout_s:.0f} s: {snapshot.explain()}"
            )
        self._done.append("released its brakes")
        return snapshot

    def _ask(self, method: str, advice: str) -> None:
        try:
            self._client.dashboard(method)
        except ArmLost:
            raise
        except ArmError as error:
            raise ArmStopped(f"{error}; {advice}") from error

    def _wait_while(self, state: ArmState, limit_s: float) -> UrSnapshot:
        deadline_s = time.monotonic() + limit_s
        while (now := self._client.snapshot()).state is state and time.monotonic() < deadline_s:
            time.sleep(_POLL_S)
        return now
