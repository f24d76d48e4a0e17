# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from anygrasp_perception.cloud import PointCloud
from anygrasp_perception.grasp import HALF_TURN_X
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.se3 import make_transform
from anygrasp_tracking.appearance_features import AppearanceFeatures, AppearanceFeaturesConfig
from anygrasp_tracking.correspondence import AssociationPolicy, NearestPolicy
from anygrasp_tracking.pose_smoothing import SmoothingConfig, create_smoother
from anygrasp_tracking.switch_guard import SwitchGuardConfig
from anygrasp_tracking.tracking_frame import TrackingFrame


def grasps(translations, rotations=None, widths=0.03):
    translations = np.asarray(translations, dtype=float)
    rotations = np.tile(np.eye(3), (len(translations), 1, 1)) if rotations is None else rotations
    return GraspGroup.from_arrays(
        rotation_matrices=rotations, translations=translations, widths=widths, scores=1.0, depths=0.01
    )


def test_cosine_does_not_depend_on_the_length_of_features():
    policy = AssociationPolicy(lambda frame: np.array([[1.0, 0], [5.0, 0], [0, 2.0], [-3.0, 0]]))
    described = policy.describe(TrackingFrame(0.0, grasps(np.zeros((4, 3)))))
    np.testing.assert_allclose(policy.correspond(described[0], described), [1, 1, 0, -1])


@pytest.mark.parametrize(
    ("features", "message"), [(np.ones((1, 4)), "one row"), (np.full((2, 4), np.nan), "NaN")]
)
def test_bad_features_are_refused(features, message):
    policy = AssociationPolicy(lambda frame: features)
    with pytest.raises(ValueError, match=message):
        policy.describe(TrackingFrame(0.0, grasps(np.zeros((2, 3)))))


def test_memory_keeps_a_share_of_what_was_looked_for():
    old, new = np.array([1.0, 0]), np.array([0.0, 1])
    forgetful, lasting = (AssociationPolicy(AppearanceFeatures(), memory=share) for share in (0.0, 0.6))
    np.testing.assert_allclose(forgetful.remember(old, new), new)
    kept = lasting.remember(old, new)
    np.testing.assert_allclose(kept, np.array([0.6, 0.4]) / np.hypot(0.6, 0.4))
    np.testing.assert_allclose(NearestPolicy().remember(old, new), new)


def test_nearest_falls_with_equation_5():
    turn = Rotation.from_euler("x", 90, degrees=True).as_matrix()
    group = grasps(
        [[0, 0, 0], [0.05, 0, 0], [0, 0, 0], [9, 0, 0]], np.array([np.eye(3), HALF_TURN_X, turn, turn])
    )
    policy = NearestPolicy()
    described = policy.describe(TrackingFrame(0.0, group))
    np.testing.assert_allclose(policy.correspond(described[0], described), [1, 0.5, 0.95, -1], atol=1e-6)


def test_appearance_falls_with_each_difference():
    blue, red = [0.2, 0.3, 0.8], [0.8, 0.2, 0.2]
    places = np.array([[0, 0, 0.5], [0.02, 0, 0.5], [0.3, 0, 0.5]])
    cloud = PointCloud(places.astype(np.float32), np.array([blue, blue, red], np.float32))
    T = make_transform(
        Rotation.from_euler("y", 0.7).as_matrix(), [1, 2, 3]
    )  # features follow the fixed frame
    frame = TrackingFrame(0.0, grasps(places).transformed(T), cloud, T)
    policy = AssociationPolicy(AppearanceFeatures())
    described = policy.describe(frame)
    same, near, other = policy.correspond(described[0], described)
    assert same == pytest.approx(1.0)
    assert 0.9 < near < 1.0
    assert other < 0.6
    turned = TrackingFrame(0.0, grasps(places, np.tile(HALF_TURN_X, (3, 1, 1))).transformed(T), cloud, T)
    np.testing.assert_allclose(policy.describe(turned), described, atol=1e-9)


def test_appearance_without_colour_or_points():
    for cloud in (None, PointCloud(np.zeros((0, 3), np.float32))):
        features = AppearanceFeatures(AppearanceFeaturesConfig(waves=8))(
            TrackingFrame(0.0, grasps(np.zeros((2, 3))), cloud)
        )
        assert features.shape == (2, 64)
        np.testing.assert_allclose(features[0], features[1])


def test_one_euro_lags_less_when_fast():
    lag = {}
    for speed in (0.01, 0.3):
        smoother = create_smoother(SmoothingConfig(method="one_euro"))
        for t in np.arange(0, 4, 0.1):
            T = smoother.update(t, make_transform(np.eye(3), [speed * t, 0, 0]))
        lag[speed] = (speed * t - T[0, 3]) / speed
    assert lag[0.3] < 0.7 * lag[0.01]


def test_kalman_follows_constant_speed_without_lag():
    smoother = create_smoother(SmoothingConfig(method="kalman"))
    for t in np.arange(0, 4, 0.1):
        T = smoother.update(t, make_transform(np.eye(3), [0.2 * t, 0, 0]))
    assert T[0, 3] == pytest.approx(0.2 * t, abs=1e-4)


@pytest.mark.parametrize(
    "make",
    [
        lambda: SmoothingConfig(method="average"),
        lambda: SmoothingConfig(min_cutoff_hz=0.0),
        lambda: SmoothingConfig(speed_coefficient=-1.0),
        lambda: SwitchGuardConfig(margin=-0.1),
        lambda: SwitchGuardConfig(min_poses=0),
        lambda: AppearanceFeaturesConfig(color=0.0),
        lambda: NearestPolicy(max_width_m=0.0),
        lambda: AssociationPolicy(AppearanceFeatures(), memory=1.0),
        lambda: TrackingFrame(float("inf"), grasps(np.zeros((1, 3)))),
    ],
)
def test_values_out_of_range_are_refused(make):
    with pytest.raises(ValueError, match=r"is |needs "):
        make()
