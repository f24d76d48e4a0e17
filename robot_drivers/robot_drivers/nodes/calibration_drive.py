# SPDX-License-Identifier: Apache-2.0
"""`./run calibrate capture --move`: images from the camera's topics, moves by our own connection to a UR."""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from pathlib import Path

from anygrasp_bringup.config_files import load_node_config
from anygrasp_bringup.stop_signals import stop_signals
from anygrasp_perception.calibration.session import CaptureSession
from anygrasp_perception.calibration.views import CalibrationError
from anygrasp_perception.nodes.calibration_capture import spinning_capture_node
from robot_drivers.arms.arm import ArmError
from robot_drivers.arms.ur import UrArm
from robot_drivers.bin_picking_config import BinPickingNodeConfig
from robot_drivers.calibration_drive import CalibrationDrive
from robot_drivers.safety import SafeArm

__all__ = ["drive_and_capture"]

_DRIVER_RUNS = "end the bin_picking node first: a UR takes one driver at a time"


def drive_and_capture(
    session: CaptureSession,
    robot_ip: str,
    config_file: Path,
    max_tilt_deg: float | None,
    camera: str,
    yes: bool,
) -> int:
    """Take views until there are enough; return 0, or 1 when the person ended it or the arm stopped.

    Raises:
        CalibrationError: see CalibrationDrive.run.
        ValueError: the file is no parameter file, or refused.
    """
    config = load_node_config(config_file, "bin_picking", BinPickingNodeConfig)
    limits = config.limits
    if max_tilt_deg is not None:
        limits = replace(limits, max_tilt_rad=math.radians(max_tilt_deg))
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    print(
        f"The robot at {robot_ip} drives itself, slowly, inside {limits.workspace_min} to "
        f"{limits.workspace_max} m.\nIt knows of no obstacle but limits.keep_out_boxes, and of no board in "
        f"its fingers.\nHand at the emergency stop; Ctrl-C halts it. {_DRIVER_RUNS.capitalize()}."
    )
    robot = UrArm(replace(config.arm, robot_ip=robot_ip))
    try:
        with (
            spinning_capture_node(session, config.base_frame, "tool0", camera) as node,
            SafeArm(robot, limits) as arm,
            stop_signals(arm.stop),  # last, since rclpy has handlers of its own
        ):
            T_tool0_tcp, confirm = config.arm.T_tool0_tcp, _always if yes else _ask
            enough = CalibrationDrive(session, arm, T_tool0_tcp, node.next_image, confirm, print).run()
    except ArmError as error:
        raise CalibrationError(str(error)) from error
    if enough:
        print("enough views: now ./run calibrate solve")
    return int(not enough)


def _always(text: str) -> bool:
    print(f"next: {text}")
    return True


def _ask(text: str) -> bool:
    """Only a clear yes moves the arm."""
    try:
        return input(f"next: {text}\nmove there? (yes moves, anything else ends) > ").strip().lower() == "yes"
    except EOFError:
        return False
