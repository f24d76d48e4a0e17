# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_perception.drawing import draw_grasps, score_colors
from anygrasp_perception.grasp import rotation_from_approach
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.gripper import ROBOTIQ_2F85

CAMERA = CameraIntrinsics(600.0, 600.0, 319.5, 239.5, 640, 480)
GREY = np.full((480, 640, 3), 128, dtype=np.uint8)


def make_group(translations, scores, approach=(0.0, 0.0, 1.0)):
    count = len(translations)
    return GraspGroup.from_arrays(
        rotation_matrices=np.tile(rotation_from_approach(approach), (count, 1, 1)),
        translations=translations,
        widths=0.06,
        scores=scores,
        depths=0.02,
    )


def changed(picture):
    return (picture != GREY).any(axis=2)


def test_fingers_are_where_the_camera_sees_them():
    picture = draw_grasps(GREY, make_group([[0.0, 0.0, 0.5]], [0.5]), CAMERA)
    half = 0.03 + ROBOTIQ_2F85.finger_thickness_m / 2
    for y in (-half, half):
        for z in (0.52, 0.46):  # fingertip and finger root
            u, v = CAMERA.project([0.0, y, z]).round().astype(int)
            assert changed(picture)[v - 1 : v + 2, u - 1 : u + 2].any()
    assert changed(picture).sum() < 5000


def test_the_image_itself_is_left_alone():
    image = GREY.copy()
    picture = draw_grasps(image, make_group([[0.0, 0.0, 0.5]], [0.5]), CAMERA)
    np.testing.assert_array_equal(image, GREY)
    assert picture.shape == image.shape


def test_the_best_is_green_on_top_and_the_worst_red():
    picture = draw_grasps(GREY, make_group([[-0.15, 0, 0.5], [0.15, 0, 0.5]], [0.1, 0.9]), CAMERA)
    left, right = picture[:, :320].reshape(-1, 3).astype(int), picture[:, 320:].reshape(-1, 3).astype(int)
    assert (left[:, 0] - left[:, 1]).max() > 100
    assert (right[:, 1] - right[:, 0]).max() > 100
    assert (left != 128).any(axis=1).sum() < (right != 128).any(axis=1).sum()  # thicker
    same_place = make_group([[0, 0, 0.5], [0, 0, 0.5]], [0.9, 0.1])
    np.testing.assert_array_equal(
        draw_grasps(GREY, same_place, CAMERA)[240, 250], draw_grasps(GREY, same_place[::-1], CAMERA)[240, 250]
    )


def test_only_the_best_are_drawn():
    group = make_group([[-0.15, 0, 0.5], [0.15, 0, 0.5]], [0.1, 0.9])
    picture = draw_grasps(GREY, group, CAMERA, max_count=1)
    assert not changed(picture)[:, :320].any()
    assert changed(picture)[:, 320:].any()
    np.testing.assert_array_equal(draw_grasps(GREY, group, CAMERA, max_count=0), GREY)


@pytest.mark.parametrize("z", [-0.5, -0.02, 0.0, 0.01, 0.03, 0.05])
def test_grasps_through_the_camera_plane_are_cut(z):
    for approach in ((0.0, 0.0, 1.0), (1.0, 0.2, 0.0), (0.0, 0.3, -1.0)):
        picture = draw_grasps(GREY, make_group([[0.01, 0.01, z]], [0.5], approach), CAMERA)
        assert picture.shape == GREY.shape
    behind = draw_grasps(GREY, make_group([[0.0, 0.0, -0.5]], [0.5]), CAMERA)
    np.testing.assert_array_equal(behind, GREY)


def test_no_grasps_leave_the_image():
    np.testing.assert_array_equal(draw_grasps(GREY, GraspGroup.empty(), CAMERA), GREY)


def test_colours_run_from_red_to_green():
    colors = score_colors(np.array([0.2, 0.6, 1.0])).astype(int)
    assert colors[0, 0] > colors[0, 1]
    assert colors[2, 1] > colors[2, 0]
    np.testing.assert_array_equal(score_colors(np.array([0.4, 0.4])), colors[[2, 2]])
    assert score_colors(np.zeros(0)).shape == (0, 3)


@pytest.mark.parametrize("image", [np.zeros((480, 640), np.uint8), np.zeros((480, 640, 3), np.float32)])
def test_images_of_another_kind_are_refused(image):
    with pytest.raises(ValueError, match="image must be"):
        draw_grasps(image, GraspGroup.empty(), CAMERA)


def test_negative_count_is_refused():
    with pytest.raises(ValueError, match="count must be >= 0"):
        draw_grasps(GREY, GraspGroup.empty(), CAMERA, max_count=-1)
