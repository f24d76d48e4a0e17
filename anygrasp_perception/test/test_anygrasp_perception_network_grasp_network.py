# SPDX-License-Identifier: Apache-2.0
import copy
import dataclasses
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from anygrasp_perception.network import NETWORK_CONFIGS, GraspNetwork
from anygrasp_perception.network.voxel_cloud import VoxelBatch, voxelise
from anygrasp_perception.network.voxel_level import VoxelLevel

CONFIG = NETWORK_CONFIGS["debug"]


def make_points(seed=0, count=6000):
    rng = np.random.default_rng(seed)
    xy = rng.uniform(-0.12, 0.12, (count, 2))
    height = 0.03 * (np.abs(xy).max(axis=1) < 0.06) + rng.normal(0, 0.001, count)
    return np.column_stack([xy, 0.5 - height]).astype(np.float32)


def make_network():
    """A network with the statistics of one batch, that finds objects everywhere."""
    torch.manual_seed(0)
    network = GraspNetwork(CONFIG)
    with torch.no_grad():
        network.point_head.out.weight.mul_(0.01)
        network.point_head.out.bias.copy_(torch.tensor([0.0, 2.0, 0.5]))
        for seed in range(3):
            train_forward(network, seed)
    return network.eval()


def train_forward(network, seed):
    network.train()
    batch = VoxelBatch.of([voxelise(make_points(seed), CONFIG.voxel_m)])
    features, logits, graspness = network.encode(batch)
    seeds = torch.arange(0, len(batch.points), 20)
    view_scores, seed_features = network.view_head(features[seeds])
    rotations = torch.eye(3).expand(len(seeds), 3, 3)
    rng = np.random.default_rng(0)
    crop = network.crop(batch.points, batch.normals, features, seeds, seed_features, rotations, rng)
    outputs = [logits, graspness, view_scores, crop.scores, crop.widths_m, crop.stable_scores]
    return sum(output.square().mean() for output in outputs)


@pytest.fixture(scope="module")
def network():
    return make_network()


@pytest.fixture
def folded(network):
    return copy.deepcopy(network).fold()


def predict(network, points, seed=0, **limits):
    return network.predict(voxelise(points, CONFIG.voxel_m), np.random.default_rng(seed), **limits)


def arrays(prediction):
    return {
        field.name: getattr(prediction, field.name)
        for field in dataclasses.fields(prediction)
        if field.name not in ("durations_s", "encoded")
    }


def assert_same(one, other, **tolerance):
    for name, array in arrays(one).items():
        np.testing.assert_allclose(array, arrays(other)[name], err_msg=name, **tolerance)


def test_folding_changes_nothing(network, folded):
    points = make_points(5)
    assert_same(predict(network, points), predict(folded, points), rtol=1e-3, atol=1e-4)


def test_the_order_of_points_changes_nothing(folded):
    points = make_points()
    shuffled = np.random.default_rng(1).permutation(points)
    assert_same(predict(folded, points), predict(folded, shuffled), rtol=1e-3, atol=1e-4)


def test_a_move_by_whole_voxels_of_the_lowest_level_changes_nothing(folded):
    batch = VoxelBatch.of([voxelise(make_points(), CONFIG.voxel_m)])
    moved = VoxelLevel(batch.level.coordinates + torch.tensor([0, 16, 32, 48]))
    with torch.inference_mode():
        here, there = (folded.backbone(batch.features, level) for level in (batch.level, moved))
    torch.testing.assert_close(here, there)


def test_a_cloud_says_the_same_in_a_batch(folded):
    clouds = [voxelise(make_points(seed), CONFIG.voxel_m) for seed in range(2)]
    with torch.inference_mode():
        together = folded.encode(VoxelBatch.of(clouds))[0]
        alone = [folded.encode(VoxelBatch.of([cloud]))[0] for cloud in clouds]
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-3, atol=1e-4)


def test_the_same_seed_gives_the_same_prediction(folded):
    points = make_points()
    assert_same(predict(folded, points), predict(folded, points), rtol=0, atol=0)


def test_views_of_other_voxels_are_scored_as_those_of_the_seeds(folded):
    prediction = predict(folded, make_points())
    scores = folded.score_views(prediction.encoded, prediction.seeds)
    np.testing.assert_allclose(scores, prediction.view_scores, rtol=1e-4, atol=1e-5)


def test_two_threads_predict_as_one(folded):
    clouds = [make_points(seed) for seed in range(4)]
    alone = [predict(folded, points) for points in clouds]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(lambda points: predict(folded, points), clouds))
    for one, other in zip(alone, together, strict=True):
        assert_same(one, other, rtol=0, atol=0)


def test_training_and_inference_share_a_process(network, folded):
    points = make_points()
    before = predict(folded, points)
    trained = copy.deepcopy(network)
    train_forward(trained, 1).backward()  # with buffers that inference made
    gradients = [parameter.grad for parameter in trained.parameters()]
    assert all(torch.isfinite(gradient).all() for gradient in gradients if gradient is not None)
    assert sum(gradient is not None for gradient in gradients) > 50
    assert_same(before, predict(folded, points), rtol=0, atol=0)  # with buffers that training used


def test_seeds_and_views_stay_where_they_are_allowed(folded):
    points = make_points()
    cloud = voxelise(points, CONFIG.voxel_m)
    right, views = cloud.points[:, 0] > 0, np.zeros(300, dtype=np.bool_)
    views[[3, 7]] = True
    prediction = predict(folded, points, allowed_points=right, allowed_views=views)
    assert right[prediction.seeds].all()
    assert set(prediction.view_ids) <= {3, 7}
    assert len(prediction.seeds) == CONFIG.seed_count


def test_nowhere_to_grasp(folded):
    cloud = voxelise(make_points(), CONFIG.voxel_m)
    nowhere = np.zeros(len(cloud), dtype=np.bool_)
    prediction = folded.predict(cloud, np.random.default_rng(0), nowhere)
    assert prediction.scores.shape == (0, 12, 5)
    assert prediction.stable_scores.shape == (0, 12)


@pytest.mark.parametrize("count", [1, 3])
def test_hardly_any_points(folded, count):
    prediction = predict(folded, make_points(count=count))
    assert len(prediction.points) == count
    assert np.isfinite(prediction.scores).all()


def test_far_away_points_are_no_neighbours(folded):
    points = make_points()
    outlier = np.array([[800.0, -900.0, 1000.0]], dtype=np.float32)
    prediction = predict(folded, np.concatenate([points, outlier]))
    assert np.isfinite(prediction.scores).all()
    assert len(prediction.points) == len(voxelise(points, CONFIG.voxel_m)) + 1


def test_voxels_of_another_size_are_refused(folded):
    with pytest.raises(ValueError, match=r"takes voxels of 0\.005 m, got 0\.01 m"):
        folded.predict(voxelise(make_points(), 0.01), np.random.default_rng(0))
