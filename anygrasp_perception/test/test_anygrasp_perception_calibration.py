# SPDX-License-Identifier: Apache-2.0
"""Hand-eye calibration against known truth, on rendered boards and on projected corners; and its refusals."""

from dataclasses import replace
from functools import lru_cache

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from anygrasp_perception.calibration.board import BoardConfig, BoardKind
from anygrasp_perception.calibration.check import check_calibration
from anygrasp_perception.calibration.diversity import DiversityLimits, pose_diversity
from anygrasp_perception.calibration.guide import suggest_pose
from anygrasp_perception.calibration.hand_eye import METHODS, relative_motions, solve_hand_eye
from anygrasp_perception.calibration.solution import calibrate
from anygrasp_perception.calibration.synthetic_cell import random_cell
from anygrasp_perception.calibration.views import CalibrationError, Setup
from anygrasp_perception.se3 import inverse, make_transform, rotation_angle, transform_points

GOAL_M, GOAL_DEG = 0.001, 0.2  # of the project
BOTH = pytest.mark.parametrize("setup", list(Setup))


def errors(T_found, T_true):
    """Distance in metres and angle in degrees."""
    difference = inverse(T_true) @ T_found
    return np.linalg.norm(difference[:3, 3]), np.rad2deg(rotation_angle(difference[:3, :3], np.eye(3)))


def solve(cell, views):
    return calibrate(cell.board, cell.intrinsics, cell.setup, views)


@lru_cache
def cell_and_views(setup, count=15, seed=1):
    """A cell and views by projection, which cost no rendering; never changed by a test."""
    cell = random_cell(setup, seed)
    return cell, tuple(cell.projected_views(count, np.random.default_rng(seed)))


@pytest.mark.parametrize(
    ("setup", "kind"),
    [
        (Setup.EYE_TO_HAND, BoardKind.CHARUCO),
        (Setup.EYE_IN_HAND, BoardKind.CHARUCO),
        (Setup.EYE_IN_HAND, BoardKind.ARUCO_GRID),
    ],
)
def test_rendered_boards_give_the_true_pose(setup, kind):
    board = BoardConfig(kind=kind, **({"columns": 7, "rows": 5} if kind is BoardKind.ARUCO_GRID else {}))
    cell = random_cell(setup, seed=3, board=board)
    found = solve(cell, cell.rendered_views(15, np.random.default_rng(3)))
    error_m, error_deg = errors(found.T_mount_camera, cell.T_mount_camera)
    assert error_m < GOAL_M
    assert error_deg < GOAL_DEG
    assert 0.2 * error_m < found.uncertainty_m < GOAL_M  # it knows about how wrong it is
    assert errors(found.T_carrier_board, cell.T_carrier_board)[0] < GOAL_M
    assert found.board_scale == pytest.approx(1.0, abs=0.005)


@BOTH
@pytest.mark.parametrize("seed", [11, 12, 13])
def test_random_mounts_are_found_within_the_goal(setup, seed):
    cell, views = cell_and_views(setup, seed=seed)
    error_m, error_deg = errors(solve(cell, views).T_mount_camera, cell.T_mount_camera)
    assert error_m < GOAL_M
    assert error_deg < GOAL_DEG


def exact_motions(seed):
    rng = np.random.default_rng(seed)
    X, Z = (make_transform(Rotation.random(rng=rng).as_matrix(), rng.uniform(-0.5, 0.5, 3)) for _ in range(2))
    C = [make_transform(Rotation.random(rng=rng).as_matrix(), rng.uniform(-1, 1, 3)) for _ in range(6)]
    return X, [X @ c @ inverse(Z) for c in C], C


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_closed_solution_is_exact_without_noise(method, seed):
    X, A, C = exact_motions(seed)
    np.testing.assert_allclose(METHODS[method](relative_motions(A, C)), X, atol=1e-7)


