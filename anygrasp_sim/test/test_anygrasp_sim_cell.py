# SPDX-License-Identifier: Apache-2.0
"""The bin-picking cell: follows its controller, sees, and holds what it grasps all the way to the bin."""

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from anygrasp_perception.cloud import PointCloud
from anygrasp_perception.se3 import make_transform, transform_points
from anygrasp_sim.cell import BinPickingCell
from anygrasp_sim.cell_config import CellConfig
from anygrasp_sim.emulators.robot_backend import GripperContact, RobotBackend
from anygrasp_sim.emulators.ur_kinematics import UrKinematics
from anygrasp_sim.gripper_model import fingertip_reach
from anygrasp_sim.ground_truth import ObjectPlace
from anygrasp_training.objects import split_families

KINEMATICS = UrKinematics("ur5e")


def tcp_pose(cell):
    return KINEMATICS.forward(cell.joint_positions()) @ cell.config.T_tool0_tcp


def follow(cell, T_base_tcp, seconds):
    """Drive straight to a pose with a smooth speed profile, commanding joints as a controller does."""
    start = tcp_pose(cell)
    turn = Rotation.from_matrix(T_base_tcp[:3, :3] @ start[:3, :3].T).as_rotvec()
    joints = cell.joint_positions()
    ticks = round(seconds / cell.config.control_period_s)
    worst_m = 0.0
    for k in range(1, ticks + 1):
        s = k / ticks
        s = s * s * (3 - 2 * s)
        R = Rotation.from_rotvec(s * turn).as_matrix() @ start[:3, :3]
        T = make_transform(R, start[:3, 3] + s * (T_base_tcp[:3, 3] - start[:3, 3]))
        joints = KINEMATICS.inverse(T @ np.linalg.inv(cell.config.T_tool0_tcp), joints)
        cell.command_joints(joints)
        cell.step()
        worst_m = max(worst_m, np.linalg.norm(tcp_pose(cell)[:3, 3] - T[:3, 3]))
    return worst_m


def move_joints(cell, target_rad, seconds):
    start = cell.joint_positions()
    ticks = round(seconds / cell.config.control_period_s)
    for k in range(1, ticks + 1):
        s = k / ticks
        cell.command_joints(start + (s * s * (3 - 2 * s)) * (np.asarray(target_rad) - start))
        cell.step()


def grip(cell, position):
    cell.command_gripper(position, 1.0, 0.5)
    for _ in range(400):
        if cell.gripper_object_detected() is not GripperContact.MOVING:
            break
        cell.step()
    return cell.gripper_object_detected()


@pytest.fixture(scope="module")
def cell():
    with BinPickingCell(CellConfig(seed=1, object_count=5)) as cell:
        yield cell


def test_cell_is_a_robot_backend(cell):
    backend: RobotBackend = cell
    for name in (name for name in vars(RobotBackend) if not name.startswith("_")):
        assert callable(getattr(backend, name))


def test_it_starts_at_home_at_time_zero_with_everything_on_the_plate():
    with BinPickingCell(CellConfig(seed=2, object_count=3)) as cell:
        assert cell.time_s == 0.0
        np.testing.assert_allclose(cell.joint_positions(), cell.config.home_joints_rad, atol=1e-4)
        assert cell.gripper_position() == pytest.approx(0.0, abs=0.01)
        states = cell.object_states()
        assert [state.place for state in states] == [ObjectPlace.ON_PLATE] * 3
        assert [state.name for state in states] == [item.name for item in cell.objects]
        cell.step(5)
        assert cell.time_s == pytest.approx(5 * 0.008)


def test_two_cells_of_one_seed_are_alike():
    config = CellConfig(seed=5, object_count=2)
    with BinPickingCell(config) as one, BinPickingCell(config) as other:
        for cell in (one, other):
            cell.command_gripper(0.5, 1.0, 1.0)
            cell.step(20)
        np.testing.assert_array_equal(one.data.qpos, other.data.qpos)
        np.testing.assert_array_equal(one.render().depth_m, other.render().depth_m)


