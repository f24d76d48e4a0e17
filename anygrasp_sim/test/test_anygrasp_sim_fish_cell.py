# SPDX-License-Identifier: Apache-2.0
"""The fish cell: fish that swim in their tank, an arm as published, and a robot behind flexivrdk's API."""

from dataclasses import replace

import mujoco
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from anygrasp_perception.se3 import inverse, make_transform, rotation_angle, transform_points
from anygrasp_sim.fish.fish_cell import FishCell
from anygrasp_sim.fish.fish_cell_config import LONG_FINGERS, FishCellConfig, FishConfig, WaterConfig
from anygrasp_sim.fish.fish_kinds import KINDS, choose_kinds
from anygrasp_sim.fish.fish_truth import FishPlace
from anygrasp_sim.fish.flexiv_robot import SimulatedRizon
from anygrasp_sim.fish.rizon_kinematics import RizonKinematics

SECOND = 125  # control periods


@pytest.fixture(scope="module")
def swum():
    """A cell after 8 s, and the states of its fish every 0.2 s."""
    cell = FishCell(FishCellConfig(seed=3))
    history = []
    for _ in range(40):
        cell.step(SECOND // 5)
        history.append(cell.fish_states())
    yield cell, history
    cell.close()


def test_eight_fish_of_several_kinds_stay_in_the_water_upright(swum):
    cell, history = swum
    assert len({fish.kind for fish in history[0]}) == len(KINDS)
    lower, upper = cell.config.water_box_m
    for states in history:
        assert len(states) == 8
        for fish in states:
            assert fish.place is FishPlace.IN_TANK
            assert np.all(fish.T_base_fish[:3, 3] > lower)
            assert np.all(fish.T_base_fish[:3, 3] < upper)
            assert fish.T_base_fish[2, 2] > 0.8


def test_they_swim_forward_turn_and_change_speed(swum):
    _, history = swum
    for index, first in enumerate(history[0]):
        track = [states[index] for states in history]
        forward = np.array([fish.T_base_fish[:3, 0] @ fish.velocity_m_s for fish in track])
        slow, fast = KINDS[first.kind].speed_m_s
        assert 0.4 * slow < np.median(forward) < 1.3 * fast
        assert np.ptp(forward) > 0.005
        headings = np.unwrap([np.arctan2(*fish.T_base_fish[1::-1, 0]) for fish in track])
        assert np.ptp(headings) > 0.15


def test_the_same_seed_gives_the_same_swim_and_another_seed_another(swum):
    _, history = swum
    again, other = FishCell(FishCellConfig(seed=3)), FishCell(FishCellConfig(seed=4))
    for cell in (again, other):
        for _ in range(5):
            cell.step(SECOND // 5)
    places = [[fish.T_base_fish[:3, 3] for fish in states] for states in (again.fish_states(), history[4])]
    np.testing.assert_array_equal(places[0], places[1])
    assert not np.allclose(places[0], [fish.T_base_fish[:3, 3] for fish in other.fish_states()])


def test_out_of_the_water_a_fish_falls():
    cell = FishCell(FishCellConfig(fish=FishConfig(count=1)))
    start = cell.model.joint(cell.names[0]).qposadr[0]
    cell.data.qpos[start : start + 3] = (0.1, -0.48, 0.3)  # over the bin
    mujoco.mj_forward(cell.model, cell.data)
    assert cell.fish_states()[0].place is FishPlace.OUTSIDE
    cell.step(round(0.1 * SECOND))
    assert cell.fish_states()[0].velocity_m_s[2] == pytest.approx(-9.81 * 0.1, rel=0.15)
    cell.step(SECOND)
    assert cell.fish_states()[0].place is FishPlace.IN_BIN


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        # By hand from the published offsets: all joints at zero stand the arm up along z.
        (np.zeros(7), (0.02 + 0.015 + 0.081, -0.03 - 0.035 - 0.03 + 0.025 + 0.03 + 0.073, None)),
    ],
)
def test_the_arm_is_as_long_as_published(q, expected):
    flange = RizonKinematics(np.eye(4), np.zeros(7)).forward(q)
    height = 0.155 + 0.21 + 0.205 + 0.19 + 0.195 + 0.19 + 0.11
    assert flange[2, 3] == pytest.approx(height, abs=1e-9)
    reach = np.hypot(*flange[:2, 3])
    assert reach < 0.15  # nearly straight


