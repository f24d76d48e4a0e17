# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from anygrasp_perception import se3

QUARTER_Z = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])


def random_transform(seed):
    rng = np.random.default_rng(seed)
    return se3.make_transform(Rotation.random(random_state=seed).as_matrix(), rng.normal(size=3))


def test_quarter_turn_and_shift_by_hand():
    T_a_b = se3.make_transform(QUARTER_Z, (1.0, 2.0, 3.0))
    np.testing.assert_allclose(se3.transform_points(T_a_b, [[1.0, 0.0, 0.0]]), [[1.0, 3.0, 3.0]])
    np.testing.assert_allclose(se3.rotate(T_a_b, [[1.0, 0.0, 0.0]]), [[0.0, 1.0, 0.0]])


@pytest.mark.parametrize("seed", range(5))
def test_group_axioms(seed):
    T_a_b, T_b_c, T_c_d = (random_transform(seed + 10 * i) for i in range(3))
    points_c = np.random.default_rng(seed).normal(size=(7, 3))
    np.testing.assert_allclose(T_a_b @ se3.inverse(T_a_b), np.eye(4), atol=1e-12)
    np.testing.assert_allclose(
        se3.inverse(T_a_b @ T_b_c), se3.inverse(T_b_c) @ se3.inverse(T_a_b), atol=1e-12
    )
    np.testing.assert_allclose((T_a_b @ T_b_c) @ T_c_d, T_a_b @ (T_b_c @ T_c_d), atol=1e-12)
    np.testing.assert_allclose(
        se3.transform_points(T_a_b @ T_b_c, points_c),
        se3.transform_points(T_a_b, se3.transform_points(T_b_c, points_c)),
        atol=1e-12,
    )


def test_inverse_of_a_hand_computed_transform():
    T_b_a = se3.inverse(se3.make_transform(QUARTER_Z, (1.0, 2.0, 3.0)))
    np.testing.assert_allclose(T_b_a[:3, 3], (-2.0, 1.0, -3.0))


def test_quaternion_order_is_xyzw():
    half = np.sqrt(0.5)
    np.testing.assert_allclose(se3.rotation_to_quat_xyzw(QUARTER_Z), (0.0, 0.0, half, half))
    np.testing.assert_allclose(se3.quat_xyzw_to_rotation((0.0, 0.0, half, half)), QUARTER_Z, atol=1e-12)


def test_quaternion_round_trip_keeps_leading_shape_and_positive_w():
    R = Rotation.random(6, random_state=0).as_matrix().reshape(2, 3, 3, 3)
    quats = se3.rotation_to_quat_xyzw(R)
    assert quats.shape == (2, 3, 4)
    assert (quats[..., 3] >= 0).all()
    np.testing.assert_allclose(se3.quat_xyzw_to_rotation(quats), R, atol=1e-12)


def test_empty_batches_stay_empty():
    assert se3.rotation_to_quat_xyzw(np.zeros((0, 3, 3))).shape == (0, 4)
    assert se3.quat_xyzw_to_rotation(np.zeros((0, 4))).shape == (0, 3, 3)


def test_pose_to_transform():
    T = se3.pose_to_transform((1.0, 2.0, 3.0), (0.0, 0.0, np.sqrt(0.5), np.sqrt(0.5)))
    np.testing.assert_allclose(T, se3.make_transform(QUARTER_Z, (1.0, 2.0, 3.0)), atol=1e-12)


def test_rotation_angle_by_hand_and_broadcasting():
    turns = Rotation.from_rotvec([[0.0, 0, 0], [0.3, 0, 0], [np.pi, 0, 0]]).as_matrix()
    np.testing.assert_allclose(se3.rotation_angle(np.eye(3), turns), [0.0, 0.3, np.pi], atol=1e-7)
    assert se3.rotation_angle(turns[:, None], turns[None]).shape == (3, 3)


def test_check_transform_returns_float64():
    T = se3.check_transform(np.eye(4, dtype=np.float32), "T_a_b")
    assert T.dtype == np.float64


def test_rotation_rounded_to_float32_passes():
    T = random_transform(3)
    se3.check_transform(T.astype(np.float32), "T_a_b")


def test_wrong_shape_is_refused():
    with pytest.raises(ValueError, match=r"T_base_camera must have shape \(4, 4\), got \(3, 4\)"):
        se3.check_transform(np.eye(4)[:3], "T_base_camera")


def test_nan_is_refused():
    T = np.eye(4)
    T[0, 3] = np.nan
    with pytest.raises(ValueError, match="T_a_b has NaN"):
        se3.check_transform(T, "T_a_b")


def test_last_row_is_checked():
    T = np.eye(4)
    T[3, 0] = 1.0
    with pytest.raises(ValueError, match="row 0 0 0 1"):
        se3.check_transform(T, "T_a_b")


@pytest.mark.parametrize(
    "R",
    [
        1.01 * np.eye(3),
        np.diag((1.0, 1.0, -1.0)),
        [[1, 0.1, 0], [0, 1, 0], [0, 0, 1]],
        np.zeros((3, 3)),
        np.full((3, 3), np.nan),
    ],
    ids=["scaled", "mirrored", "sheared", "zero", "nan"],
)
def test_what_is_no_rotation_is_refused(R):
    with pytest.raises(ValueError, match="rotation is not a rotation"):
        se3.make_transform(R, np.zeros(3))


def test_rotation_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"rotation must have shape \(3, 3\)"):
        se3.make_transform(np.eye(4), np.zeros(3))


def test_translation_must_be_finite():
    with pytest.raises(ValueError, match="translation must be 3 finite numbers"):
        se3.make_transform(np.eye(3), (0.0, np.inf, 0.0))


@pytest.mark.parametrize("quat", [(0.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.1), (np.nan, 0.0, 0.0, 1.0)])
def test_quaternions_that_are_not_unit_are_refused(quat):
    with pytest.raises(ValueError, match="quat_xyzw must have norm 1"):
        se3.quat_xyzw_to_rotation(quat)


def test_quaternion_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"quat_xyzw must have shape"):
        se3.quat_xyzw_to_rotation((0.0, 0.0, 1.0))
