# SPDX-License-Identifier: Apache-2.0
"""Bin picking in lock-step: it picks, the same way every time, and time passes as it is charged."""

from collections import deque

import numpy as np
import pytest

from anygrasp_perception.detector import DetectionResult
from anygrasp_perception.geometric_detector import GeometricDetector
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.reject_reason import RejectCounts
from anygrasp_sim.cell_config import CellConfig
from anygrasp_sim.emulators.robot_backend import HOME_JOINTS_RAD, KinematicBackend
from robot_drivers.arms.arm import ArmStopped
from robot_drivers.arms.ur import UrArm
from robot_drivers.bin_picking_config import BinPickingNodeConfig
from robot_drivers.executors.bin_picking_config import BinPickingConfig
from robot_drivers.executors.grasp_request import GraspClientConfig, detection_request
from robot_drivers.executors.grasp_target import TargetConfig
from robot_drivers.executors.pick_errors import PickError
from robot_drivers.lockstep.eyes import EyesConfig
from robot_drivers.lockstep.robot import LockstepRobot
from robot_drivers.lockstep.run import clear_bin_in_lockstep
from robot_drivers.lockstep.ur_link import LockstepUrLink

CELL = CellConfig(seed=1, object_count=2, families=("brick", "carton"))
INSIDE_THE_WALLS = TargetConfig(region_min_m=(-0.15, -0.65, 0.008), region_max_m=(0.15, -0.35, 0.25))
ROBOT = BinPickingNodeConfig(picking=BinPickingConfig(target=INSIDE_THE_WALLS, max_empty_perceptions=2))
NEARLY_EMPTY = CellConfig(object_count=1, families=("brick",))


class Blind:
    """A detector that finds nothing."""

    name = "blind"

    def detect(self, cloud, request):
        return DetectionResult(GraspGroup.empty(), 0, RejectCounts(), {}, self.name)


class Broken:
    """A detector that cannot use any image."""

    name = "broken"

    def detect(self, cloud, request):
        raise ValueError("the cloud is empty")


@pytest.fixture(scope="module")
def run():
    return clear_bin_in_lockstep(
        CELL, GeometricDetector(), ROBOT, EyesConfig(keep_images=True, seed=1), max_attempts=1
    )


def test_a_pick_brings_an_object_into_the_bin(run):
    (outcome,) = run.outcomes
    assert outcome.success
    assert outcome.record.placed
    assert len(outcome.brought) == 1
    assert (run.report.total.attempts, run.report.total.cleared) == (1, 1)
    assert run.report.run["simulated_s"] >= run.result.duration_s > 3.0


def test_its_picture_is_the_image_that_was_decided_on(run):
    (picture,) = run.pictures
    assert picture.image.shape == (480, 640, 3)
    assert picture.outcome is run.outcomes[0]


def test_the_same_seed_gives_the_same_run(run):
    again = clear_bin_in_lockstep(CELL, GeometricDetector(), ROBOT, max_attempts=1)
    (first,), (second,) = run.result.records, again.result.records
    np.testing.assert_array_equal(first.grasp.poses, second.grasp.poses)
    assert first.stages_s == second.stages_s
    assert first.ended_s == second.ended_s
    assert run.outcomes[0].brought == again.outcomes[0].brought


def test_decisions_take_the_time_they_are_charged():
    run = clear_bin_in_lockstep(NEARLY_EMPTY, Blind(), ROBOT, EyesConfig(decision_s=3.0))
    images_s = 2 * 0.5  # at most: settling, then the next of four images a second
    assert 2 * 3.0 <= run.result.duration_s < 2 * 3.0 + images_s + 0.1
    assert run.result.empty_perceptions == 2
    assert run.report.total.attempts == 0


def test_a_detector_that_fails_ends_the_run_and_not_the_program():
    run = clear_bin_in_lockstep(NEARLY_EMPTY, Broken())
    assert run.result.error_code is PickError.NO_PERCEPTION
    assert "the cloud is empty" in run.result.error_msg


def test_grasps_are_asked_for_in_the_region_and_near_straight_down():
    T_base_camera = CELL.T_base_camera
    region_m = ((-0.1, -0.6, 0.0), (0.1, -0.4, 0.2))
    request = detection_request(GraspClientConfig(approach_cone_deg=20.0), region_m, T_base_camera, seed=3)
    np.testing.assert_allclose(T_base_camera[:3, :3] @ request.approach, [0, 0, -1], atol=1e-12)
    assert request.approach_cone_rad == pytest.approx(np.deg2rad(20.0))
    np.testing.assert_allclose(request.region_min, region_m[0])
    assert request.seed == 3


class LateStates(LockstepUrLink):
    """Tells of the end of the control program ten snapshots before the state that ended it."""

    def __init__(self, robot, config):
        self.told = deque(maxlen=10)
        super().__init__(robot, config)

    def snapshot(self):
        now = super().snapshot()
        self.told.append(now)
        return now._replace(robot_mode=self.told[0].robot_mode, safety_mode=self.told[0].safety_mode)


def test_a_stop_is_named_although_the_end_of_the_program_is_seen_before_it():
    def collide_on_the_way():
        if robot.now_s() > 0.5 and robot.robot.safety.can_move:
            robot.robot.protective_stop("collision")

    robot = LockstepRobot(KinematicBackend(), on_tick=collide_on_the_way)
    with UrArm(open_link=lambda config: LateStates(robot, config), clock=robot) as arm:
        away_rad = np.add(HOME_JOINTS_RAD, [2.0, 0, 0, 0, 0, 0])
        with pytest.raises(ArmStopped, match="protective stop"):
            arm.move_joints(away_rad, speed_rad_s=0.5, acceleration_rad_s2=8.0)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: EyesConfig(camera_rate_hz=0.0), "camera_rate_hz"),
        (lambda: EyesConfig(decision_s=-1.0), "decision_s"),
        (lambda: LockstepRobot(None, period_s=0.0), "period_s"),
    ],
)
def test_settings_out_of_range_are_refused_by_name(make, name):
    with pytest.raises(ValueError, match=name):
        make()
