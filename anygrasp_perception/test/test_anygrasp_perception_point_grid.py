# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from anygrasp_perception.point_grid import PointGrid


@pytest.mark.parametrize("cell_m", [0.005, 0.015, 0.1])
def test_finds_every_point_of_every_box(cell_m):
    rng = np.random.default_rng(0)
    points = rng.uniform(-0.2, 0.2, (3000, 3))
    origins = rng.uniform(-0.2, 0.2, (300, 3))  # more than one block
    rotations = Rotation.random(300, random_state=0).as_matrix()
    lower, upper = np.array([-0.08, -0.02, -0.01]), np.array([0.0, 0.03, 0.05])
    near = PointGrid(points, cell_m).near_boxes(origins, rotations, lower, upper)
    local = np.einsum("bij,bpi->bpj", rotations, points.astype(np.float32) - origins[:, None])
    found = np.stack([near.x, near.y, near.z], axis=-1)
    for box, (start, end) in enumerate(zip(near.bounds[:-1], near.bounds[1:], strict=True)):
        index = near.points[start:end]
        assert len(set(index.tolist())) == len(index)
        np.testing.assert_allclose(found[start:end], local[box, index], atol=1e-6)
        inside = ((local[box] > lower) & (local[box] < upper)).all(axis=1)
        assert set(np.flatnonzero(inside)) <= set(index.tolist())


def test_leaves_out_what_is_far():
    points = np.random.default_rng(0).uniform(-1, 1, (20_000, 3))
    near = PointGrid(points).near_boxes(np.zeros((1, 3)), np.eye(3)[None], (-0.1,) * 3, (0.1,) * 3)
    assert len(near.x) < 0.02 * len(points)
    assert np.abs(near.x).max() <= 0.1 + 2 * 0.015 * np.sqrt(3)


def test_counts_and_selection():
    points = np.array([[0.0, 0, 0], [0.01, 0, 0], [1.0, 0, 0]])
    origins = np.array([[0.0, 0, 0], [0.5, 0, 0], [1.0, 0, 0]])
    near = PointGrid(points).near_boxes(origins, np.tile(np.eye(3), (3, 1, 1)), (-0.02,) * 3, (0.02,) * 3)
    np.testing.assert_array_equal(near.counts(np.ones(3, dtype=bool)), [2, 0, 1])
    np.testing.assert_array_equal(near.of_box(np.array([5, 6, 7])), [5, 5, 7])
    np.testing.assert_array_equal(near.boxes, [0, 0, 2])
    least, greatest = near.extent_y()
    np.testing.assert_array_equal(least, [0.0, np.inf, 0.0])
    np.testing.assert_array_equal(greatest, [0.0, -np.inf, 0.0])
    part = near.where(near.x > 0.005)
    np.testing.assert_array_equal(part.points, [1])
    np.testing.assert_array_equal(np.diff(part.bounds), [1, 0, 0])


def test_no_boxes():
    near = PointGrid(np.zeros((1, 3))).near_boxes(np.zeros((0, 3)), np.zeros((0, 3, 3)), (0,) * 3, (1,) * 3)
    assert len(near.x) == 0
    assert near.counts(np.zeros(0, dtype=bool)).shape == (0,)


def test_a_grid_stands_for_its_points():
    grid = PointGrid(np.zeros((4, 3)))
    assert PointGrid.of(grid) is grid
    assert len(PointGrid.of(np.zeros((4, 3)))) == 4


def test_empty_cloud_is_refused():
    with pytest.raises(ValueError, match="the cloud is empty"):
        PointGrid(np.zeros((0, 3)))


def test_nan_cloud_is_refused():
    with pytest.raises(ValueError, match="NaN or infinite"):
        PointGrid(np.full((2, 3), np.nan))


def test_cloud_in_millimetres_is_refused():
    with pytest.raises(ValueError, match="spans 400 m, limit 100 m: is it in millimetres"):
        PointGrid(np.array([[0, 0, 500.0], [400.0, 0, 500.0]]))


@pytest.mark.parametrize("cell", [0.0, -1.0, np.nan])
def test_cell_must_be_positive(cell):
    with pytest.raises(ValueError, match="cell_m must be positive"):
        PointGrid(np.zeros((1, 3)), cell)
