# SPDX-License-Identifier: Apache-2.0
"""The body under a followed grasp: found among neighbours, and its motion whatever the grasp does on it."""

import numpy as np
import pytest

from anygrasp_perception.se3 import make_transform
from anygrasp_tracking.body_motion import BodyMotion
from anygrasp_tracking.seen_body import BodyConfig, find_body


def swimmer(middle, yaw, length=0.12, width=0.026, seed=0):
    """Points (N, 3) of an ellipse seen from above, some 90 mm below the base's height."""
    rng = np.random.default_rng(seed)
    disc = rng.uniform(-1, 1, (4000, 2))
    disc = disc[np.linalg.norm(disc, axis=1) < 1] * (length / 2, width / 2)
    c, s = np.cos(yaw), np.sin(yaw)
    height = rng.normal(-0.09, 0.001, len(disc))
    return np.column_stack([disc @ np.array([[c, s], [-s, c]]) + middle, height])


def grasp(x, y, yaw=0.0):
    """T_fixed_grasp straight down, closing along y turned by yaw."""
    c, s = np.cos(yaw), np.sin(yaw)
    closing = np.array([-s, c, 0.0])
    approach = np.array([0.0, 0.0, -1.0])
    R = np.stack([approach, closing, np.cross(approach, closing)], axis=1)
    return make_transform(R, (x, y, -0.08))


def degrees_between(angle, yaw):
    return abs(np.degrees((angle - yaw + np.pi / 2) % np.pi - np.pi / 2))


def test_body_lies_as_it_lies_wherever_on_it_the_grasp_is():
    points = swimmer((0.5, 0.1), 0.7)
    for along in (-0.04, 0.0, 0.05):
        at = np.array([0.5, 0.1]) + along * np.array([np.cos(0.7), np.sin(0.7)])
        body = find_body(points, grasp(*at, yaw=2.0), BodyConfig())
        np.testing.assert_allclose(body.middle, (0.5, 0.1), atol=0.003)
        assert degrees_between(np.arctan2(body.axis[1], body.axis[0]), 0.7) < 3
        assert body.half_length_m == pytest.approx(0.057, abs=0.004)
        assert body.half_width_m == pytest.approx(0.012, abs=0.003)


def test_neighbours_noise_and_water_are_other_things():
    own, other = swimmer((0.5, 0.1), 0.0), swimmer((0.5, 0.15), 0.2)
    specks = np.array([[0.5, 0.128, -0.09], [0.51, 0.125, -0.08]])
    body = find_body(np.concatenate([own, other, specks]), grasp(0.49, 0.1), BodyConfig())
    np.testing.assert_allclose(body.middle, (0.5, 0.1), atol=0.003)
    assert find_body(own, grasp(0.5, 0.16), BodyConfig()) is None  # beside it
    assert find_body(specks, grasp(0.5, 0.128), BodyConfig()) is None
    assert find_body(np.zeros((0, 3)), grasp(0.5, 0.1), BodyConfig()) is None


def test_a_round_body_has_the_direction_that_the_fingers_close_across():
    body = find_body(swimmer((0.5, 0.1), 0.0, 0.05, 0.05), grasp(0.5, 0.1, yaw=0.9), BodyConfig())
    assert degrees_between(np.arctan2(body.axis[1], body.axis[0]), 0.9) < 1e-6


def test_motion_is_that_of_the_body_though_the_grasp_slides_and_turns():
    motion, rng = BodyMotion(), np.random.default_rng(1)
    for k in range(8):
        t, x = 0.2 * k, 0.4 + 0.05 * 0.2 * k
        slid = x + rng.uniform(-0.04, 0.04)
        motion.look(t, swimmer((x, 0.1), 0.0, seed=k), grasp(slid, 0.1, yaw=rng.uniform(-0.6, 0.6)))
    middle, angle = motion.predict(1.4 + 0.8)
    np.testing.assert_allclose(middle, (0.4 + 0.05 * 2.2, 0.1), atol=0.008)  # drawn to none by its errors
    assert degrees_between(angle, 0.0) < 4
    assert len(motion) == 8


def test_a_turning_body_is_foreseen_on_its_arc():
    motion, rate, speed = BodyMotion(), 0.6, 0.06

    def true(t):
        a = rate * t
        return np.array([0.5, 0.0]) + speed / rate * np.array([np.sin(a), 1 - np.cos(a)]), a

    for k in range(8):
        middle, yaw = true(0.2 * k)
        motion.look(0.2 * k, swimmer(middle, yaw, seed=k), grasp(*middle))
    middle, angle = motion.predict(1.4 + 0.7)
    expected, yaw = true(2.1)
    assert np.linalg.norm(middle - expected) < 0.016  # drawn to none by its errors
    assert degrees_between(angle, yaw) < 8


def test_a_body_that_meets_another_keeps_its_place():
    motion = BodyMotion()
    for k in range(6):
        own = swimmer((0.5, 0.1), 0.0, seed=k)
        met = swimmer((0.58, 0.20 - 0.014 * k), 1.2, seed=k + 50)
        seen = motion.look(0.2 * k, np.concatenate([own, met]), grasp(0.5, 0.1))
    np.testing.assert_allclose(seen.middle, (0.5, 0.1), atol=0.012)


def test_another_body_begins_anew_and_so_does_one_not_seen_for_long():
    motion = BodyMotion()
    for k in range(4):
        motion.look(0.2 * k, swimmer((0.4, 0.1), 0.0), grasp(0.4, 0.1))
    assert motion.knows(0.6, 4)
    motion.look(0.8, swimmer((0.6, 0.1), 1.0), grasp(0.6, 0.1))
    assert len(motion) == 1
    np.testing.assert_allclose(motion.predict(2.0)[0], (0.6, 0.1), atol=0.003)  # one look tells no motion
    assert motion.look(1.0, np.zeros((0, 3)), grasp(0.6, 0.1)) is None
    assert not motion.knows(1.5, 1)
    motion.look(2.0, swimmer((0.6, 0.1), 1.0), grasp(0.6, 0.1))
    assert len(motion) == 1
    motion.clear()
    with pytest.raises(ValueError, match="no body yet"):
        motion.predict(0.0)


@pytest.mark.parametrize(("name", "value"), [("reach_m", 0.0), ("buffer", 1), ("memory_s", -1.0)])
def test_values_out_of_range_are_refused(name, value):
    with pytest.raises(ValueError, match=name):
        BodyConfig(**{name: value})
