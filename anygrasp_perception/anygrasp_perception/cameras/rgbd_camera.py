# SPDX-License-Identifier: Apache-2.0
"""What every RGB-D camera gives: aligned colour and depth with intrinsics and a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from anygrasp_perception.camera import CameraIntrinsics

__all__ = ["BadFrame", "CameraError", "CameraSample", "EndOfRecording", "RgbdCamera"]


class CameraError(RuntimeError):
    """The camera is missing, lost, or gave no image in time."""


class EndOfRecording(CameraError):
    """A recording has been played to its end."""


class BadFrame(CameraError):
    """One frame that cannot be used, from a camera that goes on; `reason` is the key it is counted under."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True, eq=False)
class CameraSample:
    """One pair of images; depth is aligned to colour and shares its intrinsics."""

    color: npt.NDArray[np.uint8]  # (H, W, 3) RGB
    depth_mm: npt.NDArray[np.uint16]  # (H, W) millimetres, 0 where invalid
    intrinsics: CameraIntrinsics
    capture_time_s: float | None = None  # when it was taken, Unix time; None where the source cannot say


class RgbdCamera(Protocol):
    """An RGB-D source; used as a context manager, which starts and stops it."""

    def __enter__(self) -> RgbdCamera: ...

    def __exit__(self, *exc: object) -> None: ...

    def describe(self) -> str:
        """What this source is, for the log."""
        ...

    def read(self, timeout_s: float) -> CameraSample:
        """Next sample.

        Raises:
            BadFrame: this frame cannot be used; read on.
            CameraError: nothing came within `timeout_s`, or the camera was lost.
            EndOfRecording: a recording is over.
        """
        ...
