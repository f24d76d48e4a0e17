# SPDX-License-Identifier: Apache-2.0
"""Scripts for the official SDK: the same names, the same shapes, on our network."""

import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from synthetic_scene import CAMERA_HEIGHT_M, Box, photograph
from tiny_network import CELLS, tiny_network

from anygrasp_perception.anygrasp_sdk import AnyGrasp, create_detector
from anygrasp_perception.collision import detect_collisions
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.network import WeightsError, save_network
from anygrasp_perception.network.voxel_cloud import voxelise

LEFT, RIGHT = Box((0.03, 0.07, 0.05), (-0.06, 0.0)), Box((0.03, 0.07, 0.05), (0.06, 0.0))
SEEDS = 64
EXAMPLE = Path(__file__).parents[2] / "examples" / "anygrasp_sdk_demo.py"
CLUTTER = Path(__file__).resolve().parents[3] / "shared" / "realdata" / "clutter"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_network(tiny_network(), path)
    return path


@pytest.fixture(scope="module")
def cfgs(weights):
    return SimpleNamespace(checkpoint_path=str(weights), max_gripper_width=0.1, gripper_height=0.03)


@pytest.fixture(scope="module")
def anygrasp(cfgs):
    anygrasp = AnyGrasp(cfgs)
    anygrasp.load_net()
    return anygrasp


@pytest.fixture(scope="module")
def steered(cfgs):
    return create_detector(cfgs)


@pytest.fixture(scope="module")
def points():
    points = photograph(LEFT, RIGHT, noise_m=0.001).cloud().points
    return points[(np.abs(points[:, :2]) < (0.18, 0.14)).all(axis=1)]


def test_grasps_and_cloud_lie_inside_the_limits(anygrasp, points):
    lims = [0.0, 0.12, -0.05, 0.06, 0.0, 0.57]
    colors = np.full_like(points, 0.25)
    gg, cloud = anygrasp.get_grasp(
        points, colors, lims=lims, apply_object_mask=True, dense_grasp=False, collision_detection=True
    )
    assert len(gg) > 0
    for inside in (gg.translations, np.asarray(cloud.points)):
        assert (inside >= np.array(lims[::2]) - 1e-6).all()
        assert (inside <= np.array(lims[1::2]) + 1e-6).all()
    assert 0 < len(cloud.points) < len(points)
    np.testing.assert_allclose(np.asarray(cloud.colors), 0.25)
    assert (gg.heights == 0.03).all()
    picked = gg.nms().sort_by_score()[0:20]
    assert picked[0].score == picked.scores.max()


def test_without_limits_and_colours_the_whole_cloud_comes_back(anygrasp, points):
    gg, cloud = anygrasp.get_grasp(points)
    assert len(gg) > 0
    assert len(cloud.points) == len(points)
    assert not cloud.has_colors()


def hits(anygrasp, points, group):
    """How many of the grasps collide with the cloud, thinned as the detector thins it."""
    grasps = GraspGroup.from_arrays(
        rotation_matrices=group.rotation_matrices,
        translations=group.translations,
        widths=group.widths,
        scores=group.scores,
        depths=group.depths,
    )
    return int(detect_collisions(grasps, voxelise(points, 0.004).points, anygrasp.gripper).colliding.sum())


def test_flags_let_in_the_background_collisions_and_all_cells(tmp_path, points):
    network = tiny_network(objectness=-4.0)
    save_network(network, tmp_path / "background.safetensors")
    anygrasp = AnyGrasp(SimpleNamespace(checkpoint_path=tmp_path / "background.safetensors"))
    anygrasp.load_net()
    assert len(anygrasp.get_grasp(points)[0]) == 0
    some = anygrasp.get_grasp(points, apply_object_mask=False)[0]
    all_seeds = anygrasp.get_grasp(points, apply_object_mask=False, collision_detection=False)[0]
    all_cells = anygrasp.get_grasp(
        points, apply_object_mask=False, collision_detection=False, dense_grasp=True
    )[0]
    assert 0 < len(some) <= len(all_seeds) == SEEDS
    assert hits(anygrasp, points, some) == 0
    assert hits(anygrasp, points, all_seeds) > 0
    assert len(all_cells) == SEEDS * CELLS