def test_the_frame_shows_the_objects_where_they_are(cell):
    frame = cell.render()
    assert frame.color is not None
    cloud = frame.cloud()
    assert isinstance(cloud, PointCloud)
    points = transform_points(cell.T_base_camera, cloud.points)
    for state, item in zip(cell.object_states(), cell.objects, strict=True):
        top = transform_points(state.T_base_object, item.mesh.vertices)[:, 2].max()
        near = np.linalg.norm(points[:, :2] - state.T_base_object[:2, 3], axis=1) < item.size_m.max() / 2
        assert np.percentile(points[near, 2], 99) > min(top, 0.02) - 0.01
    centre = np.linalg.norm(points[:, :2] - cell.config.plate_center_m, axis=1) < 0.17
    assert np.median(points[centre, 2]) == pytest.approx(cell.config.plate_floor_m, abs=0.02)


def test_the_arm_follows_a_fast_line_within_millimetres_and_arrives(cell):
    goal = make_transform(np.diag([-1.0, 1.0, -1.0]), (0.05, -0.45, 0.25))
    assert follow(cell, goal, 1.0) < 0.003
    cell.step(15)
    np.testing.assert_allclose(tcp_pose(cell), goal, atol=5e-4)
    np.testing.assert_allclose(cell.joint_velocities(), 0, atol=2e-2)
    assert follow(cell, make_transform(goal[:3, :3], (0.45, -0.25, 0.40)), 1.0) < 0.003
    move_joints(cell, cell.config.home_joints_rad, 0.5)


def test_without_commands_the_arm_stands_still(cell):
    move_joints(cell, cell.config.home_joints_rad, 0.2)
    cell.step(50)
    before = cell.joint_positions()
    cell.step(50)
    np.testing.assert_allclose(cell.joint_positions(), before, atol=1e-5)


def test_the_gripper_moves_linearly_in_its_command(cell):
    for position in (1.0, 0.5, 0.0):
        assert grip(cell, position) is GripperContact.AT_POSITION
        assert cell.gripper_position() == pytest.approx(position, abs=0.02)


@pytest.mark.parametrize(("family", "seed"), [("carton", 0), ("can", 0), ("sponge", 1), ("plush_whale", 0)])
def test_a_sound_grasp_is_held_to_the_bin(family, seed):
    with BinPickingCell(CellConfig(seed=seed, object_count=1, families=(family,))) as cell:
        T_base_tcp, width_m = top_grasp(cell)
        grip(cell, 1 - min(0.085, width_m + 0.018) / 0.085)
        above = T_base_tcp.copy()
        above[2, 3] = 0.25
        follow(cell, above, 1.2)
        follow(cell, T_base_tcp, 0.8)
        assert grip(cell, 1.0) is GripperContact.OBJECT_WHILE_CLOSING
        assert (1 - cell.gripper_position()) * 0.085 == pytest.approx(width_m, abs=0.008)
        follow(cell, above, 0.6)
        assert cell.object_states()[0].place is ObjectPlace.HELD
        before = np.linalg.inv(tcp_pose(cell)) @ cell.object_states()[0].T_base_object
        cell.step(125)
        after = np.linalg.inv(tcp_pose(cell)) @ cell.object_states()[0].T_base_object
        assert np.linalg.norm(after[:3, 3] - before[:3, 3]) < 0.001  # slip in a second
        move_joints(cell, cell.config.drop_joints_rad, 1.0)
        assert cell.object_states()[0].place is ObjectPlace.HELD
        assert cell.gripper_object_detected() is GripperContact.OBJECT_WHILE_CLOSING
        grip(cell, 0.0)
        cell.step(100)
        assert cell.object_states()[0].place is ObjectPlace.IN_BIN


