# SPDX-License-Identifier: Apache-2.0
"""An emulated controller without physics in a process of its own, as the clients of ur_rtde need it."""

from __future__ import annotations

import multiprocessing
import os
import signal
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

from anygrasp_sim.emulators.robot_backend import KinematicBackend
from anygrasp_sim.emulators.ur_controller import UrController

__all__ = ["UrControllerProcess"]

# The process imports numpy on a machine that may be busy.
_START_TIMEOUT_S = 30.0
_ANSWER_TIMEOUT_S = 10.0


class UrControllerProcess:
    """Runs a UrController with a KinematicBackend, ticking by the wall clock.

    Args:
        period_s: controller period, 0.008 or 0.002.
        speed: seconds of the controller for a second of the wall clock.
        model, host: as of UrController.

    Raises:
        PortInUseError: from `start`, as any other error of the controller.
        TimeoutError: the process does not answer.
    """

    def __init__(
        self, model: str = "ur5e", host: str = "127.0.0.1", period_s: float = 0.008, speed: float = 1.0
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, remote = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(remote, model, host, period_s, speed), name=f"{model} on {host}", daemon=True
        )
        self._remote = remote

    def start(self) -> None:
        """Start the process; returns once its ports are open."""
        self._process.start()
        self._remote.close()
        self._receive(_START_TIMEOUT_S)

    def ask(self, method: str, *arguments: Any) -> Any:
        """Call a method of the UrController, e.g. `ask("protective_stop")`, and return its result."""
        self._pipe.send((method, arguments))
        return self._receive(_ANSWER_TIMEOUT_S)

    def place_object(self, opening: float | None) -> None:
        """Put an object between the fingers, so that they stop at `opening` (0 to 1); None takes it away."""
        self.ask("place_object", opening)

    def freeze(self) -> None:
        """Make the controller silent with all connections open, like a pulled network cable."""
        os.kill(self._pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """End `freeze`."""
        os.kill(self._pid, signal.SIGCONT)

    def kill(self) -> None:
        """End the process without a word, like a power cut."""
        self._process.kill()
        self._process.join()

    def stop(self) -> None:
        """Close all ports and end the process."""
        if self._process.is_alive():
            self.thaw()
            self._pipe.close()  # the process ends when its end of the pipe is alone
            self._process.join(_ANSWER_TIMEOUT_S)
        if self._process.is_alive():
            self.kill()

    def __enter__(self) -> UrControllerProcess:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _pid(self) -> int:
        if self._process.pid is None:
            raise RuntimeError("the controller's process was not started; call start first")
        return self._process.pid

    def _receive(self, timeout_s: float) -> Any:
        if not self._pipe.poll(timeout_s):
            raise TimeoutError(f"the process of {self._process.name} did not answer within {timeout_s:.0f} s")
        result, error = self._pipe.recv()
        if error is not None:
            raise error
        return result


def _serve(pipe: Connection, model: str, host: str, period_s: float, speed: float) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    backend = KinematicBackend(period_s=period_s)
    try:
        controller = UrController(model, backend, host)
        controller.start()
    except (OSError, ValueError) as error:
        pipe.send((None, error))
        return
    controller.run_realtime(period_s, speed)
    pipe.send((None, None))
    try:
        while True:
            method, arguments = pipe.recv()
            if method == "place_object":
                (backend.object_at,) = arguments
                pipe.send((None, None))
            else:
                pipe.send((getattr(controller, method)(*arguments), None))
    except (EOFError, OSError):
        pass  # the parent has closed its end, or is gone
    finally:
        controller.stop()
