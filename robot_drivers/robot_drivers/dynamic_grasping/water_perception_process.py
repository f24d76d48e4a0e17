# SPDX-License-Identifier: Apache-2.0
"""Grasps in the water, found in a process of its own.

The network runs thousands of short operations an image. As a thread beside a servo loop and a ROS executor
each of them waits for the interpreter, and makes them wait: an image took a second instead of 0.1 s.
"""

from __future__ import annotations

import gc
import logging
import multiprocessing
import signal
import threading
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.camera import RgbdFrame
from anygrasp_tracking.tracking_frame import TrackingFrame
from robot_drivers.dynamic_grasping.water_perception import (
    WaterPerception,
    WaterPerceptionConfig,
    create_water_detector,
)
from robot_drivers.executors.perception import PerceptionError

__all__ = ["WaterPerceptionProcess"]

_LOG = logging.getLogger(__name__)

_END_S = 5.0  # a child that was told to end has this long


class WaterPerceptionProcess:
    """Called as a `WaterPerception`; starts its process at once, and anew when it has died.

    Args:
        detector: name of the detector, see `create_water_detector`.
        timeout_s: how long an image may take.
        start_timeout_s: how long the start may take, with the detector's weights.

    Raises:
        ValueError, DetectorError, WeightsError: as `create_water_detector`.
        PerceptionError: the process does not start.
    """

    def __init__(
        self,
        detector: str,
        config: WaterPerceptionConfig | None = None,
        timeout_s: float = 20.0,
        start_timeout_s: float = 120.0,
    ) -> None:
        self.config = config or WaterPerceptionConfig()
        self._detector = detector
        self._timeout_s = timeout_s
        self._start_timeout_s = start_timeout_s
        self._one_call = threading.Lock()
        self._closed = False
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None
        self._start()

    def __call__(
        self,
        image: RgbdFrame,
        time_s: float,
        T_base_camera: Float64Array,
        T_base_tcp: Float64Array,
        about: Float64Array | None = None,
    ) -> TrackingFrame:
        """See WaterPerception.

        Raises:
            PerceptionError: the detector failed, took too long, or its process died; the next call starts it
                anew.
        """
        with self._one_call:
            if self._closed:
                raise PerceptionError("the detector's process was ended")
            if self._pipe is None:
                self._start()
            question = image, time_s, T_base_camera, T_base_tcp, about
            answer = self._exchange(question, "gave no grasps", self._timeout_s)
        if isinstance(answer, Exception):
            raise PerceptionError(f"the detector failed: {answer}") from answer
        assert isinstance(answer, TrackingFrame)
        return answer

    def close(self) -> None:
        """End the process, after the image under way; safe to call twice."""
        with self._one_call:
            self._closed = True
            self._end()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")  # threads of ours may hold locks
        ours, theirs = context.Pipe()
        process = context.Process(
            target=_serve, args=(theirs, self._detector, self.config), name="detector", daemon=True
        )
        process.start()
        theirs.close()
        self._process, self._pipe = process, ours
        problem = self._exchange(None, "did not start", self._start_timeout_s)
        if isinstance(problem, Exception):
            self._end()
            raise problem

    def _exchange(self, question: object, what: str, timeout_s: float) -> Any:
        """Send a question, unless None, and wait for what comes back."""
        process, pipe = self._process, self._pipe
        assert process is not None
        assert pipe is not None
        late = threading.Event()

        def give_up() -> None:  # a child that hangs takes no image either: without it the pipe ends
            late.set()
            process.kill()

        timer = threading.Timer(timeout_s, give_up)
        timer.daemon = True
        timer.start()
        try:
            if question is not None:
                pipe.send(question)
            return pipe.recv()
        except (EOFError, OSError) as error:
            code = self._end()
            limit = f" within {timeout_s:.0f} s" if late.is_set() else ""
            text = f"the detector's process {what}{limit} (exit code {code})"
            _LOG.error("%s; the next image starts it anew", text)
            raise PerceptionError(text) from error
        finally:
            timer.cancel()

    def _end(self) -> int | None:
        """End the process; its exit code."""
        process, self._process = self._process, None
        pipe, self._pipe = self._pipe, None
        if pipe is not None:
            pipe.close()  # which it takes for the end
        if process is None:
            return None
        process.join(_END_S)
        if process.exitcode is None:
            process.kill()
            process.join(_END_S)
        return process.exitcode


def _serve(pipe: Connection, detector: str, config: WaterPerceptionConfig) -> None:
    """In the child: answer images with frames, or with what went wrong, until the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this one
    try:
        perception = WaterPerception(create_water_detector(detector), config)
    except Exception as error:
        _send(pipe, error)
        return
    gc.freeze()  # a collection that goes through all of torch takes 0.1 s
    pipe.send(None)
    while True:
        try:
            question = pipe.recv()
        except (EOFError, OSError):
            return
        answer: TrackingFrame | Exception
        try:
            answer = perception(*question)
        except Exception as error:
            answer = error
        _send(pipe, answer)


def _send(pipe: Connection, answer: object) -> None:
    try:
        pipe.send(answer)
    except OSError:  # nobody waits any more
        return
    except Exception:  # an error that cannot be sent as it is
        pipe.send(RuntimeError(f"{type(answer).__name__}: {answer}"))
