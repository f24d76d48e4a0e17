# SPDX-License-Identifier: Apache-2.0
"""Eyes, executor, driver, simulated robot and fish together."""

from dataclasses import replace

import numpy as np
import pytest

from anygrasp_perception.geometric_detector import GeometricDetector
from anygrasp_perception.se3 import make_transform, transform_points
from anygrasp_sim.fish.fish_cell import FishCell
from anygrasp_sim.fish.fish_cell_config import LONG_FINGERS, FishCellConfig, FishConfig
from anygrasp_tracking.dense_detection import dense_detector
from robot_drivers.dynamic_grasping.catch_config import CatchConfig
from robot_drivers.dynamic_grasping.catch_executor import CatchLimits
from robot_drivers.dynamic_grasping.water_perception import (
    LONG_JAWS,
    WaterPerception,
    WaterPerceptionConfig,
    create_water_detector,
)
from robot_drivers.fish_trials.cli import TrialSeries
from robot_drivers.fish_trials.lock_step import TrialConfig, run_trial
from robot_drivers.report.catch_attribution import judge_catches


@pytest.fixture(scope="module")
def view():
    """A cell of five fish, what its camera sees from the ready pose, and the eyes."""
    with FishCell(FishCellConfig(seed=1, fish=FishConfig(count=5))) as cell:
        cell.step(100)
        yield cell, cell.render(), WaterPerception(GeometricDetector())


def test_every_fish_in_the_water_offers_grasps_where_it_is(view):
    cell, image, eyes = view
    frame = eyes(image, 1.0, cell.T_base_camera, cell.tcp_pose())
    assert frame.time_s == 1.0
    found = 0
    for fish in cell.fish_states():
        offset = frame.grasps.translations - fish.T_base_fish[:3, 3]
        on_it = np.linalg.norm(offset[:, :2], axis=1) < fish.size_m[0] / 2
        found += bool(on_it.any())
        if on_it.any():
            assert np.abs(offset[on_it, 2]).min() < 0.025
    assert found >= 4
    down = -frame.grasps.approaches[:, 2]
    assert np.all(np.arccos(np.clip(down, -1, 1)) <= eyes.config.approach_cone_rad + 1e-3)


def test_what_is_above_the_floor_is_fish(view):
    cell, image, eyes = view
    raised = eyes(image, 0.0, cell.T_base_camera, cell.tcp_pose()).raised
    nearest = np.full(len(raised), np.inf)
    for fish in cell.fish_states():
        offset = np.linalg.norm(raised[:, :2] - fish.T_base_fish[:2, 3], axis=1)
        nearest = np.minimum(nearest, offset - fish.size_m[0] / 2)
        assert np.count_nonzero(offset < fish.size_m[0] / 2) > 50
    assert np.mean(nearest < 0.02) > 0.9


def test_uncorrected_water_puts_everything_too_deep(view):
    cell, image, eyes = view
    deeper = WaterPerceptionConfig(refractive_index=1.0, water_min_m=(0.29, -0.29, -0.25), floor_stride=1)
    plain = WaterPerception(GeometricDetector(), deeper)
    floors = []
    for perception in (eyes, plain):
        cloud = perception(image, 0.0, cell.T_base_camera, cell.tcp_pose()).cloud
        heights = transform_points(cell.T_base_camera, cloud.points)[:, 2]
        floors.append(np.percentile(heights, 2))
    assert floors[0] == pytest.approx(cell.config.tank_floor_m, abs=0.01)
    assert floors[1] < floors[0] - 0.02


def test_about_a_point_only_its_surroundings_are_looked_at(view):
    cell, image, eyes = view
    fish = cell.fish_states()[0].T_base_fish[:3, 3]
    near = eyes(image, 0.0, cell.T_base_camera, cell.tcp_pose(), fish)
    assert len(near.cloud) < len(eyes(image, 0.0, cell.T_base_camera, cell.tcp_pose()).cloud)
    assert np.all(np.abs(near.grasps.translations[:, :2] - fish[:2]) <= eyes.config.focus_m + 0.01)


def test_the_own_fingers_are_no_fish(view):
    cell, image, eyes = view
    T_over_a_fish = make_transform(np.diag([1.0, -1, -1]), cell.fish_states()[0].T_base_fish[:3, 3])
    aside = T_over_a_fish.copy()
    aside[1, 3] += eyes.config.opening_m / 2 + 0.005  # a finger where the fish is
    at = transform_points(cell.T_base_camera, eyes(image, 0.0, cell.T_base_camera, aside).cloud.points)
    above = at[:, 2] > aside[2, 3] - 0.01
    near = np.all(np.abs(at[:, :2] - T_over_a_fish[:2, 3]) < 0.01, axis=1)
    assert not np.any(near & above)


def test_a_camera_below_the_surface_sees_no_grasps(view):
    cell, image, eyes = view
    sunk = cell.T_base_camera.copy()
    sunk[2, 3] = eyes.config.water_max_m[2] - 0.01
    assert len(eyes(image, 0.0, sunk, cell.tcp_pose()).grasps) == 0


def test_gripper_of_the_perception_is_that_of_the_cell():
    assert LONG_JAWS == LONG_FINGERS


def test_nearest_is_the_paper_s_heuristic_and_knows_of_no_body():
    association, appearance, nearest = (
        TrialSeries(policy=policy).config(0).catching for policy in ("association", "appearance", "nearest")
    )
    assert association == appearance == CatchConfig()
    assert association.servo.aim_at_body
    assert nearest == replace(association, servo=replace(association.servo, aim_at_body=False))


def test_every_policy_has_the_same_dense_grasps_of_the_network():
    assert create_water_detector("network").config == dense_detector().config
    assert isinstance(create_water_detector("geometric"), GeometricDetector)


def test_one_attempt_in_lock_step_ends_with_a_verdict():
    config = TrialConfig(policy="nearest", detector="geometric").seeded(0)
    config = replace(
        config,
        cell=replace(config.cell, fish=FishConfig(count=2)),
        limits=CatchLimits(max_attempts=1, timeout_s=40.0),
    )
    trial = run_trial(config)
    assert trial.result.error_code is None, trial.result.error_msg
    assert trial.result.counts["frames"] >= 4
    assert len(trial.pictures) == len(trial.result.records)
    for outcome in judge_catches(trial.result.records, trial.history):
        assert outcome.success == (outcome.cause is None)
        assert outcome.record.tracking_s > 0
    stamps = [shot.stamp_s for shot in trial.history]
    assert np.all(np.diff(stamps) >= config.truth_period_s - 1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TrialConfig(policy="furthest"), "association, appearance, nearest"),
        (lambda: TrialConfig(decision_s=0.0), "decision_s"),
        (lambda: TrialConfig(policy="association", detector="geometric"), "network"),
        (lambda: TrialSeries(trials=0), "trials"),
        (lambda: WaterPerceptionConfig(water_min_m=(1, 1, 1)), "water box"),
        (lambda: WaterPerceptionConfig(refractive_index=0.5), "refractive_index"),
        (lambda: WaterPerceptionConfig(approach_cone_rad=3.0), "approach_cone_rad"),
        (lambda: WaterPerceptionConfig(focus_m=-1.0), "focus_m"),
        (lambda: WaterPerceptionConfig(floor_stride=0), "floor_stride"),
    ],
)
def test_values_out_of_range_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
