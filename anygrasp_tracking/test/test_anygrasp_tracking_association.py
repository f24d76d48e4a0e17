# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from scipy.spatial.transform import Rotation

from anygrasp_perception.cloud import PointCloud
from anygrasp_perception.detector import DetectionResult, SeedFeatures
from anygrasp_perception.grasp import HALF_TURN_X
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.network.weights import WeightsError
from anygrasp_perception.network_detector import shipped_weights
from anygrasp_perception.reject_reason import RejectCounts
from anygrasp_perception.se3 import make_transform
from anygrasp_tracking.association_config import AssociationNetworkConfig
from anygrasp_tracking.association_features import AssociationFeatures
from anygrasp_tracking.association_input import FeaturesMissing, cylinder_colors, gather_input, pose_numbers
from anygrasp_tracking.association_network import AssociationNetwork
from anygrasp_tracking.association_weights import (
    geometry_digest,
    load_association,
    read_header,
    save_association,
    shipped_association_weights,
)
from anygrasp_tracking.correspondence import AssociationPolicy
from anygrasp_tracking.policies import POLICIES, PolicyError, make_policy
from anygrasp_tracking.tracking_frame import TrackingFrame

CONFIG = AssociationNetworkConfig(
    seed_channels=6, grasp_channels=5, color_channels=8, hidden_channels=16, feature_channels=12
)


AHEAD = np.array([0, 0, 0.6])  # of the camera


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return AssociationNetwork(CONFIG).eval()


def grasps(count=5, seed=0):
    rng = np.random.default_rng(seed)
    return GraspGroup.from_arrays(
        rotation_matrices=Rotation.random(count, random_state=seed).as_matrix(),
        translations=rng.uniform(-0.1, 0.1, (count, 3)) + AHEAD,
        widths=0.04,
        scores=0.5,
        depths=0.02,
        seed_ids=np.arange(count)[::-1].copy(),
    )


def frame(group=None, T_fixed_camera=None, features=True, seed_channels=CONFIG.seed_channels):
    """Grasps in a cloud of many colours, as a network would have found them."""
    rng = np.random.default_rng(1)
    group = grasps() if group is None else group
    T = np.eye(4) if T_fixed_camera is None else T_fixed_camera
    points = rng.uniform(-0.15, 0.15, (4000, 3)) + AHEAD
    cloud = PointCloud(points.astype(np.float32), rng.uniform(size=(4000, 3)).astype(np.float32))
    table = SeedFeatures(
        rng.normal(size=(9, seed_channels)).astype(np.float32),
        rng.normal(size=(9, CONFIG.grasp_channels)).astype(np.float32),
    )
    detection = DetectionResult(group, len(group), RejectCounts(), {}, "network", table if features else None)
    return TrackingFrame(0.0, group.transformed(T), cloud, T, detection)


def test_features_have_unit_length_and_belong_to_their_grasp(network):
    describe = AssociationFeatures(network=network)
    features = describe(frame())
    assert features.shape == (5, 12)
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-6)
    order = np.array([3, 0, 4, 1, 2])
    np.testing.assert_allclose(describe(frame(grasps()[order])), features[order], atol=1e-5)


def test_no_grasps_have_no_features(network):
    assert AssociationFeatures(network=network)(frame(GraspGroup.empty())).shape == (0, 12)


def test_a_half_turn_about_the_approach_changes_nothing(network):
    group = grasps()
    turned = group.replace(rotation_matrices=group.rotation_matrices @ HALF_TURN_X)
    describe = AssociationFeatures(network=network)
    np.testing.assert_allclose(describe(frame(turned)), describe(frame(group)), atol=1e-5)
    quarter = Rotation.from_euler("x", 90, degrees=True).as_matrix()
    other = group.replace(rotation_matrices=group.rotation_matrices @ quarter)
    assert np.abs(pose_numbers(other, 0.1) - pose_numbers(group, 0.1)).max() > 0.1


def test_features_do_not_depend_on_the_fixed_frame(network):
    T = make_transform(Rotation.from_euler("xyz", [0.4, -0.3, 2.0]).as_matrix(), [1.0, -2.0, 0.5])
    describe = AssociationFeatures(network=network)
    np.testing.assert_allclose(describe(frame(T_fixed_camera=T)), describe(frame()), atol=1e-4)


def test_the_order_of_the_colours_does_not_matter(network):
    given = gather_input(frame(), CONFIG)
    shuffled = dataclasses.replace(given, colors=given.colors[:, ::-1].copy())
    torch.testing.assert_close(network.describe(shuffled), network.describe(given))