@pytest.mark.skipif(not hasattr(cv2, "calibrateHandEye"), reason="OpenCV 5.0.0 lacks it in Python")
@pytest.mark.parametrize("method", METHODS)
def test_closed_solution_agrees_with_opencv(method):
    X, A, C = exact_motions(5)
    gripper = [inverse(a) for a in A]
    R, t = cv2.calibrateHandEye(
        [T[:3, :3] for T in gripper],
        [T[:3, 3] for T in gripper],
        [T[:3, :3] for T in C],
        [T[:3, 3] for T in C],
        method=getattr(cv2, f"CALIB_HAND_EYE_{method.upper()}"),
    )
    ours = METHODS[method](relative_motions(A, C))
    np.testing.assert_allclose(ours[:3, :3], R, atol=1e-5)
    np.testing.assert_allclose(ours[:3, 3], np.ravel(t), atol=1e-5)
    np.testing.assert_allclose(ours, X, atol=1e-5)


def test_method_that_fails_is_left_out():
    still = [np.eye(4)] * 4
    assert all(np.isfinite(X).all() for X in solve_hand_eye(relative_motions(still, still)).values())


def test_refinement_beats_the_closed_solutions():
    better = []
    for seed in (11, 12, 13):
        cell, views = cell_and_views(Setup.EYE_IN_HAND, seed=seed)
        chain = [inverse(view.T_base_tool) for view in views]
        closed = solve_hand_eye(relative_motions(chain, [view.T_camera_board for view in views]))
        refined = errors(solve(cell, views).T_mount_camera, cell.T_mount_camera)[0]
        better.append(refined < min(errors(X, cell.T_mount_camera)[0] for X in closed.values()))
    assert sum(better) >= 2


def test_one_view_with_a_wrong_pose_is_left_out():
    cell, views = cell_and_views(Setup.EYE_TO_HAND)
    moved = make_transform(np.eye(3), (0.01, 0.0, 0.0)) @ views[4].T_base_tool
    found = solve(cell, [*views[:4], replace(views[4], T_base_tool=moved), *views[5:]])
    assert found.left_out == ("04",)
    assert errors(found.T_mount_camera, cell.T_mount_camera)[0] < GOAL_M


def test_too_few_views_are_refused():
    cell, views = cell_and_views(Setup.EYE_TO_HAND)
    with pytest.raises(CalibrationError, match="5 views with the board, but 6 are needed"):
        solve(cell, views[:5])


@BOTH
def test_turns_about_one_axis_are_refused(setup):
    cell, rng = random_cell(setup, 2), np.random.default_rng(2)
    first = cell.random_pose(rng)
    views = []
    for i, angle in enumerate(np.deg2rad([-20, -12, -6, 0, 6, 12, 20])):
        turn = make_transform(Rotation.from_rotvec([0, 0, angle]).as_matrix(), rng.uniform(-0.01, 0.01, 3))
        views.append(cell.projected_view(str(i), first @ turn, rng))
    with pytest.raises(CalibrationError, match="turned about one axis only"):
        solve(cell, views)


def test_poses_that_are_all_alike_are_refused():
    cell, views = cell_and_views(Setup.EYE_TO_HAND)
    with pytest.raises(CalibrationError, match="turned about one axis only"):
        solve(cell, [views[0]] * 8)


def test_millimetres_are_named():
    cell, views = cell_and_views(Setup.EYE_TO_HAND)

    def in_millimetres(T_base_tool):
        return make_transform(T_base_tool[:3, :3], 1000 * T_base_tool[:3, 3])

    with pytest.raises(CalibrationError, match="millimetres"):
        solve(cell, [replace(view, T_base_tool=in_millimetres(view.T_base_tool)) for view in views])


@BOTH
def test_board_of_another_size_than_given_is_named(setup):
    cell, views = cell_and_views(setup)
    config = replace(cell.board.config, square_m=0.028 * 0.97, marker_m=0.021 * 0.97)
    wrong = replace(cell, board=type(cell.board)(config))
    seen = [replace(v, T_camera_board=_shrunk(v.T_camera_board, 0.97)) for v in views]
    with pytest.raises(CalibrationError, match=r"3\.\d% larger than given: measure a square.* 2[78]\.\d"):
        solve(wrong, seen)


def _shrunk(T, factor):
    return make_transform(T[:3, :3], factor * T[:3, 3])


@BOTH
def test_swapped_setup_is_named(setup):
    cell, views = cell_and_views(setup)
    with pytest.raises(CalibrationError, match=f"give --setup {setup.value}"):
        calibrate(cell.board, cell.intrinsics, setup.other, views)


