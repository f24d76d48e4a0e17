# SPDX-License-Identifier: Apache-2.0
"""An emulated UR controller on the network: the real ur_rtde and gripper clients drive it over TCP."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from types import TracebackType

from anygrasp_perception.arrays import Float64Array
from anygrasp_sim.emulators.dashboard_server import DashboardServer
from anygrasp_sim.emulators.robot_backend import RobotBackend
from anygrasp_sim.emulators.robotiq_modbus_server import RobotiqModbusServer, RobotiqSerialPort
from anygrasp_sim.emulators.robotiq_socket_server import RobotiqSocketServer
from anygrasp_sim.emulators.rtde_server import RtdeServer
from anygrasp_sim.emulators.script_server import ScriptServer
from anygrasp_sim.emulators.tcp_server import TcpServer
from anygrasp_sim.emulators.ur_robot import UrRobot

__all__ = ["UrController", "UrPorts"]

# A thread that fell further behind the clock than this does not hurry to catch up.
_MAX_LAG_S = 0.1


@dataclass(frozen=True)
class UrPorts:
    """TCP ports; ur_rtde connects to the defaults and to nothing else."""

    rtde: int = 30004
    scripts: tuple[int, ...] = (30001, 30002, 30003)
    dashboard: int = 29999
    robotiq: int = 63352
    tool_modbus: int = 54321


class UrController:
    """A UR5 or UR5e controller with a Robotiq 2F-85, moving the joints and fingers of `backend`.

    Time is that of the caller: `tick` advances it, as fast as the simulation likes, always from one thread,
    which also makes every call of the backend. Clients that hear nothing while ticks pause take the robot for
    lost. The constructors of ur_rtde hold Python's interpreter lock: create them in another process.

    Args:
        model: "ur5" or "ur5e".
        host: the only address that is bound. Several controllers on one machine take one loopback address
            each: 127.0.0.1, 127.0.0.2, ...
        version: PolyScope version to report; by default that of the model's generation, CB3 or e-Series.

    Raises:
        ValueError: unknown model.
        PortInUseError: from `start`.
    """

    def __init__(
        self,
        model: str,
        backend: RobotBackend,
        host: str = "127.0.0.1",
        ports: UrPorts | None = None,
        version: tuple[int, int, int, int] | None = None,
    ) -> None:
        ports = ports or UrPorts()
        version = version or ((5, 11, 0, 0) if model == "ur5e" else (3, 15, 8, 0))
        self.robot = UrRobot(model, backend)
        self._rtde = RtdeServer(self.robot, host, ports.rtde, version)
        self._robotiq = RobotiqSocketServer(self.robot, host, ports.robotiq)
        self._modbus = RobotiqModbusServer(self.robot, host, ports.tool_modbus)
        self._scripts = [ScriptServer(self.robot, host, port) for port in ports.scripts]
        self._servers: list[TcpServer] = [
            self._rtde,
            *self._scripts,
            DashboardServer(self.robot, host, ports.dashboard, version),
            self._robotiq,
            self._modbus,
        ]
        self._serial_port: RobotiqSerialPort | None = None
        self._stopping = threading.Event()
        self._ticker: threading.Thread | None = None

    def start(self) -> None:
        """Open all ports, or none."""
        try:
            for server in self._servers:
                server.start()
        except OSError:
            self.stop()
            raise

    def tick(self, dt_s: float) -> None:
        """Advance by one controller period (8 ms, or 2 ms for 500 Hz) and send the outputs that are due."""
        self.robot.tick(dt_s)
        self._rtde.publish()

    def run_realtime(self, period_s: float = 0.008, speed: float = 1.0) -> None:
        """Tick `speed` times as fast as the wall clock, in a thread of its own, until `stop`."""
        self._stopping.clear()
        self._ticker = threading.Thread(
            target=self._tick_by_clock, args=(period_s, speed), name="UR controller"
        )
        self._ticker.start()

    def stop(self) -> None:
        """End the ticking thread, close all ports and connections, and wait until they are gone."""
        self._stopping.set()
        if self._ticker is not None:
            self._ticker.join()
            self._ticker = None
        if self._serial_port is not None:
            self._serial_port.stop()
            self._serial_port = None
        for server in self._servers:
            server.stop()

    def __enter__(self) -> UrController:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # What happened

    def time_s(self) -> float:
        """Controller time."""
        return self.robot.time_s

    def joint_positions(self) -> Float64Array:
        """Measured joint angles, (6,) rad."""
        return self.robot.actual.q

    def joint_velocities(self) -> Float64Array:
        """Measured joint speeds, (6,) rad/s."""
        return self.robot.actual.qd

    def connections(self) -> dict[int, int]:
        """Clients connected to each port."""
        return {server.port: server.connection_count for server in self._servers}

    def rtde_commands(self) -> dict[int, int]:
        """How often each ur_rtde command came in over RTDE (1 moveJ, 3 moveL, 33 stopL, 34 stopJ, ...)."""
        with self.robot.lock:
            return dict(self._rtde.commands)

    # Faults, behaving as a real controller would

    def drop_connections(self) -> None:
        """Break every TCP connection; new ones are accepted."""
        for server in self._servers:
            server.drop_connections()

    def protective_stop(self, reason: str = "collision detected") -> None:
        """Stop as after a collision; unlocked through the dashboard, 5 s later at the earliest."""
        with self.robot.lock:
            self.robot.protective_stop(reason)

    def emergency_stop(self) -> None:
        """Press the emergency stop button."""
        with self.robot.lock:
            self.robot.emergency_stop()

    def release_emergency_stop(self) -> None:
        """Release the button; power and brakes are then the dashboard's."""
        with self.robot.lock:
            self.robot.safety.release_emergency_stop()

    def safeguard_stop(self, active: bool) -> None:
        """Open (True) or close the safeguard: motion pauses and goes on."""
        with self.robot.lock:
            self.robot.safety.safeguard_stop(active)

    def set_speed_slider(self, fraction: float) -> None:
        """Turn the pendant's speed slider, 0 to 1."""
        with self.robot.lock:
            self.robot.speed_slider = fraction

    def remote_control(self, remote: bool) -> None:
        """Turn the pendant's switch to remote (True) or local control; an e-Series only."""
        with self.robot.lock:
            self.robot.remote_control = remote

    def deafen_scripts(self, deaf: bool) -> None:
        """Take programs without starting them."""
        for server in self._scripts:
            server.deaf = deaf

    def close_scripts(self) -> None:
        """Refuse connections to the ports that take programs, for good."""
        for server in self._scripts:
            server.stop()

    def tool(self) -> tuple[Float64Array, float]:
        """TCP in the flange (4, 4), and payload in kg."""
        with self.robot.lock:
            return self.robot.motion.T_flange_tcp, self.robot.payload_kg

    def open_serial_port(self) -> str:
        """Put the gripper on a serial port as well, a pseudo-terminal; its path."""
        if self._serial_port is None:
            self._serial_port = RobotiqSerialPort(self.robot)
            self._serial_port.start()
        return self._serial_port.path

    def mute_gripper(self, mute: bool) -> None:
        """Make the gripper take commands without answering."""
        self._robotiq.mute = self._modbus.mute = mute
        if self._serial_port is not None:
            self._serial_port.mute = mute

    def gripper_fault(self, code: int) -> None:
        """Raise a gripper fault (8 overheated, 10 low voltage, 14 overcurrent) until it is activated anew."""
        with self.robot.lock:
            self.robot.gripper.inject_fault(code)

    def _tick_by_clock(self, period_s: float, speed: float) -> None:
        due_s = time.monotonic()
        while not self._stopping.wait(max(0.0, due_s - time.monotonic())):
            self.tick(period_s)
            due_s = max(due_s + period_s / speed, time.monotonic() - _MAX_LAG_S)