def test_colours_are_those_of_points_in_the_cylinder():
    group = grasps(3)
    rng = np.random.default_rng(2)
    points = rng.uniform(-0.2, 0.2, (6000, 3)) + AHEAD
    local = np.einsum("pni,nij->pnj", points[:, None] - group.translations, group.rotation_matrices)
    inside = (local[..., 0] > CONFIG.color_min_m) & (local[..., 0] < CONFIG.color_max_m)
    inside &= np.hypot(local[..., 1], local[..., 2]) < CONFIG.color_radius_m
    colors = inside.astype(np.float32)  # each channel marks the cylinder of one grasp
    found = cylinder_colors(group, PointCloud(points.astype(np.float32), colors), CONFIG)
    assert found.shape == (3, 16, 3)
    assert all((found[index, :, index] == 1).all() for index in range(3))


@pytest.mark.parametrize(
    "cloud",
    [None, PointCloud(np.full((1, 3), 9.0, np.float32), np.ones((1, 3), np.float32))],
    ids=["none", "elsewhere"],
)
def test_colours_are_grey_where_nothing_is_seen(cloud):
    assert (cylinder_colors(grasps(2), cloud, CONFIG) == 0.5).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: frame(features=False), "use the detector 'network'"),
        (lambda: TrackingFrame(0.0, grasps()), "detector: none"),
        (lambda: frame(grasps().replace(seed_ids=-np.ones(5))), "use the detector 'network'"),
        (lambda: frame(grasps(20)), "use the detector 'network'"),  # seeds of another detection
        (lambda: frame(seed_channels=7), r"\(6, 5\) channels, those of this geometry network have \(7, 5\)"),
    ],
)
def test_frames_without_fitting_features_are_refused(network, make, message):
    with pytest.raises(FeaturesMissing, match=message):
        AssociationPolicy(AssociationFeatures(network=network)).describe(make())


def test_weights_come_back_as_they_were(network, tmp_path):
    path = tmp_path / "association.safetensors"
    save_association(network, path, {"step": "7"})
    again = load_association(path)
    assert again.config == CONFIG
    assert read_header(path)["step"] == "7"
    given = gather_input(frame(), CONFIG)
    torch.testing.assert_close(again.describe(given), network.describe(given))
    policy = make_policy("association", path)
    assert policy.describe(frame()).shape == (5, 12)


def test_bad_weights_say_what_is_wrong(network, tmp_path):
    good, bad = tmp_path / "good.safetensors", tmp_path / "bad.safetensors"
    save_association(network, good)
    with pytest.raises(WeightsError, match="no such weights"):
        load_association(tmp_path / "none.safetensors")
    bad.write_bytes(good.read_bytes()[:-50])
    with pytest.raises(WeightsError, match="not a safetensors file"):
        load_association(bad)
    with pytest.raises(WeightsError, match="need 'anygrasp-association-1'"):
        load_association(shipped_weights())  # the geometry network's
    smaller = AssociationNetwork(dataclasses.replace(CONFIG, hidden_channels=8))
    save_file(smaller.state_dict(), bad, read_header(good))
    with pytest.raises(WeightsError, match="do not fit their config"):
        load_association(bad)
    poisoned = AssociationNetwork(CONFIG)
    torch.nn.init.constant_(poisoned.joint[0].bias, torch.nan)
    save_association(poisoned, bad)
    with pytest.raises(WeightsError, match="NaN"):
        load_association(bad)
    with pytest.raises(PolicyError, match="'appearance' and 'nearest' need no weights"):
        make_policy("association", bad)


def test_policies_by_name():
    for name in POLICIES:
        assert make_policy(name).name == name
    with pytest.raises(ValueError, match="choose one of association, appearance, nearest"):
        make_policy("farthest")
    with pytest.raises(ValueError, match="no use for weights"):
        make_policy("nearest", "some.safetensors")


def test_shipped_weights_are_for_the_shipped_geometry_network():
    """Features of other weights of the same sizes mean something else: train the association again."""
    header = read_header(shipped_association_weights())
    assert header["geometry_sha256"] == geometry_digest(shipped_weights())


@pytest.mark.parametrize("changes", [{"color_points": 0}, {"color_min_m": 0.05}, {"position_scale_m": 0.0}])
def test_sizes_out_of_range_are_refused(changes):
    with pytest.raises(ValueError, match=r"must be"):
        AssociationNetworkConfig(**changes)
    with pytest.raises(ValueError, match="has no seeds"):
        AssociationNetworkConfig.from_dict({"seeds": 3})