def test_top_down_grasps_come_along_the_axis_of_the_camera(weights, points):
    network = tiny_network()
    with torch.no_grad():
        network.view_head.out.bias.neg_()  # from below is best
    save_network(network, weights.parent / "below.safetensors")
    cfgs = SimpleNamespace(checkpoint_path=weights.parent / "below.safetensors", top_down_grasp=True)
    anygrasp = AnyGrasp(cfgs)
    anygrasp.load_net()
    gg, _ = anygrasp.get_grasp(points, collision_detection=False)
    assert len(gg) > 0
    assert (gg.rotation_matrices[:, 2, 0] > np.cos(np.deg2rad(30.1))).all()


def test_empty_limits_give_no_grasp_and_no_cloud(anygrasp, points):
    gg, cloud = anygrasp.get_grasp(points, lims=[1, 2, 1, 2, 1, 2])
    assert len(gg) == len(cloud.points) == 0
    assert len(gg.nms().sort_by_score()[0:20].scores) == 0


def test_mask_and_direction_steer(steered, points):
    mask = (np.abs(points[:, 0] - 0.06) < 0.02) & (points[:, 2] < CAMERA_HEIGHT_M - 0.01)
    gg = steered.get_grasp(points, {"region_steering": mask})
    assert len(gg) > 0
    assert (gg.translations[:, 0] > 0.03).all()
    axis = np.array((0.2, 0.0, 1.0)) / np.hypot(0.2, 1.0)
    options = {"approach_steering": 5 * axis, "approach_thresh": 0, "dense_grasp": True}
    gg = steered.get_grasp(points, options)
    assert (gg.rotation_matrices[:, :, 0] @ axis > np.cos(np.deg2rad(0.1))).all()


def test_no_grasp_is_none_in_the_later_interface(steered, points):
    assert steered.get_grasp(points, {"region_steering": np.zeros(len(points), bool)}) is None


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda a, p: a.get_grasp(np.zeros((0, 3))), "cloud is empty"),
        (lambda a, p: a.get_grasp(p[:, :2]), "must have shape"),
        (lambda a, p: a.get_grasp(np.full((5, 3), np.nan)), "NaN"),
        (lambda a, p: a.get_grasp(p, p[:5] * 0), "colors must have shape"),
        (lambda a, p: a.get_grasp(p, np.full(p.shape, 128)), "divide 8-bit images by 255"),
        (lambda a, p: a.get_grasp(p, lims=[0, 1, 0, 1]), "xmin, xmax"),
        (lambda a, p: a.get_grasp(p, lims=[1, 0, 0, 1, 0, 1]), "region_min"),
    ],
)
def test_bad_input_is_a_clear_error(anygrasp, points, call, words):
    with pytest.raises(ValueError, match=words):
        call(anygrasp, points)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"aproach": 1}, "no aproach"),
        ({"region_steering": np.ones(3, bool)}, "target_mask has 3 entries"),
        ({"approach_steering": (0, 0, 0)}, "must not be zero"),
    ],
)
def test_bad_options_are_a_clear_error(steered, points, options, words):
    with pytest.raises(ValueError, match=words):
        steered.get_grasp(points, options)


def test_detection_before_loading_says_what_to_call(cfgs, points):
    with pytest.raises(RuntimeError, match=r"load_net\(\)"):
        AnyGrasp(cfgs).get_grasp(points)


def test_a_checkpoint_of_the_official_sdk_is_refused(tmp_path):
    torch.save({"model_state_dict": {}}, tmp_path / "checkpoint_detection.tar")
    anygrasp = AnyGrasp(SimpleNamespace(checkpoint_path=str(tmp_path / "checkpoint_detection.tar")))
    with pytest.raises(WeightsError, match="not a safetensors file"):
        anygrasp.load_net()


def test_gripper_of_no_width_is_refused():
    with pytest.raises(ValueError, match="max_width_m"):
        AnyGrasp(SimpleNamespace(checkpoint_path="", max_gripper_width=0))


@pytest.mark.skipif(not CLUTTER.is_dir(), reason=f"no real frames at {CLUTTER}")
def test_the_example_runs_on_a_real_frame(weights, monkeypatch, capsys):
    camera = ["--fx", "927.17", "--fy", "927.37", "--cx", "651.32", "--cy", "349.62"]
    images = ["--color", str(CLUTTER / "demo_color.png"), "--depth", str(CLUTTER / "demo_depth_mm.png")]
    monkeypatch.setattr(sys, "argv", ["demo", "--checkpoint_path", str(weights), *camera, *images])
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    assert "grasp" in capsys.readouterr().out
