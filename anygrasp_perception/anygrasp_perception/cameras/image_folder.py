# SPDX-License-Identifier: Apache-2.0
"""A folder of RGB-D images played as a camera: NAME_color.png, NAME_depth_mm.png, NAME_intrinsics.json."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from anygrasp_perception.camera import load_rgbd
from anygrasp_perception.cameras.rgbd_camera import BadFrame, CameraError, CameraSample, EndOfRecording

__all__ = ["ImageFolderCamera", "ImageFolderConfig"]

_COLOR, _DEPTH, _INTRINSICS = "_color.png", "_depth_mm.png", "_intrinsics.json"


@dataclass(frozen=True)
class ImageFolderConfig:
    """`folder`: where the images are; `name`: only this one; `repeat`: start again at the end."""

    folder: str
    name: str = ""
    repeat: bool = True


class ImageFolderCamera:
    """Images of a folder, in the order of their names, as an `RgbdCamera`."""

    def __init__(self, config: ImageFolderConfig) -> None:
        self._config = config
        self._names: list[str] = []
        self._next = 0

    def __enter__(self) -> ImageFolderCamera:
        """List the images.

        Raises:
            CameraError: the folder holds no complete set of the three files.
        """
        folder = Path(self._config.folder)
        stems = sorted(path.name.removesuffix(_COLOR) for path in folder.glob(f"*{_COLOR}"))
        complete = [
            s for s in stems if (folder / (s + _DEPTH)).exists() and (folder / (s + _INTRINSICS)).exists()
        ]
        if not complete:
            raise CameraError(
                f"{folder} holds no NAME{_COLOR} with NAME{_DEPTH} and NAME{_INTRINSICS} beside it"
            )
        if self._config.name and self._config.name not in complete:
            raise CameraError(
                f"{folder} holds no image named {self._config.name!r}; it has {', '.join(complete)}"
            )
        self._names = [self._config.name] if self._config.name else complete
        self._next = 0
        return self

    def __exit__(self, *exc: object) -> None:
        self._names = []

    def describe(self) -> str:
        """The folder and how many images it shows."""
        return f"{self._config.folder}, {len(self._names)} images"

    def read(self, timeout_s: float) -> CameraSample:
        """Next sample; see `RgbdCamera.read`. Returns at once: the caller sets the pace."""
        if not self._names:
            raise CameraError("the camera is not started; use it as a context manager")
        if self._next == len(self._names):
            if not self._config.repeat:
                raise EndOfRecording(f"{self._config.folder} has been shown to its end")
            self._next = 0
        stem = str(Path(self._config.folder) / self._names[self._next])
        self._next += 1
        try:
            frame = load_rgbd(stem + _COLOR, stem + _DEPTH, stem + _INTRINSICS)
        except (OSError, ValueError) as error:
            raise BadFrame("unreadable", f"{stem}: {error}") from error
        assert frame.color is not None  # load_rgbd was given its path
        return CameraSample(frame.color, np.rint(frame.depth_m * 1000.0).astype(np.uint16), frame.intrinsics)
