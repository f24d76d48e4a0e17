# SPDX-License-Identifier: Apache-2.0
"""ur_rtde at arm's length: its interfaces live in a worker process, every call has a time limit.

ur_rtde 1.6.5 cannot be trusted inside a long-lived process. Its constructors hold Python's interpreter lock
and wait for ever on a silent controller, a call on a broken connection may never return, and when the
connection breaks its reconnecting thread ends the process with a segmentation fault.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
from multiprocessing.connection import Connection
from typing import Any

from robot_drivers.arms.arm import ArmError, ArmLost
from robot_drivers.arms.ur_snapshot import UrSnapshot

__all__ = ["UrClient", "broken_text"]

# An arm comes to rest in a fraction of this; a controller that is gone must not keep a program from ending.
_CLOSE_TIMEOUT_S = 2.0

# States that are older are a sign of what broke the connection: ur_rtde gives up on a silent controller.
_SILENT_S = 0.5


class UrClient:
    """Requests to one controller; usable from any thread, one request at a time.

    After ArmLost the worker process is gone: create a new client.

    Args:
        timeout_s: longest wait for the answer to any request.
    """

    def __init__(self, robot_ip: str, frequency_hz: float, timeout_s: float) -> None:
        self._robot_ip = robot_ip
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._silent_s = 0.0  # age of the latest state
        ours, theirs = socket.socketpair()
        with theirs:
            # Its own session: Ctrl-C in the terminal must not end the process that halts the arm.
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "robot_drivers.arms.ur_client_worker",
                    str(theirs.fileno()),
                    robot_ip,
                    str(frequency_hz),
                    str(timeout_s),
                ],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._pipe = Connection(ours.detach())

    def open_receive(self, registers: bool = False) -> None:
        """Connect to the state stream, with the registers that our scripts write if they are needed.

        Raises:
            ArmLost: the controller cannot be reached.
        """
        self._request("open_receive", registers)

    def open_control(self, watchdog_hz: float) -> None:
        """Upload the control program; it ends when its client falls silent for longer than 1 / watchdog_hz.

        Raises:
            ArmLost: the program does not start.
        """
        self._request("open_control", watchdog_hz)

    def snapshot(self) -> UrSnapshot:
        """Latest state. Raises ArmLost."""
        snapshot: UrSnapshot = self._request("snapshot")
        self._silent_s = snapshot.age_s
        return snapshot

    def control(self, method: str, *arguments: Any) -> Any:
        """Call a method of RTDEControlInterface. Raises ArmLost, or ArmError with what ur_rtde raised."""
        return self._request("control", method, *arguments)

    def servo(self, poses: list[list[float]], lookahead_s: float, gain: float) -> UrSnapshot:
        """Servo through UR poses, one a controller period, and hold the last. Raises ArmLost, ArmError."""
        snapshot: UrSnapshot = self._request("servo", poses, lookahead_s, gain)
        return snapshot

    def end_servo(self) -> None:
        """Bring a servoing arm to rest; returns when it is. Raises ArmLost."""
        self._request("end_servo")

    def brake(self) -> None:
        """Bring the joints to rest as fast as the arm takes it; returns when they are. Raises ArmLost."""
        self._request("brake")

    def upload(self) -> bool:
        """Start the control program anew; whether it runs. Raises ArmLost."""
        return bool(self._request("upload"))

    def dashboard(self, method: str) -> Any:
        """Call a method of DashboardClient. Raises ArmLost, or ArmError with what ur_rtde raised."""
        return self._request("dashboard", method)

    def close(self) -> None:
        """Bring the arm to rest, end the control program and the worker."""
        with contextlib.suppress(ArmError):
            self._request("close", timeout_s=_CLOSE_TIMEOUT_S)
        self.kill()

    def kill(self) -> None:
        """End the worker at once; the controller's watchdog ends the motion."""
        self._process.kill()
        self._process.wait()
        self._pipe.close()

    def _request(self, name: str, *arguments: Any, timeout_s: float | None = None) -> Any:
        timeout_s = self._timeout_s if timeout_s is None else timeout_s
        with self._lock:
            try:
                self._pipe.send((name, arguments))
                if not self._pipe.poll(timeout_s):
                    self.kill()
                    raise ArmLost(
                        f"the UR at {self._robot_ip} did not answer within {timeout_s:.0f} s: check "
                        "network, that it is switched on, and robot_ip"
                    )
                done, result = self._pipe.recv()
            except (EOFError, OSError) as error:
                raise ArmLost(broken_text(self._robot_ip, self._silent_s)) from error
        if not done:
            what = arguments[0] if name in ("control", "dashboard") else name
            raise ArmError(f"the UR at {self._robot_ip} refused {what}: {result}")
        return result


def broken_text(robot_ip: str, silent_s: float) -> str:
    """What to say of a connection over which no state had come for so long when it broke."""
    if silent_s < _SILENT_S:
        return f"the connection to the UR at {robot_ip} broke: connect again"
    return (
        f"the connection to the UR at {robot_ip} broke after it had been silent for {silent_s:.1f} s: check "
        "its network and that it is switched on, then connect again"
    )
