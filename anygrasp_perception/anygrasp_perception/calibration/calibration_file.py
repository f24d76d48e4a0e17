# SPDX-License-Identifier: Apache-2.0
"""The YAML that the launch files load: where the camera is, as parameters of the camera node."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import yaml

from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.atomic_files import write_atomically
from anygrasp_perception.calibration.board import BoardConfig
from anygrasp_perception.calibration.solution import HandEyeCalibration
from anygrasp_perception.calibration.views import CalibrationError, Setup
from anygrasp_perception.camera_frames import T_LINK_OPTICAL
from anygrasp_perception.se3 import inverse, pose_to_transform, rotation_to_quat_xyzw

__all__ = ["load_calibration", "save_calibration", "static_transform_command"]

_NODE = "/**/camera"


def save_calibration(
    path: Path, calibration: HandEyeCalibration, board: BoardConfig, mount_frame: str
) -> None:
    """Write the parameters, with the quality of the calibration as comments.

    Raises:
        OSError: the file cannot be written.
    """
    quality, (position, quaternion) = calibration.consistency, _numbers(calibration.T_mount_camera)
    comments = [
        f"Pose of the camera, {calibration.setup.value}, by ./run calibrate from "
        f"{len(calibration.views)} views of",
        f"{board.describe()}, on {datetime.now(timezone.utc).date()}.",
        f"Reprojection {calibration.rms_px:.2f} px; consistency {quality.position_m * 1e3:.2f} mm, "
        f"{quality.angle_deg:.2f} deg;",
        f"standard error {calibration.uncertainty_m * 1e3:.2f} mm, {calibration.uncertainty_deg:.3f} deg. "
        "See docs/calibration.md",
    ]
    parameters = [
        f"{_NODE}:",
        "  ros__parameters:",
        f"    mount_frame: {mount_frame}",
        f"    optical_xyz_m: [{', '.join(position)}]",
        f"    optical_quat_xyzw: [{', '.join(quaternion)}]",
    ]
    lines = [*(f"# {line}" for line in comments), *parameters]
    write_atomically(path, ("\n".join(lines) + "\n").encode())


def load_calibration(path: Path) -> tuple[Setup, Float64Array]:
    """Return the set-up and T_mount_camera of a file; mounted on `base` means beside the robot.

    Raises:
        CalibrationError: the file is missing or no calibration.
    """
    try:
        parameters = yaml.safe_load(path.read_text(encoding="utf-8"))[_NODE]["ros__parameters"]
        setup = Setup.EYE_TO_HAND if parameters["mount_frame"] == "base" else Setup.EYE_IN_HAND
        return setup, pose_to_transform(parameters["optical_xyz_m"], parameters["optical_quat_xyzw"])
    except (OSError, KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        raise CalibrationError(f"{path} is no calibration by ./run calibrate: {error!r}") from error


def static_transform_command(
    T_mount_camera: Float64Array, mount_frame: str, T_link_optical: Float64Array = T_LINK_OPTICAL
) -> str:
    """The command that publishes the same for realsense-ros, given where its camera_link is."""
    (x, y, z), (qx, qy, qz, qw) = _numbers(T_mount_camera @ inverse(T_link_optical))
    return (
        f"ros2 run tf2_ros static_transform_publisher --x {x} --y {y} --z {z} --qx {qx} --qy {qy} --qz {qz} "
        f"--qw {qw} --frame-id {mount_frame} --child-frame-id camera_link"
    )


def _numbers(T: Float64Array) -> tuple[list[str], list[str]]:
    """Position to 1 um and quaternion, as texts."""
    return [f"{v:.6f}" for v in T[:3, 3]], [f"{v:.9f}" for v in rotation_to_quat_xyzw(T[:3, :3])]
