# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.se3 import make_transform
from anygrasp_tracking.correspondence import AssociationPolicy, NearestPolicy
from anygrasp_training.association.seen_dataset import SeenScene
from anygrasp_training.association.seen_frame import SeenFrame
from anygrasp_training.evaluation.tracking import (
    TrackingFigures,
    TrackingProtocol,
    best_possible,
    choose_targets,
    follow,
)

STEP_S = 0.2
OFFSETS = np.array([[0.0, 0, 0], [-0.025, 0, 0]])  # of the grasps on each object
PROTOCOL = TrackingProtocol()


def seen(step, positions, pixels=(900, 900), only=None):
    """Two grasps on each of the objects 0, 1, ... at positions (K, 3)."""
    positions = np.asarray(positions, dtype=float)
    count = len(positions)
    places = (positions[:, None] + OFFSETS).reshape(-1, 3)
    rows = np.arange(2 * count) if only is None else np.asarray(only)
    grasps = GraspGroup.from_arrays(
        rotation_matrices=np.tile(np.eye(3), (2 * count, 1, 1)),
        translations=places,
        widths=0.03,
        depths=0.01,
        scores=np.linspace(0.9, 0.5, 2 * count),
        object_ids=np.repeat(np.arange(count), 2),
    )[rows].replace(seed_ids=np.arange(len(rows)))
    return SeenFrame(
        grasps=grasps,
        seed_features=np.eye(2 * count, dtype=np.float32)[rows],
        grasp_features=np.zeros((len(rows), 1), np.float32),
        points=np.zeros((0, 3), np.float32),
        colors=np.zeros((0, 3), np.uint8),
        object_ids=np.arange(count, dtype=np.int32),
        T_camera_objects=np.array([make_transform(np.eye(3), p) for p in positions]),
        seen_pixels=np.array(pixels, dtype=np.int32),
        T_table_camera=make_transform(np.eye(3), [0.1, 0, 0]),
        time_s=STEP_S * step,
        detection_s=0.4,
    )


def passing(**changes):
    """Two objects that pass each other at 0.125 m/s, 1 cm apart."""
    x = 0.025 * np.arange(9)
    frames = [seen(i, [[x[i], 0, 0.5], [0.2 - x[i], 0.01, 0.5]], **changes) for i in range(9)]
    return SeenScene("films/0000", tuple(frames))


def perfect(frame):
    return frame.detection.features.seed[frame.grasps.seed_ids]


def test_a_perfect_policy_keeps_its_target():
    (run,) = follow(passing(), [0], AssociationPolicy(perfect), PROTOCOL)
    figures = TrackingFigures.of([run])
    assert (figures.runs, figures.frames) == (1, 8)
    assert (figures.kept, figures.on_object, figures.lost, figures.switches_per_min) == (1.0, 1.0, 0.0, 0.0)
    assert figures.jitter_mm == pytest.approx(0, abs=1e-6)
    assert figures.jitter_deg == pytest.approx(0, abs=1e-4)


def test_nearest_slides_over_the_object_and_comes_to_be_on_the_other():
    (run,) = follow(passing(), [0], NearestPolicy(), PROTOCOL)
    figures = TrackingFigures.of([run])
    assert figures.kept < 0.5
    assert figures.on_object < 1.0
    assert figures.switches_per_min >= 60 / run.duration_s


def test_a_step_over_the_object_is_no_longer_the_same_grasp():
    scene = passing()
    other = AssociationPolicy(lambda frame: np.roll(perfect(frame), int(frame.time_s / STEP_S) % 2, axis=0))
    (run,) = follow(scene, [0], other, PROTOCOL)
    assert not run.kept[0]
    assert run.on_object[0] == 0
    np.testing.assert_allclose(run.step_m[0], 0.025)


def test_what_the_detector_does_not_find_nobody_keeps():
    frames = list(passing().frames)
    frames[3] = seen(3, frames[3].T_camera_objects[:, :3, 3], only=[2, 3])  # nothing on object 0
    scene = SeenScene("films/0001", tuple(frames))
    bound = best_possible(scene, 0, PROTOCOL)
    np.testing.assert_array_equal(bound.kept, [True, True, False, True, True, True, True, True])
    policy = AssociationPolicy(perfect)
    figures = TrackingFigures.of(follow(scene, [0], policy, PROTOCOL))
    assert figures.kept == pytest.approx(7 / 8)
    assert figures.lost == pytest.approx(1 / 8)


def test_frames_in_which_the_object_is_hardly_seen_do_not_count():
    frames = list(passing().frames)
    frames[2] = seen(2, frames[2].T_camera_objects[:, :3, 3], pixels=(10, 900))
    (run,) = follow(SeenScene("films/0002", tuple(frames)), [0], AssociationPolicy(perfect), PROTOCOL)
    assert len(run.kept) == 7


def test_each_seen_object_gives_its_best_grasp_near_its_origin():
    assert choose_targets(passing().frames[0], PROTOCOL) == [0, 2]
    assert choose_targets(passing(pixels=(900, 10)).frames[0], PROTOCOL) == [0]
    assert choose_targets(passing(only=[1, 3]).frames[0], TrackingProtocol(near_origin_m=0.01)) == []


def test_no_runs_have_no_figures():
    figures = TrackingFigures.of([])
    assert figures.runs == 0
    assert np.isnan(figures.kept)


@pytest.mark.parametrize("changes", [{"near_origin_m": 0.0}, {"min_pixels": 0}])
def test_protocols_that_cannot_work_are_refused(changes):
    with pytest.raises(ValueError, match="TrackingProtocol needs"):
        TrackingProtocol(**changes)
