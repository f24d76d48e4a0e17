# SPDX-License-Identifier: Apache-2.0
"""The YAML files in config/ hold known parameters of the right type, and robot and cell fit each other."""

from pathlib import Path

import numpy as np
import pytest

from anygrasp_bringup.config_files import load_config_file
from anygrasp_perception.nodes.camera import CameraNodeConfig
from anygrasp_perception.nodes.grasp_detection import GraspDetectionConfig
from anygrasp_perception.se3 import pose_to_transform
from anygrasp_sim.nodes.cell import CellNodeConfig
from anygrasp_tracking.nodes.grasp_tracking_config import GraspTrackingConfig
from robot_drivers.fish_trials.lock_step import FISH_CELL_ARM, FISH_CELL_LIMITS
from robot_drivers.nodes.bin_picking import BinPickingNodeConfig
from robot_drivers.nodes.catch_fish import CatchFishConfig
from robot_drivers.nodes.clear_bin import ClearBinConfig
from robot_drivers.nodes.fish_catching import FishCatchingNodeConfig

CONFIG = Path(__file__).parents[1] / "config"
NODES = {
    "bin_picking": BinPickingNodeConfig,
    "camera": CameraNodeConfig,
    "catch_fish": CatchFishConfig,
    "cell": CellNodeConfig,
    "clear_bin": ClearBinConfig,
    "fish_catching": FishCatchingNodeConfig,
    "grasp_detection": GraspDetectionConfig,
    "grasp_tracking": GraspTrackingConfig,
}


@pytest.mark.parametrize("path", sorted(CONFIG.glob("*.yaml")), ids=lambda path: path.name)
def test_file_configures_known_nodes_with_known_parameters(path):
    assert load_config_file(path, NODES)


@pytest.fixture
def configs():
    return load_config_file(CONFIG / "bin_picking.yaml", NODES)


def test_robot_and_cell_agree_on_the_tool_and_the_joints(configs):
    cell, robot = configs["cell"].cell, configs["bin_picking"]
    np.testing.assert_allclose(robot.arm.T_tool0_tcp, cell.T_tool0_tcp)
    np.testing.assert_allclose(robot.picking.motion.home_joints_rad, cell.home_joints_rad)
    np.testing.assert_allclose(robot.picking.motion.drop_joints_rad, cell.drop_joints_rad)


def test_fingertips_close_inside_the_walls_and_above_the_floor(configs):
    cell, target = configs["cell"].cell, configs["bin_picking"].picking.target
    half_size = cell.plate_inner_size_m / 2
    low, high = np.array(target.region_min_m), np.array(target.region_max_m)
    assert np.all(low[:2] >= np.array(cell.plate_center_m) - half_size)
    assert np.all(high[:2] <= np.array(cell.plate_center_m) + half_size)
    assert low[2] > cell.plate_floor_m


def test_the_mounted_camera_hangs_as_in_the_cell(configs):
    camera = load_config_file(CONFIG / "calibration.yaml", NODES)["camera"]
    T_base_camera = pose_to_transform(camera.optical_xyz_m, camera.optical_quat_xyzw)
    assert camera.mount_frame == "base"
    np.testing.assert_allclose(T_base_camera, configs["cell"].cell.T_base_camera, atol=1e-6)


def test_workspace_holds_the_region(configs):
    limits, target = configs["bin_picking"].limits, configs["bin_picking"].picking.target
    assert np.all(np.array(limits.workspace_min) <= target.region_min_m)
    assert np.all(np.array(limits.workspace_max) >= target.region_max_m)


@pytest.fixture
def fish():
    """Configs of the fish cell and what drives it."""
    return load_config_file(CONFIG / "fish_catching.yaml", NODES)


def test_fish_catching_knows_its_cell(fish):
    node = fish["fish_catching"]
    cell, perception, servo = node.simulation.cell, node.perception, node.catching.servo
    lower, upper = cell.water_box_m
    np.testing.assert_allclose(perception.water_min_m, lower)
    np.testing.assert_allclose(perception.water_max_m, upper)
    assert perception.refractive_index == cell.water.refractive_index
    assert perception.opening_m == node.catching.motion.open_width_m
    np.testing.assert_allclose(node.arm.T_flange_tcp, cell.T_flange_tcp)
    assert (node.arm, node.limits) == (FISH_CELL_ARM, FISH_CELL_LIMITS)  # lock-step has the same
    np.testing.assert_allclose(node.catching.motion.ready_joints_rad, cell.home_joints_rad)
    inside = np.array([servo.workspace_min_m[:2], servo.workspace_max_m[:2]])
    assert np.all(inside[0] > lower[:2])
    assert np.all(inside[1] < upper[:2])
    assert servo.workspace_min_m[2] > cell.tank_floor_m
    assert np.all(np.array(node.limits.workspace_min) <= servo.workspace_min_m)
    assert np.all(np.array(node.limits.workspace_max) >= servo.workspace_max_m)


def test_the_wrist_camera_is_mounted_as_in_the_fish_cell(fish):
    camera, cell = fish["camera"], fish["fish_catching"].simulation.cell
    T_tool0_camera = pose_to_transform(camera.optical_xyz_m, camera.optical_quat_xyzw)
    assert camera.mount_frame == "tool0"
    np.testing.assert_allclose(T_tool0_camera, cell.T_flange_camera, atol=1e-6)
