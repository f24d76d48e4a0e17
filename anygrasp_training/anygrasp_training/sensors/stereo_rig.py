# SPDX-License-Identifier: Apache-2.0
"""Where the imagers, the projector and the colour camera of a stereo depth camera sit: data-sheet facts."""

from __future__ import annotations

from dataclasses import dataclass

from anygrasp_perception.camera import CameraIntrinsics

__all__ = ["D415_RIG", "D435_RIG", "StereoRig"]


@dataclass(frozen=True)
class StereoRig:
    """Rectified pair of infrared imagers on the x axis of the left one, looking along z.

    The colour camera is left of the left imager, so that in a depth image aligned to colour both offsets add
    up: whatever the right imager cannot see lies left of the objects.
    """

    focal_px: float  # of the infrared images
    width: int
    height: int
    baseline_m: float  # right imager at x = +baseline
    color_offset_m: float = 0.015  # colour camera at x = -color_offset
    projector_offset_m: float = 0.029  # projector at x = +projector_offset, between the imagers
    projector_fov_deg: tuple[float, float] = (90.0, 63.0)  # horizontal, vertical
    max_disparity_px: int = 126  # search range of the matching chip: the nearest distance
    max_depth_m: float = 3.0

    def __post_init__(self) -> None:
        for name in ("focal_px", "width", "height", "baseline_m", "max_disparity_px", "max_depth_m"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be positive")
        if self.color_offset_m < 0:
            raise ValueError(
                f"color_offset_m is {self.color_offset_m}; the colour camera is on the left: >= 0"
            )
        if not all(0 < angle < 170 for angle in self.projector_fov_deg):
            raise ValueError(f"projector_fov_deg is {self.projector_fov_deg}; both must be in (0, 170)")

    @property
    def disparity_m_px(self) -> float:
        """Focal length times baseline: depth in metres is this over the disparity in pixels."""
        return self.focal_px * self.baseline_m

    @property
    def min_depth_m(self) -> float:
        """The distance at which the disparity reaches the end of the search range."""
        return self.disparity_m_px / self.max_disparity_px

    @property
    def infrared_intrinsics(self) -> CameraIntrinsics:
        """Pinhole model of both infrared images."""
        return CameraIntrinsics(
            fx=self.focal_px,
            fy=self.focal_px,
            cx=(self.width - 1) / 2,
            cy=(self.height - 1) / 2,
            width=self.width,
            height=self.height,
        )


# Intel RealSense D400 data sheet 337029: baselines 55 and 50 mm, projectors 67 x 41 and 90 x 63 degrees,
# search range 126; focal lengths are those devices report at these sizes (D415 at 640x480 is a crop).
D415_RIG = StereoRig(focal_px=594.0, width=640, height=480, baseline_m=0.055, projector_fov_deg=(67.0, 41.0))
D435_RIG = StereoRig(focal_px=424.0, width=848, height=480, baseline_m=0.050)
