# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest

from anygrasp_perception.gripper import ROBOTIQ_2F85, GripperGeometry


def test_boxes_by_hand():
    left, right, base = GripperGeometry().boxes(0.05, 0.02)
    np.testing.assert_allclose(left, [[-0.04, 0.025, -0.01], [0.02, 0.035, 0.01]])
    np.testing.assert_allclose(right, [[-0.04, -0.035, -0.01], [0.02, -0.025, 0.01]])
    np.testing.assert_allclose(base, [[-0.08, -0.0525, -0.01], [-0.04, 0.0525, 0.01]])


def test_boxes_broadcast():
    boxes = ROBOTIQ_2F85.boxes(np.full((5, 4), 0.03), 0.01)
    assert boxes.shape == (5, 4, 3, 2, 3)
    assert (boxes[..., 0, :] < boxes[..., 1, :]).all()


def test_robotiq_stroke():
    assert ROBOTIQ_2F85.max_width_m == 0.085
    np.testing.assert_allclose(ROBOTIQ_2F85.clamp_width([0.0, 0.05, 0.1]), [0.0, 0.05, 0.085])


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(GripperGeometry)])
@pytest.mark.parametrize("value", [-0.01, float("nan"), float("inf")])
def test_lengths_must_be_positive(name, value):
    with pytest.raises(ValueError, match=f"GripperGeometry.{name} must be a positive length"):
        GripperGeometry(**{name: value})


def test_limits_must_not_contradict():
    with pytest.raises(ValueError, match="must be below max_width_m"):
        GripperGeometry(min_width_m=0.085)


@pytest.mark.parametrize(("name", "value"), [("base_width_m", 0.1), ("base_height_m", 0.01)])
def test_base_must_cover_the_open_fingers(name, value):
    with pytest.raises(ValueError, match=f"GripperGeometry.{name} {value} must cover the open fingers"):
        GripperGeometry(**{name: value})