def test_the_camera_sees_a_fish_under_the_fingers_from_end_to_end_and_from_ready_all_of_the_water():
    config = FishCellConfig()
    eye, camera = config.camera_offset_m, config.intrinsics
    half, under_m = max(kind.length_m for kind in KINDS.values()) / 2, config.flange_to_tip_m + 0.03
    ends = np.array([[side * half, 0.0, under_m] for side in (-1, 1)])  # flange frame; along the camera's arm
    T_camera_flange = inverse(config.T_flange_camera)
    pixels = camera.project(transform_points(T_camera_flange, ends))
    assert np.all((pixels >= 0) & (pixels < (camera.width, camera.height)))
    # The palm's near edge hides nothing of it.
    palm_x, palm_z = -LONG_FINGERS.base_height_m / 2, config.flange_to_tip_m - LONG_FINGERS.finger_length_m
    assert (half - eye[0]) / (under_m - eye[2]) < (palm_x - eye[0]) / (palm_z - eye[2])
    with FishCell(config) as cell:
        lower, upper = config.water_box_m
        corners = np.array([[x, y, config.water.level_m] for x in (0.305, 0.695) for y in (-0.275, 0.275)])
        assert np.all(corners > lower - 1e-9)
        assert np.all(corners < upper + 1e-9)
        pixels = camera.project(transform_points(inverse(cell.T_base_camera), corners))
    assert np.all((pixels >= 0) & (pixels < (camera.width, camera.height)))


def test_inverse_kinematics_finds_what_forward_kinematics_gives():
    config = FishCellConfig()
    kinematics = RizonKinematics(config.T_flange_tcp, config.home_joints_rad)
    rng = np.random.default_rng(0)
    for _ in range(8):
        T = make_transform(
            Rotation.from_euler("z", rng.uniform(-1.3, 1.3)).as_matrix() @ np.diag([1.0, -1, -1]),
            [rng.uniform(0.33, 0.67), rng.uniform(-0.24, 0.24), rng.uniform(-0.15, 0.2)],
        )
        q = kinematics.inverse(T, config.home_joints_rad)
        assert q is not None
        reached = kinematics.forward(q)
        assert np.linalg.norm(reached[:3, 3] - T[:3, 3]) < 1e-3
        assert rotation_angle(reached[:3, :3], T[:3, :3]) < 2e-3
    assert kinematics.inverse(make_transform(np.eye(3), [2.0, 0, 0]), config.home_joints_rad) is None


@pytest.fixture
def robot(request):
    """A connected simulated Rizon in lock-step, and its module; with a parameter, the arm starts there."""
    config = FishCellConfig(fish=FishConfig(count=1))
    cell = FishCell(replace(config, home_joints_rad=getattr(request, "param", config.home_joints_rad)))
    rizon = SimulatedRizon(cell, lockstep_s=0.016)
    module = rizon.module
    robot = module.Robot("Rizon4-000000", [])
    robot.Enable()
    tool, parameters = module.Tool(robot), module.ToolParams()
    parameters.tcp_location = [0.0, 0.0, cell.config.flange_to_tip_m, 1.0, 0.0, 0.0, 0.0]
    robot.SwitchMode(module.Mode.IDLE)
    tool.Add("jaws", parameters)
    tool.Switch("jaws")
    return cell, module, robot


def test_the_tool_goes_where_it_is_sent_no_faster_than_allowed(robot):
    _, module, robot = robot
    robot.SwitchMode(module.Mode.NRT_CARTESIAN_MOTION_FORCE)
    start = robot.states().tcp_pose
    goal = [start[0] + 0.06, start[1] - 0.08, start[2] - 0.05, *start[3:]]
    robot.SendCartesianMotionForce(goal, max_linear_vel=0.2, max_linear_acc=2.0)
    previous, speeds = None, []
    for _ in range(80):
        states = robot.states()
        now = (states.timestamp[0] + 1e-9 * states.timestamp[1], np.array(states.tcp_pose[:3]))
        if previous is not None:
            speeds.append(np.linalg.norm(now[1] - previous[1]) / (now[0] - previous[0]))
        previous = now
    np.testing.assert_allclose(previous[1], goal[:3], atol=1e-3)
    assert 0.15 < max(speeds) < 0.24


