# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_training.evaluation import FrameResult, SceneResult, summarise
from anygrasp_training.evaluation.average_precision import precision_at_k

FRICTIONS = (0.2, 0.4, 0.6, 0.8, 1.0, 1.2)


def frame(precision, graspable=(True,), covered=(True,), frictions=FRICTIONS):
    """A frame with the same precision (L,) at every rank."""
    return FrameResult(
        grasps=GraspGroup.empty(),
        friction=np.zeros(0),
        colliding=np.zeros(0, dtype=bool),
        empty=np.zeros(0, dtype=bool),
        frictions=frictions,
        precision=np.broadcast_to(np.asarray(precision, dtype=float), (50, len(frictions))),
        object_names=tuple("abcdef"[: len(graspable)]),
        graspable=np.array(graspable),
        covered=np.array(covered),
        reached=np.array(covered),
    )


def test_precision_at_k_by_hand():
    precision = precision_at_k([0.3, np.inf, 0.1], limits=(0.2, 0.4), top=4)
    np.testing.assert_allclose(precision, [[0, 1], [0, 1 / 2], [1 / 3, 2 / 3], [1 / 4, 2 / 4]])


def test_precision_takes_a_limit_that_is_just_met():
    np.testing.assert_array_equal(precision_at_k([0.4], limits=(0.4,), top=1), 1.0)


def test_grasps_past_the_top_do_not_count():
    np.testing.assert_array_equal(precision_at_k([np.inf, 0.0], limits=(0.2,), top=1), 0.0)


def test_ap_is_the_mean_over_friction_coefficients():
    summary = summarise([SceneResult("s", "seen", [frame((0.0, 0.1, 0.2, 0.3, 0.4, 0.5))])])
    assert summary.overall.ap == pytest.approx(0.25)
    assert summary.overall.ap_at[0.4] == pytest.approx(0.1)
    assert summary.overall.ap_at[0.8] == pytest.approx(0.3)


def test_scenes_weigh_the_same_whatever_their_frames():
    one = SceneResult("one", "seen", [frame([1.0] * 6)])
    three = SceneResult("three", "seen", [frame([0.0] * 6), frame([0.0] * 6), frame([0.6] * 6)])
    summary = summarise([one, three])
    assert summary.overall.ap == pytest.approx((1.0 + 0.2) / 2)
    assert (summary.overall.scenes, summary.overall.frames) == (2, 4)


def test_splits_are_averaged_apart_and_together():
    scenes = [
        SceneResult("a", "seen", [frame([0.9] * 6)]),
        SceneResult("b", "similar", [frame([0.6] * 6)]),
        SceneResult("c", "novel", [frame([0.3] * 6)]),
        SceneResult("d", "novel", [frame([0.1] * 6)]),
    ]
    summary = summarise(scenes)
    assert list(summary.splits) == ["seen", "similar", "novel"]
    np.testing.assert_allclose([split.ap for split in summary.splits.values()], [0.9, 0.6, 0.2])
    assert summary.overall.ap == pytest.approx((0.9 + 0.6 + 0.3 + 0.1) / 4)


def test_coverage_counts_graspable_objects_only():
    frames = [
        frame([1.0] * 6, graspable=(True, True, False), covered=(True, False, True)),
        frame([1.0] * 6, graspable=(True, False, False), covered=(True, False, False)),
    ]
    assert summarise([SceneResult("s", "seen", frames)]).overall.coverage == pytest.approx(2 / 3)


def test_scenes_without_graspable_objects_do_not_count_for_coverage():
    none = SceneResult("none", "seen", [frame([0.0] * 6, graspable=(False,), covered=(False,))])
    half = SceneResult("half", "seen", [frame([0.0] * 6, graspable=(True, True), covered=(True, False))])
    assert summarise([none, half]).overall.coverage == pytest.approx(0.5)
    assert np.isnan(summarise([none]).overall.coverage)


def test_the_table_shows_percent_by_split():
    scenes = [
        SceneResult("a", "seen", [frame([0.5] * 6)]),
        SceneResult("b", "novel", [frame([0.25] * 6, graspable=(False,))]),
    ]
    assert summarise(scenes).as_table().splitlines() == [
        "| split | AP | AP0.8 | AP0.4 | coverage | scenes | frames |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        "| seen | 50.00 | 50.00 | 50.00 | 100.00 | 1 | 1 |",
        "| novel | 25.00 | 25.00 | 25.00 | - | 1 | 1 |",
        "| all | 37.50 | 37.50 | 37.50 | 100.00 | 2 | 2 |",
    ]


def test_a_scene_without_frames_is_refused():
    with pytest.raises(ValueError, match="scene bin_7 has no evaluated frames"):
        SceneResult("bin_7", "seen", [])


def test_no_scenes_are_refused():
    with pytest.raises(ValueError, match="no scenes to summarise"):
        summarise([])


def test_different_friction_coefficients_are_refused():
    scenes = [
        SceneResult("a", "seen", [frame([0.5] * 6)]),
        SceneResult("b", "seen", [frame([0.5], frictions=(0.4,))]),
    ]
    with pytest.raises(ValueError, match="different friction coefficients; use one config"):
        summarise(scenes)
