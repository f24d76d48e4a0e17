# SPDX-License-Identifier: Apache-2.0
"""Dashboard server: power, brakes, program state and safety as lines of text."""

from __future__ import annotations

import socket
from collections.abc import Callable

from anygrasp_sim.emulators.tcp_server import TcpServer
from anygrasp_sim.emulators.ur_robot import UrRobot

__all__ = ["DashboardServer"]

_TOO_EARLY = (
    "Cannot unlock protective stop until 5s after occurrence. "
    "Always inspect cause of protective stop before unlocking"
)

# PolyScope that has the switch; earlier ones, and CB3, do not know the question.
_FIRST_REMOTE_CONTROL = (5, 6)

# What is refused in local control.
_REMOTE_ONLY = frozenset({"stop", "power on", "power off", "brake release", "unlock protective stop"})


class DashboardServer(TcpServer):
    """Answers in the words of PolyScope 5."""

    def __init__(self, robot: UrRobot, host: str, port: int, version: tuple[int, int, int, int]) -> None:
        super().__init__(host, port, self._serve_client, "dashboard")
        self._robot = robot
        self._commands: dict[str, Callable[[], str]] = {
            "PolyscopeVersion": lambda: "URSoftware {}.{}.{}.{} (Jan 01 2022)".format(*version),
            "get serial number": lambda: "20190000000",
            "get robot model": lambda: robot.model.upper()[:3],
            "robotmode": lambda: f"Robotmode: {robot.safety.robot_mode.name}",
            "safetymode": lambda: f"Safetymode: {robot.safety.mode.name}",
            "safetystatus": lambda: f"Safetystatus: {robot.safety.mode.name}",
            "running": lambda: f"Program running: {str(robot.program_running).lower()}",
            "programState": lambda: f"{'PLAYING' if robot.program_running else 'STOPPED'} rtde_control.urp",
            "stop": self._stop,
            "power on": lambda: "Powering on" if robot.safety.power_on() else "Failed to execute: power on",
            "power off": self._power_off,
            "brake release": self._brake_release,
            "unlock protective stop": self._unlock,
            "close safety popup": lambda: "closing safety popup",
            "close popup": lambda: "closing popup",
        }
        if version >= _FIRST_REMOTE_CONTROL:
            self._commands["is in remote control"] = lambda: str(robot.remote_control).lower()

    def _serve_client(self, connection: socket.socket) -> None:
        connection.sendall(b"Connected: Universal Robots Dashboard Server\n")
        with connection.makefile("r", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                command = line.strip()
                with self._robot.lock:
                    answer = self._answer(command)
                connection.sendall(answer.encode() + b"\n")
                if command == "quit":
                    return

    def _answer(self, command: str) -> str:
        if command == "quit":
            return "Disconnected"
        if command in _REMOTE_ONLY and not self._robot.remote_control:
            return f"Failed to execute: {command}: not allowed in local control"
        if command in self._commands:
            return self._commands[command]()
        return f"could not understand: '{command}'"

    def _stop(self) -> str:
        self._robot.stop_program()
        return "Stopped"

    def _power_off(self) -> str:
        self._robot.stop_program()
        self._robot.safety.power_off()
        return "Powering off"

    def _brake_release(self) -> str:
        return "Brake releasing" if self._robot.safety.brake_release() else "Failed to execute: brake release"

    def _unlock(self) -> str:
        unlocked = self._robot.safety.unlock_protective_stop(self._robot.time_s)
        return "Protective stop releasing" if unlocked else _TOO_EARLY
