# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from anygrasp_perception.grasp import HALF_TURN_X
from anygrasp_perception.se3 import make_transform, rotation_angle
from anygrasp_tracking.motion_prediction import MotionConfig, MotionPredictor

UNEVEN = np.cumsum([0.2, 0.13, 0.31, 0.18, 0.22, 0.09, 0.4, 0.2, 0.15, 0.21, 0.2, 0.17])
AHEAD_S = 0.7


def pose(x=0.0, y=0.0, z=0.0, yaw=0.0):
    return make_transform(Rotation.from_euler("z", yaw).as_matrix(), [x, y, z])


def straight(t):
    return pose(0.1 * t, -0.05 * t, 0.02, 0.3)


def circle(t, rate=0.8, radius=0.12):
    return pose(radius * np.sin(rate * t), radius * (1 - np.cos(rate * t)), 0.0, rate * t)


def follow(path, times=UNEVEN, **config):
    predictor = MotionPredictor(MotionConfig(**config))
    for t in times:
        predictor.add(t, path(t))
    return predictor


def miss(predictor, path, ahead_s=AHEAD_S):
    t = predictor.last_time_s + ahead_s
    T, truth = predictor.predict(t), path(t)
    return np.linalg.norm(T[:3, 3] - truth[:3, 3]), float(rotation_angle(T[:3, :3], truth[:3, :3]))


@pytest.mark.parametrize("path", [straight, circle], ids=["straight", "circle"])
def test_steady_motion_is_predicted_exactly_from_uneven_frames(path):
    distance, angle = miss(follow(path), path)
    assert distance < 1e-6
    assert angle < 1e-6


def test_a_curve_is_better_predicted_than_by_its_tangent():
    predictor = follow(circle)
    t = predictor.last_time_s
    tangent = circle(t)[:3, 3] + AHEAD_S * predictor.velocity_m_s
    assert np.linalg.norm(tangent - circle(t + AHEAD_S)[:3, 3]) > 0.015
    assert miss(predictor, circle)[0] < 1e-6


def test_a_body_that_turns_on_a_straight_way_is_not_led_off_it():
    def spinning(t):
        return pose(0.1 * t, 0.0, 0.0, 0.9 * t)

    assert miss(follow(spinning), spinning)[0] < 1e-6


def test_a_turn_above_half_a_revolution_in_the_buffer():
    def fast(t):
        return circle(t, rate=2.5, radius=0.05)

    distance, angle = miss(follow(fast), fast)
    assert distance < 1e-6
    assert angle < 1e-6


def test_after_a_stop_the_prediction_comes_to_rest():
    def stopping(t):
        return pose(0.12 * min(t, 1.0))

    predictor, misses = MotionPredictor(), []
    for t in np.arange(1, 14) * 0.2:
        predictor.add(t, stopping(t))
        misses.append(miss(predictor, stopping)[0])
    assert max(misses[4:7]) > 0.5 * 0.12 * AHEAD_S  # the momentum goes on at first
    assert misses[9] < 0.3 * 0.12 * AHEAD_S  # 1 s after the stop
    assert misses[-1] < 1e-6


@pytest.mark.parametrize("path", [straight, circle], ids=["straight", "circle"])
@pytest.mark.parametrize("index", range(len(UNEVEN)))
def test_one_outlier_anywhere_hardly_matters(path, index):
    predictor = MotionPredictor(MotionConfig(buffer=len(UNEVEN)))
    for i, t in enumerate(UNEVEN):
        T = path(t)
        if i == index:
            T = T @ make_transform(Rotation.from_rotvec([0.9, 0.2, 0.4]).as_matrix(), [0.06, 0.08, -0.03])
        predictor.add(t, T)
    distance, angle = miss(predictor, path)
    assert distance < 0.012
    assert angle < 0.12


def test_a_second_pose_that_agrees_makes_a_jump_the_new_course():
    def jumped(t):
        return pose(0.1 * t, 0.15 if t > 2.05 else 0.0)

    times = np.arange(1, 13) * 0.2
    predictor = follow(jumped, times[times < 2.3])
    assert predictor.predict(2.3)[1, 3] == pytest.approx(0.0, abs=0.01)  # the first one is not believed
    predictor.add(2.4, jumped(2.4))
    assert predictor.predict(2.5)[1, 3] == pytest.approx(0.15, abs=0.03)


def test_noise_averages_out():
    rng = np.random.default_rng(0)
    errors = []
    for _ in range(40):
        predictor = MotionPredictor()
        for t in np.arange(10) * 0.2:
            noisy = straight(t).copy()
            noisy[:3, 3] += rng.normal(0, 0.004, 3)
            predictor.add(t, noisy)
        errors.append(miss(predictor, straight)[0])
    naive = 0.004 * np.sqrt(3) * (AHEAD_S / 0.2) * np.sqrt(2)  # from the last two poses alone
    assert np.median(errors) < 0.4 * naive


def test_the_half_turned_grasp_is_the_same_grasp():
    predictor = MotionPredictor()
    for i, t in enumerate(UNEVEN):
        T = straight(t)
        T[:3, :3] = T[:3, :3] @ (HALF_TURN_X if i % 2 else np.eye(3))
        predictor.add(t, T)
    assert np.linalg.norm(predictor.turn_rate_rad_s) < 1e-6


def test_the_buffer_forgets_what_is_too_old_or_before_a_pause():
    predictor = follow(straight)
    assert len(predictor) == 10
    predictor.add(UNEVEN[-1] + 1.2, straight(0.0))
    assert len(predictor) == 1
    np.testing.assert_array_equal(predictor.velocity_m_s, np.zeros(3))
    predictor.clear()
    with pytest.raises(ValueError, match="add one first"):
        predictor.predict(1.0)


def test_momentum_is_limited():
    predictor = follow(lambda t: pose(2.0 * t), max_speed_m_s=0.3)
    assert np.linalg.norm(predictor.velocity_m_s) == pytest.approx(0.3)


def test_wrong_order_and_bad_poses_are_refused_and_change_nothing():
    predictor = follow(straight)
    before = predictor.predict(UNEVEN[-1] + 0.5)
    with pytest.raises(ValueError, match="not later"):
        predictor.add(UNEVEN[-1], straight(0.0))
    with pytest.raises(ValueError, match="finite"):
        predictor.add(float("nan"), straight(0.0))
    with pytest.raises(ValueError, match="T_fixed_grasp"):
        predictor.add(UNEVEN[-1] + 0.1, np.diag([2.0, 1, 1, 1]))
    with pytest.raises(ValueError, match="cannot predict"):
        predictor.predict(0.0)
    np.testing.assert_array_equal(predictor.predict(UNEVEN[-1] + 0.5), before)


@pytest.mark.parametrize(("name", "value"), [("buffer", 1), ("memory_s", 0.0), ("max_gap_s", -1.0)])
def test_config_refuses(name, value):
    with pytest.raises(ValueError, match=name):
        MotionConfig(**{name: value})