def test_joints_and_stop(robot):
    _, module, robot = robot
    robot.SwitchMode(module.Mode.NRT_JOINT_POSITION)
    q = np.array(robot.states().q)
    robot.SendJointPosition((q + 0.3).tolist(), [0.0] * 7, [1.0] * 7, [4.0] * 7)
    for _ in range(10):
        states = robot.states()
    assert 0.2 < np.abs(states.dq).max() < 1.1
    robot.Stop()
    for _ in range(15):
        states = robot.states()
    assert np.abs(states.dq).max() < 0.02
    assert np.abs(np.array(states.q) - q).max() < 0.29
    with pytest.raises(RuntimeError, match="not allowed in mode IDLE"):
        robot.SendJointPosition(q.tolist(), [0.0] * 7, [1.0] * 7, [4.0] * 7)


def test_emergency_stop_holds_the_robot(robot):
    _, module, robot = robot
    robot._answers.press_emergency_stop()
    assert not robot.operational()
    assert robot.operational_status() is module.OperationalStatus.ESTOP_NOT_RELEASED
    with pytest.raises(RuntimeError, match="ESTOP"):
        robot.SwitchMode(module.Mode.NRT_JOINT_POSITION)
    robot._answers.press_emergency_stop(False)
    robot.Enable()
    assert robot.operational()


def joints_in_the_water():
    config = FishCellConfig()
    kinematics = RizonKinematics(config.T_flange_tcp, config.home_joints_rad)
    T = make_transform(np.diag([1.0, -1, -1]), [0.5, 0.0, -0.11])
    return tuple(kinematics.inverse(T, config.home_joints_rad))


@pytest.mark.parametrize("robot", [joints_in_the_water()], indirect=True, ids=["in the water"])
def test_the_gripper_closes_in_the_time_of_its_data_sheet_and_holds_a_fish(robot):
    cell, module, robot = robot
    gripper = module.Gripper(robot)
    gripper.Enable("Robotiq-2F-85")
    params = gripper.params()
    start_s = cell.time_s
    gripper.Move(0.0, params.max_vel, params.min_force)
    while gripper.states().is_moving:
        assert cell.time_s < start_s + 2.0
    assert cell.time_s - start_s == pytest.approx(0.085 / 0.15, abs=0.12)
    assert gripper.states().width == pytest.approx(0.0, abs=0.002)
    gripper.Move(0.085, params.max_vel, params.min_force)
    while gripper.states().is_moving:
        pass
    _put_between_the_fingers(cell)
    gripper.Move(0.0, params.max_vel, 60.0)
    while gripper.states().is_moving:
        assert cell.time_s < start_s + 6.0
    fish = cell.fish_states()[0]
    assert fish.touches == (True, True)
    assert fish.place is FishPlace.HELD
    assert gripper.states().width == pytest.approx(fish.size_m[1], abs=0.006)


def _put_between_the_fingers(cell):
    start = cell.model.joint(cell.names[0]).qposadr[0]
    T = cell.tcp_pose()
    cell.data.qpos[start : start + 3] = T[:3, 3] - 0.025 * T[:3, 2]
    cell.data.qpos[start + 3 : start + 7] = (1, 0, 0, 0)  # along the tool's x
    cell.data.qvel[cell.model.joint(cell.names[0]).dofadr[0] + np.arange(6)] = 0
    mujoco.mj_forward(cell.model, cell.data)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FishCellConfig(seed=-1), "seed"),
        (lambda: FishCellConfig(home_joints_rad=(0.0,) * 6), "7 joints"),
        (lambda: FishCellConfig(water=WaterConfig(level_m=0.1)), "water.level_m"),
        (lambda: replace(FishCellConfig(), control_period_s=0.003), "whole multiple"),
        (lambda: FishConfig(count=0), "count"),
        (lambda: FishConfig(depth_m=(0.05, 0.02)), "depth_m"),
        (lambda: WaterConfig(friction=0.0), "friction"),
        (lambda: choose_kinds(3, ("whale",)), "clownfish"),
        (lambda: SimulatedRizon(None, lockstep_s=-1.0), "lockstep_s"),
    ],
)
def test_impossible_cells_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
