# SPDX-License-Identifier: Apache-2.0
"""The executor's eyes in lock-step: the cell's camera and a detector, with a price in simulated time."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from anygrasp_perception.arrays import Uint8Array
from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_perception.detector import Detector
from robot_drivers.executors.grasp_request import Corner, GraspClientConfig, detection_request
from robot_drivers.executors.perception import Perception, PerceptionError
from robot_drivers.lockstep.cell import LockstepCell

__all__ = ["CAMERA_FRAME", "EyesConfig", "LockstepEyes"]

CAMERA_FRAME = "camera_color_optical_frame"


@dataclass(frozen=True)
class EyesConfig:
    """How time passes while the robot looks. Raises ValueError on values out of range."""

    camera_rate_hz: float = 4.0  # images a simulated second
    decision_s: float = 0.5  # simulated time that a decision takes, whatever it takes here
    seed: int = 0  # of the detector's sampling
    keep_images: bool = False  # for pictures of the picks

    def __post_init__(self) -> None:
        if not self.camera_rate_hz > 0.0:
            raise ValueError(f"camera_rate_hz is {self.camera_rate_hz}; it must be positive")
        if not 0.0 <= self.decision_s < math.inf:
            raise ValueError(f"decision_s is {self.decision_s}; use 0 or more")


class LockstepEyes:
    """`Perceive` without messages: the first image after the given moment, its grasps, and the time for them.

    `images` holds the colour image (H, W, 3) of each stamp while `keep_images` is set.
    """

    def __init__(
        self,
        world: LockstepCell,
        detector: Detector,
        ask: GraspClientConfig,
        region_m: tuple[Corner, Corner],
        config: EyesConfig,
    ) -> None:
        self.images: dict[float, Uint8Array] = {}
        self._world = world
        self._detector = detector
        self._config = config
        self._request = detection_request(ask, region_m, world.cell.T_base_camera, config.seed)

    @property
    def intrinsics(self) -> CameraIntrinsics:
        """Of all images."""
        return self._world.cell.config.intrinsics

    def __call__(self, newer_than_s: float) -> Perception:
        """Grasps of an image newer than `newer_than_s`; see `Perceive`."""
        robot = self._world.robot
        rate_hz = self._config.camera_rate_hz
        robot.wait_until((math.floor(newer_than_s * rate_hz) + 1) / rate_hz)
        frame, stamp_s = self._world.cell.render(), robot.now_s()
        started = time.perf_counter()
        try:
            result = self._detector.detect(frame.cloud(), self._request)
        except ValueError as error:
            raise PerceptionError(f"BAD_IMAGE: {error}") from error
        decision_s = time.perf_counter() - started
        robot.wait_until(stamp_s + self._config.decision_s)
        if self._config.keep_images and frame.color is not None:
            self.images[stamp_s] = frame.color
        return Perception(
            grasps_base=result.grasps.transformed(self._world.cell.T_base_camera),
            grasps_image=result.grasps,
            frame_id=CAMERA_FRAME,
            stamp_s=stamp_s,
            decision_s=decision_s,
            rejected=result.rejected.as_dict(),
        )