def test_quaternion_in_another_order_is_named():
    cell, views = cell_and_views(Setup.EYE_IN_HAND)

    def misread(T):
        x, y, z, w = Rotation.from_matrix(T[:3, :3]).as_quat()
        return make_transform(Rotation.from_quat([w, x, y, z]).as_matrix(), T[:3, 3])

    with pytest.raises(CalibrationError, match="read as w x y z"):
        solve(cell, [replace(view, T_base_tool=misread(view.T_base_tool)) for view in views])


def test_poses_shifted_by_one_image_are_named():
    cell, views = cell_and_views(Setup.EYE_TO_HAND)
    poses = [view.T_base_tool for view in views]
    shifted = [replace(v, T_base_tool=p) for v, p in zip(views, poses[1:] + poses[:1], strict=True)]
    with pytest.raises(CalibrationError, match="shifted by one"):
        solve(cell, shifted)


def test_poses_that_fit_nothing_give_the_usual_reasons():
    cell, views = cell_and_views(Setup.EYE_TO_HAND)
    mixed = [views[i].T_base_tool for i in np.random.default_rng(0).permutation(len(views))]
    with pytest.raises(CalibrationError, match=r"contradict each other.*Usual reasons"):
        solve(cell, [replace(v, T_base_tool=p) for v, p in zip(views, mixed, strict=True)])


@BOTH
def test_guide_keeps_the_board_in_view_until_the_calibration_is_good(setup):
    cell, rng, limits = random_cell(setup, 7), np.random.default_rng(7), DiversityLimits()
    middle = np.array([0.0, 0.0, 0.6]) - cell.board.center_m
    T_camera_board = make_transform(np.eye(3), middle)
    target = setup.T_mount_carrier(cell.T_mount_camera @ T_camera_board @ inverse(cell.T_carrier_board))
    views = []
    while target is not None:
        views.append(cell.projected_view(f"{len(views):02d}", target, rng))
        pixels = cell.intrinsics.project(transform_points(cell.T_camera_board(target), cell.board.points_m))
        assert np.all((pixels > 0) & (pixels < (640, 480)))
        assert np.linalg.norm(target[:3, 3] - views[0].T_base_tool[:3, 3]) < 0.4
        following = suggest_pose(cell.board, cell.intrinsics, setup, views, limits)
        target = None if following is None else following.T_base_tool
        assert len(views) <= 25
    assert pose_diversity([view.T_base_tool for view in views]).enough(limits)
    error_m, error_deg = errors(solve(cell, views).T_mount_camera, cell.T_mount_camera)
    assert error_m < GOAL_M
    assert error_deg < GOAL_DEG


def test_guide_starts_with_a_first_view():
    cell = random_cell(Setup.EYE_TO_HAND, 1)
    with pytest.raises(CalibrationError, match="take the first view"):
        suggest_pose(cell.board, cell.intrinsics, cell.setup, [], DiversityLimits())


@BOTH
def test_check_passes_a_true_calibration_wherever_the_board_is(setup):
    cell = random_cell(setup, 4)
    views = cell.projected_views(6, np.random.default_rng(4))
    result = check_calibration(cell.board, cell.intrinsics, setup, views, cell.T_mount_camera)
    assert result.good
    assert result.describe().startswith("GOOD")


@BOTH
def test_check_finds_a_camera_that_was_knocked(setup):
    cell = random_cell(setup, 4)
    knock = make_transform(Rotation.from_rotvec(np.deg2rad([0.0, 1.0, 0.0])).as_matrix(), (0.006, 0.0, 0.0))
    views = cell.projected_views(6, np.random.default_rng(4))
    result = check_calibration(cell.board, cell.intrinsics, setup, views, cell.T_mount_camera @ knock)
    assert not result.good
    assert result.moved_m == pytest.approx(0.006, abs=0.002)
    assert result.moved_deg == pytest.approx(1.0, abs=0.2)
    assert "calibrate anew" in result.describe()


def test_check_needs_four_views():
    cell, views = cell_and_views(Setup.EYE_TO_HAND)
    with pytest.raises(CalibrationError, match="4 are needed"):
        check_calibration(cell.board, cell.intrinsics, cell.setup, views[:3], cell.T_mount_camera)
