# SPDX-License-Identifier: Apache-2.0
"""One connection to a Rizon through flexivrdk 1.9.1: states, modes, errors in our words."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from robot_drivers.arms.arm import ArmError, ArmLost, ArmState, ArmStopped, UnreachablePose
from robot_drivers.arms.flexiv_config import FlexivArmConfig
from robot_drivers.arms.flexiv_pose import flexiv_pose
from robot_drivers.clock import Clock

__all__ = ["FlexivSession", "FlexivSnapshot", "status_advice"]

_Answer = TypeVar("_Answer")

_POLL_S = 0.02
_CLEAR_FAULT_S = 30

# Names of OperationalStatus and what to do about each.
_ADVICE = {
    "UNKNOWN": "wait until the robot has booted, or restart it",
    "BOOTING": "wait until the robot has booted",
    "ESTOP_NOT_RELEASED": "release the emergency stop button, then recover",
    "NOT_ENABLED": "recover, which enables it",
    "RELEASING_BRAKE": "wait a few seconds",
    "MINOR_FAULT": "look at the cause, then recover, which clears the fault",
    "CRITICAL_FAULT": "switch the robot off and on",
    "IN_RECOVERY_STATE": "a joint is beyond its limit: run the automatic recovery on the pendant",
    "IN_MANUAL_MODE": "switch it to AUTO (remote) on the pendant",
    "IN_AUTO_MODE": "switch it to AUTO (remote) on the pendant",
}


class FlexivSnapshot(NamedTuple):
    """Measured by the robot."""

    time_s: float  # the robot's own clock
    q_rad: list[float]  # 7 joint angles
    tcp_pose: list[float]  # x y z m, qw qx qy qz


class FlexivSession:
    """From connecting to the loss of the connection; every method raises ArmLost when it is gone.

    Args:
        rdk: the module flexivrdk, or an object with its API.
        clock: what it waits by, and tells by that the robot is silent.

    Raises:
        ArmError: not reachable, or not ready.
        ArmStopped: a fault or the emergency stop holds it.
    """

    def __init__(self, config: FlexivArmConfig, rdk: Any, clock: Clock) -> None:
        self._config = config
        self._rdk = rdk
        self._clock = clock
        self._seen: tuple[float, float] | None = None  # robot time, and when it came
        try:
            self.robot = rdk.Robot(config.serial_number, list(config.network_interfaces))
        except RuntimeError as error:
            raise ArmLost(
                f"no Rizon {config.serial_number} answers: check its serial number, the network "
                f"({', '.join(config.network_interfaces) or 'any interface'}), that it has booted ({error})"
            ) from error
        self.check_ready(enable=True)
        self._set_tool()
        self._model = self.call(lambda: rdk.Model(self.robot))

    def call(self, request: Callable[[], _Answer]) -> _Answer:
        """Make a call of flexivrdk; what it raises becomes ours.

        Raises:
            ArmLost: the robot is not connected.
            ArmStopped: its safety holds it.
            ArmError: it refuses the call.
        """
        try:
            return request()
        except (RuntimeError, ValueError) as error:  # what the module raises for std::exception
            self.check_connected()
            state = self.state()
            if state is not ArmState.RUNNING:
                raise self.explained(state) from error
            raise ArmError(f"the Rizon refused a command: {error}") from error

    def check_connected(self) -> None:
        """Raise ArmLost unless connected."""
        if not self.robot.connected():
            raise ArmLost(
                f"the connection to the Rizon {self._config.serial_number} broke: check the network and its "
                "power, then connect again"
            )

    def state(self) -> ArmState:
        """Whether it moves on command."""
        if not self.robot.connected():
            return ArmState.DISCONNECTED
        if not self.robot.estop_released():
            return ArmState.EMERGENCY_STOP
        if self.robot.fault():
            return ArmState.PROTECTIVE_STOP
        return ArmState.RUNNING if self.robot.operational() else ArmState.NOT_READY

    def explained(self, state: ArmState) -> ArmError:
        """The error that says why it does not move and what to do."""
        status = self.robot.operational_status().name
        advice = status_advice(status)
        match state:
            case ArmState.EMERGENCY_STOP:
                return ArmStopped(
                    "the Rizon's emergency stop is pressed: release the button, then recover the arm"
                )
            case ArmState.PROTECTIVE_STOP:
                return ArmStopped(f"the Rizon reports a fault ({status}): {self._last_fault()}; {advice}")
            case _:
                return ArmError(f"the Rizon is not operational ({status}): {advice}")

    def check_ready(self, enable: bool = False) -> None:
        """Raise unless it moves on command; with `enable` one that is only not enabled is enabled."""
        self.check_connected()
        state = self.state()
        status = self.robot.operational_status()
        if state is ArmState.NOT_READY and enable and status == self._rdk.OperationalStatus.NOT_ENABLED:
            self.robot.Enable()
            state = self._wait_operational()
        if state is not ArmState.RUNNING:
            raise self.explained(state)

    def recover(self) -> str:
        """Clear a minor fault and enable; see Arm."""
        self.check_connected()
        done = []
        if self.state() is ArmState.PROTECTIVE_STOP:
            if self.robot.operational_status() == self._rdk.OperationalStatus.CRITICAL_FAULT:
                raise self.explained(ArmState.PROTECTIVE_STOP)
            fault = self._last_fault()
            if not self.robot.ClearFault(_CLEAR_FAULT_S):
                raise ArmStopped(f"the fault was not cleared within {_CLEAR_FAULT_S} s: {fault}")
            done.append(f"cleared the fault ({fault})")
        if self.state() is ArmState.NOT_READY:
            self.check_ready(enable=True)
            done.append("enabled it")
        self.check_ready()
        return f"the Rizon is ready: {' and '.join(done) or 'nothing held it'}"

    def snapshot(self) -> FlexivSnapshot:
        """Latest measurement. Raises ArmLost when the robot has fallen silent."""
        self.check_connected()
        states = self.robot.states()
        seconds, nanoseconds = states.timestamp
        time_s, now_s = seconds + 1e-9 * nanoseconds, self._clock.now_s()
        if self._seen is None or time_s != self._seen[0]:
            self._seen = (time_s, now_s)
        elif now_s - self._seen[1] > self._config.data_timeout_s:
            raise ArmLost(
                f"the Rizon has been silent for {now_s - self._seen[1]:.1f} s (limit "
                f"{self._config.data_timeout_s:.1f} s): check its network and power, then connect again"
            )
        return FlexivSnapshot(time_s, list(states.q), list(states.tcp_pose))

    def enter(self, mode_name: str) -> None:
        """Switch the control mode, unless the robot is in it; entering Cartesian mode bounds its contacts."""
        mode = getattr(self._rdk.Mode, mode_name)
        if self.robot.mode() == mode:
            return
        self.call(lambda: self.robot.SwitchMode(mode))
        force_n, torque_nm = self._config.max_contact_force_n, self._config.max_contact_torque_nm
        if mode_name == "NRT_CARTESIAN_MOTION_FORCE" and force_n > 0 and torque_nm > 0:
            wrench = [force_n] * 3 + [torque_nm] * 3
            self.call(lambda: self.robot.SetMaxContactWrench(wrench))

    def inverse(self, pose: list[float], q_near_rad: list[float]) -> list[float]:
        """Joint angles (7,) rad for a TCP pose. Raises UnreachablePose."""
        reachable, q_rad = self.call(lambda: self._model.reachable(pose, q_near_rad, False))
        if not reachable:
            raise UnreachablePose(f"no joint angles for {pose[:3]} m: choose another pose")
        return list(q_rad)

    def _wait_operational(self) -> ArmState:
        deadline_s = self._clock.now_s() + self._config.enable_timeout_s
        while (state := self.state()) is ArmState.NOT_READY and self._clock.now_s() < deadline_s:
            self._clock.wait(threading.Event(), _POLL_S)
        return state

    def _set_tool(self) -> None:
        config = self._config
        tool, parameters = self.call(lambda: self._rdk.Tool(self.robot)), self._rdk.ToolParams()
        parameters.mass = config.payload_kg
        parameters.CoM = list(config.payload_center_m)
        parameters.inertia = list(config.payload_inertia)
        parameters.tcp_location = flexiv_pose(config.T_flange_tcp)
        name = config.tool_name
        self.enter("IDLE")  # tools are changed in no other mode
        known = self.call(lambda: tool.exist(name))
        self.call(lambda: (tool.Update if known else tool.Add)(name, parameters))
        self.call(lambda: tool.Switch(name))

    def _last_fault(self) -> str:
        """What the robot's log says of its latest error."""
        levels = self._rdk.RobotEvent_Level
        faults = [e for e in self.robot.event_log() if e.level in (levels.ERROR, levels.CRITICAL)]
        if not faults:
            return "its log names no cause, see the pendant"
        return f"{faults[-1].description} (event {faults[-1].id}; {faults[-1].recommended_actions})"


def status_advice(status: str) -> str:
    """What to do about an OperationalStatus of that name."""
    return _ADVICE.get(status, "see the pendant")
