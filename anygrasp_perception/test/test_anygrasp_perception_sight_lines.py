# SPDX-License-Identifier: Apache-2.0

import numpy as np
import pytest

from anygrasp_perception.sight_lines import SightLines


def wall(depth_m=1.0):
    x, y = np.meshgrid(np.arange(-0.2, 0.2, 0.002), np.arange(-0.2, 0.2, 0.002))
    return np.column_stack([x.ravel(), y.ravel(), np.full(x.size, depth_m)]).astype(np.float32)


@pytest.mark.parametrize(
    ("point", "free"),
    [
        ((0.0, 0.0, 0.5), True),  # before the wall
        ((0.0, 0.0, 1.004), True),  # in it, within the tolerance
        ((0.0, 0.0, 1.02), False),  # behind it
        ((0.4, 0.0, 0.5), False),  # beside it, where nothing was measured
        ((0.0, 0.0, -0.5), False),  # behind the camera
    ],
)
def test_free_is_what_lies_before_a_measurement(point, free):
    assert SightLines(wall()).seen_free(np.array([point])).tolist() == [free]


def test_nearest_measurement_of_a_direction_counts():
    sight = SightLines(np.concatenate([wall(1.0), 0.5 * wall(1.0)]))
    assert not sight.seen_free(np.array([(0.0, 0.0, 0.8)])).any()


def test_keeps_the_shape():
    assert SightLines(wall()).seen_free(np.zeros((4, 2, 3, 3))).shape == (4, 2, 3)


def test_without_a_measurement_nothing_is_free():
    sight = SightLines(np.zeros((0, 3), np.float32))
    assert not sight.seen_free(np.array([(0.0, 0.0, 0.5)])).any()


def test_cell_size_must_be_positive():
    with pytest.raises(ValueError, match="cell_rad"):
        SightLines(wall(), cell_rad=0.0)
