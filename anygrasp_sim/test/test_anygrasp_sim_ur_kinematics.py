# SPDX-License-Identifier: Apache-2.0
"""UR kinematics against the published table, against finite differences, and against itself."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anygrasp_sim.emulators.rotation_vector import (
    pose_to_transform,
    rotation_to_vector,
    transform_to_pose,
    vector_to_rotation,
)
from anygrasp_sim.emulators.ur_kinematics import JOINT_LIMIT_RAD, UR_GEOMETRIES, UrKinematics

MODELS = sorted(UR_GEOMETRIES)
angles = st.floats(-3.1, 3.1)
joints = st.tuples(*[angles] * 6).map(np.array)
settings.register_profile("ur_kinematics", max_examples=60, deadline=None)
settings.load_profile("ur_kinematics")


@pytest.mark.parametrize(
    ("model", "position"),
    [
        # a2 + a3, -(d4 + d6), d1 - d5: the arm stretched along -x, tool along -y
        ("ur5", (-0.81725, -0.19145, -0.005491)),
        ("ur5e", (-0.8172, -0.2329, 0.0628)),
    ],
)
def test_forward_at_zero_joints_is_the_sum_of_the_lengths(model, position):
    T = UrKinematics(model).forward(np.zeros(6))
    np.testing.assert_allclose(T[:3, 3], position, atol=1e-12)
    np.testing.assert_allclose(T[:3, 2], (0.0, -1.0, 0.0), atol=1e-12)


def test_forward_with_the_elbow_at_a_right_angle_points_the_tool_down():
    # upper arm up, forearm level towards -y, wrists folded down
    T = UrKinematics("ur5e").forward([-np.pi / 2, -np.pi / 2, -np.pi / 2, -np.pi / 2, np.pi / 2, 0.0])
    np.testing.assert_allclose(T[:3, 2], (0.0, 0.0, -1.0), atol=1e-12)
    np.testing.assert_allclose(T[:3, 3], (-0.1333, -(0.3922 + 0.0997), 0.1625 + 0.425 - 0.0996), atol=1e-12)


@given(joints)
def test_forward_gives_a_rotation(q):
    R = UrKinematics("ur5e").forward(q)[:3, :3]
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(R) == pytest.approx(1.0)


@given(joints)
def test_jacobian_predicts_the_motion_of_the_tcp(q):
    kinematics = UrKinematics("ur5e")
    T_flange_tcp = pose_to_transform([0.01, -0.02, 0.17, 0.3, 0.0, 0.2])
    step = 1e-6
    jacobian = kinematics.jacobian(q, T_flange_tcp)
    for joint in range(6):
        dq = np.zeros(6)
        dq[joint] = step
        before = kinematics.forward(q - dq) @ T_flange_tcp
        after = kinematics.forward(q + dq) @ T_flange_tcp
        twist = np.concatenate(
            (after[:3, 3] - before[:3, 3], rotation_to_vector(after[:3, :3] @ before[:3, :3].T))
        )
        np.testing.assert_allclose(jacobian[:, joint], twist / (2 * step), atol=1e-7)


@given(joints)
def test_every_inverse_solution_reaches_the_pose(q):
    kinematics = UrKinematics("ur5")
    T = kinematics.forward(q)
    solutions = kinematics.inverse_all(T, q6_if_free=q[5])
    assert 1 <= len(solutions) <= 8
    for solution in solutions:
        np.testing.assert_allclose(kinematics.forward(solution), T, atol=1e-9)


@given(joints.filter(lambda q: abs(np.sin(q[4])) > 0.05 and abs(np.sin(q[2])) > 0.05))
def test_inverse_near_the_joints_is_the_joints(q):
    kinematics = UrKinematics("ur5e")
    T = kinematics.forward(q)
    centre = T[:3, 3] - 0.0996 * T[:3, 2]
    if np.hypot(*centre[:2]) < 0.15:  # two shoulder solutions meet on the cylinder around the base axis
        return
    np.testing.assert_allclose(kinematics.inverse(T, q), q, atol=1e-6)


@pytest.mark.parametrize("turn", [-2 * np.pi, 2 * np.pi])
def test_inverse_stays_on_the_turn_of_the_joints_it_starts_from(turn):
    kinematics = UrKinematics("ur5e")
    q = np.array([0.3, -1.2, 1.4, -1.7, -1.5, -0.1 * turn])
    turned = np.array([*q[:5], q[5] + turn])
    np.testing.assert_allclose(kinematics.inverse(kinematics.forward(q), turned - 0.3), turned, atol=1e-9)


@given(
    joints.filter(lambda q: abs(np.sin(q[4])) > 0.05), st.tuples(*[st.floats(-6.28, 6.28)] * 6).map(np.array)
)
def test_inverse_reaches_the_pose_within_the_joint_limits(q, near):
    kinematics = UrKinematics("ur5e")
    T = kinematics.forward(q)
    solution = kinematics.inverse(T, near)
    assert np.abs(solution).max() <= JOINT_LIMIT_RAD
    np.testing.assert_allclose(kinematics.forward(solution), T, atol=1e-9)


@pytest.mark.parametrize("model", MODELS)
def test_inverse_with_a_straight_wrist_keeps_the_last_joint(model):
    kinematics = UrKinematics(model)
    q = np.array([0.3, -1.2, 1.4, -1.7, 0.0, 0.4])
    np.testing.assert_allclose(kinematics.inverse(kinematics.forward(q), q), q, atol=1e-9)


@pytest.mark.parametrize("model", MODELS)
def test_inverse_of_the_stretched_arm_exists(model):
    kinematics = UrKinematics(model)
    q = np.array([0.3, -1.2, 0.0, -1.7, 1.2, 0.4])
    T = kinematics.forward(q)
    np.testing.assert_allclose(kinematics.forward(kinematics.inverse(T, q)), T, atol=1e-6)


@pytest.mark.parametrize("position", [(1.2, 0.0, 0.3), (0.0, 0.0, 0.3)])
def test_inverse_out_of_reach_is_none(position):
    T = np.diag([1.0, -1.0, -1.0, 1.0])
    T[:3, 3] = position
    assert UrKinematics("ur5e").inverse(T, np.zeros(6)) is None


def test_unknown_model_is_refused_with_the_choices():
    with pytest.raises(ValueError, match=r"ur10.*ur5.*ur5e"):
        UrKinematics("ur10")


@given(st.tuples(angles, angles, angles).map(np.array))
def test_rotation_vectors_survive_the_way_there_and_back(vector):
    R = vector_to_rotation(vector)
    np.testing.assert_allclose(vector_to_rotation(rotation_to_vector(R)), R, atol=1e-12)


@pytest.mark.parametrize("axis", [(1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.6, 0.0, 0.8), (0.36, 0.48, -0.8)])
def test_half_turns_have_a_rotation_vector_of_length_pi(axis):
    vector = rotation_to_vector(vector_to_rotation(np.pi * np.array(axis)))
    assert np.linalg.norm(vector) == pytest.approx(np.pi)
    np.testing.assert_allclose(np.cross(vector, axis), 0.0, atol=1e-9)


def test_ur_pose_of_a_quarter_turn_about_z():
    T = pose_to_transform([0.1, 0.2, 0.3, 0.0, 0.0, np.pi / 2])
    np.testing.assert_allclose(T, [[0, -1, 0, 0.1], [1, 0, 0, 0.2], [0, 0, 1, 0.3], [0, 0, 0, 1]], atol=1e-15)
    np.testing.assert_allclose(transform_to_pose(T), [0.1, 0.2, 0.3, 0.0, 0.0, np.pi / 2])
