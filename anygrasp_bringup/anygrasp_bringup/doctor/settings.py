# SPDX-License-Identifier: Apache-2.0
"""What is looked at: the parameters of the nodes, and which of the devices somebody has asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from anygrasp_bringup.ament_index import config_directory
from anygrasp_bringup.config_files import node_parameters
from anygrasp_bringup.dataclass_parameters import ConfigError, build_config
from anygrasp_perception.cameras.realsense_config import RealSenseConfig
from anygrasp_perception.detectors import DEFAULT_DETECTOR
from robot_drivers.arms.flexiv_config import FlexivArmConfig
from robot_drivers.arms.ur_config import UrArmConfig
from robot_drivers.grippers.robotiq_config import RobotiqConfig

__all__ = ["DEVICES", "DoctorSettings", "read_settings"]

# What a machine without hardware does not have; everything else is always asked for.
DEVICES = ("camera", "calibration", "robot", "gripper")

_CAMERA, _UR, _FLEXIV, _DETECTION = "camera", "bin_picking", "fish_catching", "grasp_detection"

Config = TypeVar("Config")


@dataclass(frozen=True)
class DoctorSettings:
    """Addresses, files and names, as the nodes will get them."""

    calibration: Path  # pose of the camera
    asked: frozenset[str] = frozenset()  # of DEVICES
    flexiv: FlexivArmConfig | None = None  # the robot is this one, None: the UR
    ur: UrArmConfig = field(default_factory=UrArmConfig)
    gripper: RobotiqConfig = field(default_factory=RobotiqConfig)
    camera: RealSenseConfig = field(default_factory=RealSenseConfig)
    image_folder: str = ""  # played instead of a camera
    detector: str = DEFAULT_DETECTOR
    weights: str = ""  # of the network; empty: those that ship
    region_min_m: tuple[float, ...] = ()  # where fingertips may close, base frame; empty: not known
    region_max_m: tuple[float, ...] = ()


def read_settings(
    config: Path | None = None,
    robot_ip: str | None = None,
    serial_number: str | None = None,
    calibration: Path | None = None,
    only: tuple[str, ...] = (),
) -> DoctorSettings:
    """Return what to look at; the arguments go before the file's values, as those of the launch files do.

    A device is asked for when an argument, a section of `config` or `only` names it.

    Raises:
        ConfigError: the file is missing, no parameter file, or a value of a device is refused.
    """
    path = config or config_directory() / "bin_picking.yaml"
    try:
        camera, ur, flexiv, detection = (
            node_parameters(path, node) for node in (_CAMERA, _UR, _FLEXIV, _DETECTION)
        )
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror or error}") from error
    is_flexiv = serial_number is not None or (bool(flexiv) and not ur and robot_ip is None)
    given = config is not None
    asked = {name for name in only if name in DEVICES}
    named = "arm.serial_number" in flexiv if is_flexiv else "arm.robot_ip" in ur
    if robot_ip is not None or serial_number is not None or (given and named):
        asked |= {"robot", "gripper"}
    if given and any(key.startswith("gripper.") for key in ur):
        asked.add("gripper")
    if given and camera:
        asked |= {"camera", "calibration"}
    if calibration is not None:
        asked.add("calibration")
    settings = DoctorSettings(
        calibration=calibration or (path if "optical_xyz_m" in camera else _default_calibration()),
        asked=frozenset(asked),
        flexiv=_part(path, flexiv, "arm", FlexivArmConfig) if is_flexiv else None,
        ur=_part(path, ur, "arm", UrArmConfig),
        gripper=_part(path, ur, "gripper", RobotiqConfig),
        camera=_part(path, camera, "realsense", RealSenseConfig),
        image_folder=str(camera.get("folder", "")),
        detector=str(detection.get("detector", DEFAULT_DETECTOR)),
        weights=str(detection.get("weights", "")),
        region_min_m=tuple(ur.get("picking.target.region_min_m", ())),
        region_max_m=tuple(ur.get("picking.target.region_max_m", ())),
    )
    try:
        if serial_number is not None and settings.flexiv is not None:
            settings = replace(settings, flexiv=replace(settings.flexiv, serial_number=serial_number))
    except ValueError as error:
        raise ConfigError(str(error)) from error
    if robot_ip is not None:
        settings = replace(
            settings,
            ur=replace(settings.ur, robot_ip=robot_ip),
            gripper=replace(settings.gripper, robot_ip=robot_ip),
        )
    return settings


def _default_calibration() -> Path:
    return config_directory() / "calibration.yaml"


def _part(path: Path, values: Mapping[str, Any], prefix: str, config_class: type[Config]) -> Config:
    """The nested config called `prefix` of a node's parameters."""
    own = {name: value for name, value in values.items() if name.startswith(f"{prefix}.")}
    try:
        return build_config(config_class, own, prefix)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