def top_grasp(cell):
    """Grasp straight down through the centre of mass where the object is narrowest, from its known pose."""
    item, state = cell.objects[0], cell.object_states()[0]
    samples = trimesh.sample.sample_surface(item.mesh, 4000, seed=0)[0]
    points = transform_points(state.T_base_object, samples)
    centre = state.T_base_object[:3, 3]
    tip = max(cell.config.plate_floor_m + 0.004, centre[2] - 0.012)
    offsets = points[points[:, 2] > tip][:, :2] - centre[:2]  # what the fingers can meet
    candidates = []
    for angle in np.arange(36) * np.pi / 36 - np.pi:
        closing = np.array([np.cos(angle), np.sin(angle)])
        across = offsets[np.abs(offsets @ (-closing[1], closing[0])) < 0.012] @ closing
        candidates.append((np.ptp(across), closing, (across.max() + across.min()) / 2))
    width, closing, middle = min(candidates, key=lambda candidate: candidate[0])
    y, z = np.array([*closing, 0.0]), np.array([0.0, 0.0, -1.0])
    # The fingertips of a wide grasp reach less far than the TCP.
    height = tip - (cell.config.tcp_offset_m - fingertip_reach(width))
    T = make_transform(np.column_stack([np.cross(y, z), y, z]), (*(centre[:2] + middle * closing), height))
    return T, width


@pytest.mark.parametrize(
    ("position", "place"),
    [
        ((0.0, -0.5, 0.05), ObjectPlace.ON_PLATE),
        ((0.45, -0.25, 0.05), ObjectPlace.IN_BIN),
        ((0.25, 0.05, 0.05), ObjectPlace.OUTSIDE),
        ((0.45, -0.25, 0.60), ObjectPlace.OUTSIDE),
        ((0.0, -1.5, -0.70), ObjectPlace.OUTSIDE),
    ],
)
def test_places(cell, position, place):
    name = cell.objects[0].name
    start = cell.model.joint(name).qposadr[0]
    saved = cell.data.qpos[start : start + 3].copy()
    cell.data.qpos[start : start + 3] = position
    cell.data.xpos[cell.model.body(name).id] = position
    assert cell.object_states()[0].place is place
    cell.data.qpos[start : start + 3] = cell.data.xpos[cell.model.body(name).id] = saved


def test_unknown_family_lists_the_choices():
    with pytest.raises(ValueError, match=r"'teapot'.*mug"):
        BinPickingCell(CellConfig(families=("teapot",)))


def test_a_split_gives_objects_of_its_families_alone():
    with BinPickingCell(CellConfig(seed=4, object_count=2, split="novel")) as cell:
        assert {item.family for item in cell.objects} <= set(split_families("novel"))


def test_a_split_and_families_at_once_are_refused():
    with pytest.raises(ValueError, match="split 'novel' and families"):
        CellConfig(split="novel", families=("bolt",))


def test_an_unknown_split_is_refused_with_the_choices():
    with pytest.raises(ValueError, match=r"unknown split 'new'.*novel"):
        BinPickingCell(CellConfig(split="new"))


def test_a_refilled_cell_has_another_heap_and_its_time_stands_still():
    with BinPickingCell(CellConfig(seed=2, object_count=2, families=("brick", "can"))) as cell:
        cell.step(400)  # asleep by now
        before, time_s = cell.object_states(), cell.time_s
        cell.refill()
        after = cell.object_states()
        assert cell.time_s == time_s
        assert [state.place for state in after] == [ObjectPlace.ON_PLATE] * 2
        for one, other in zip(before, after, strict=True):
            assert np.linalg.norm(one.T_base_object[:3, 3] - other.T_base_object[:3, 3]) > 0.005
        cell.step(50)
        for one, other in zip(after, cell.object_states(), strict=True):
            np.testing.assert_allclose(one.T_base_object, other.T_base_object, atol=2e-3)
