# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from anygrasp_perception.arrays import check_points, check_vector


def test_points_become_contiguous_float32():
    points = check_points(np.arange(12.0).reshape(3, 4).T)
    assert points.dtype == np.float32
    assert points.flags.c_contiguous
    assert points.shape == (4, 3)


def test_no_points_are_allowed():
    assert check_points(np.zeros((0, 3))).shape == (0, 3)


def test_nan_points_are_counted_in_the_error():
    points = np.zeros((5, 3))
    points[1, 2] = np.nan
    points[3, 0] = np.inf
    with pytest.raises(ValueError, match=r"2 of 5 points are NaN or infinite"):
        check_points(points)


@pytest.mark.parametrize("shape", [(3,), (4, 2), (2, 4, 3)])
def test_points_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"cloud must have shape \(N, 3\)"):
        check_points(np.zeros(shape), "cloud")


def test_ragged_points_are_refused():
    with pytest.raises(ValueError, match="rectangular"):
        check_points([[0.0, 0.0, 0.0], [0.0]])


@pytest.mark.parametrize("values", [[["a", "b", "c"]], [[1j, 0, 0]], [[None, 0, 0]]])
def test_points_that_are_no_numbers_are_refused(values):
    with pytest.raises(ValueError, match="real numbers"):
        check_points(values)


@pytest.mark.parametrize("vector", [(1.0, 2.0), (0.0, np.nan, 0.0), np.zeros((1, 3))])
def test_vector_must_be_three_finite_numbers(vector):
    with pytest.raises(ValueError, match="axis must be 3 finite numbers"):
        check_vector(vector, "axis")
