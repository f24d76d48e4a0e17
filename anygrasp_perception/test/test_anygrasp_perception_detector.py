# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from anygrasp_perception.detector import DetectionRequest
from anygrasp_perception.grasp import rotation_from_approach
from anygrasp_perception.se3 import make_transform


def test_default_request_restricts_nothing():
    request = DetectionRequest()
    assert request.region_min is None
    assert request.target_mask is None
    assert request.approach is None
    np.testing.assert_array_equal(request.T_region_camera, np.eye(4))


def test_lists_become_arrays():
    request = DetectionRequest(region_min=[0, 0, 0], region_max=[1, 1, 1], approach=[0, 0, 2])
    assert request.region_min.shape == (3,)
    assert request.approach.dtype == np.float64


def test_a_direction_in_another_frame_is_turned_into_the_camera_s():
    down_in_camera = np.array((0.6, 0.0, 0.8))
    R_base_camera = rotation_from_approach((1.0, 2.0, 0.5))  # any
    T_base_camera = make_transform(R_base_camera, (3.0, 4.0, 5.0))
    request = DetectionRequest(seed=4).along(2 * R_base_camera @ down_in_camera, 0.3, T_base_camera)
    np.testing.assert_allclose(request.approach, 2 * down_in_camera, atol=1e-12)
    assert (request.approach_cone_rad, request.seed) == (0.3, 4)
    with pytest.raises(ValueError, match="T_axis_camera"):
        DetectionRequest().along((0, 0, 1), 0.3, np.zeros((4, 4)))
    with pytest.raises(ValueError, match="approach_cone_rad"):
        DetectionRequest().along((0, 0, 1), 0.0)


def test_request_for_a_part_of_the_cloud_crops_the_mask():
    request = DetectionRequest(target_mask=np.array([True, False, True, True]), max_grasps=7)
    part = request.for_points(np.array([1, 2]))
    np.testing.assert_array_equal(part.target_mask, [False, True])
    assert part.max_grasps == 7
    bare = DetectionRequest()
    assert bare.for_points(np.array([1, 2])) is bare


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"region_min": (0, 0, 0)}, "must be given together"),
        ({"region_min": (0, 0, 1), "region_max": (1, 1, 0)}, "must not be above"),
        ({"region_min": (0, np.nan, 0), "region_max": (1, 1, 1)}, "region_min must be 3 finite numbers"),
        ({"T_region_camera": np.zeros((4, 4))}, "T_region_camera"),
        ({"target_mask": np.zeros(3)}, "target_mask must be"),
        ({"target_mask": np.zeros((3, 2), dtype=bool)}, "target_mask must be"),
        ({"approach": (0, 0, 0)}, "approach must not be zero"),
        ({"approach": (0, 0)}, "approach must be 3 finite numbers"),
        ({"approach_cone_rad": 0.0}, "approach_cone_rad must be in"),
        ({"approach_cone_rad": 4.0}, "approach_cone_rad must be in"),
        ({"max_grasps": 0}, "max_grasps must be at least 1"),
    ],
)
def test_requests_that_make_no_sense_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        DetectionRequest(**fields)
