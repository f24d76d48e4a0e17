# SPDX-License-Identifier: Apache-2.0
import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from anygrasp_perception.grasp import ANGLE_COUNT, fibonacci_views
from anygrasp_perception.network import NETWORK_CONFIGS, GraspNetwork, load_network, save_network
from anygrasp_perception.network.weights import load_verifier
from anygrasp_perception.network_detector import NetworkDetector
from anygrasp_perception.se3 import make_transform
from anygrasp_training.dataset import DatasetError, GraspDataset
from anygrasp_training.evaluation.dataset_evaluation import DatasetEvaluator
from anygrasp_training.generation import GenerationConfig, Workers, generate_dataset
from anygrasp_training.labels import LabelConfig
from anygrasp_training.labels.object_labels import COLLIDING, cell_rotations
from anygrasp_training.scenes.cameras import CameraConfig
from anygrasp_training.scenes.plan import SceneConfig
from anygrasp_training.scenes.scene import SceneKind
from anygrasp_training.train_cli import main
from anygrasp_training.training import GEOMETRY_CONFIGS, GeometryTrainer, GeometryTrainingConfig
from anygrasp_training.training.checkpoint import CheckpointError
from anygrasp_training.training.geometry_config import AugmentationConfig, SampleConfig
from anygrasp_training.training.geometry_losses import cell_targets
from anygrasp_training.training.geometry_sample import make_sample, nearest_label_views
from anygrasp_training.training.sample_stream import SampleStream
from anygrasp_training.training.scene_targets import SceneTargets
from anygrasp_training.training.verifier_samples import (
    CollectingConfig,
    VerifierSamples,
    collect_samples,
    frame_samples,
    read_samples,
)
from anygrasp_training.training.verifier_trainer import (
    VerifierTrainer,
    VerifierTrainingConfig,
    mirror_grasps,
)

DEBUG = GEOMETRY_CONFIGS["debug"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("training") / "data"
    config = GenerationConfig(
        seed=4,
        object_count=3,
        families=("brick", "carton", "nut"),
        views=2,
        sensor="mixed",
        association_grasps=8,
        scene=SceneConfig(min_objects=3, max_objects=3, kind_shares=((SceneKind.PLATE, 1.0),)),
        camera=CameraConfig(width=160, height=120, focal_px=154.0, max_distance_m=0.5),
        labels=LabelConfig(max_points=40),
    )
    generate_dataset(out, 1, config, Workers(), progress=False)
    return out


@pytest.fixture(scope="module")
def targets(folder) -> SceneTargets:
    return SceneTargets(GraspDataset(folder))


def sample_of(targets: SceneTargets, seed: int, flip: float = 0.0, augment: bool = True):
    config = SampleConfig(augmentation=AugmentationConfig(flip_probability=flip), max_voxels=4000)
    frame = targets.dataset.frame(0, 0)
    return make_sample(frame, targets.of_scene(0), 0.005, config, np.random.default_rng(seed), augment)


def test_free_cells_are_those_that_hold_and_have_room(targets):
    hits = targets.dataset.collisions(0)
    for target, hit in zip(targets.of_scene(0), hits, strict=True):
        codes = target.friction_codes(np.arange(len(hit)))
        free = (target.cells.friction_codes < COLLIDING) & ~hit
        np.testing.assert_array_equal(codes < COLLIDING, free)
        expected = ((target.cells.friction_codes <= 80) & ~hit).mean(axis=(1, 2, 3))
        np.testing.assert_allclose(target.graspness, expected, atol=1e-6)


def test_voxels_know_what_they_lie_on(targets):
    sample = sample_of(targets, 0, augment=False)
    assert sample is not None
    share = (sample.objectness == 1).mean()
    assert 0.02 < share < 0.9
    assert not np.isfinite(sample.graspness[sample.objectness == 0]).any()
    known = sample.graspness[np.isfinite(sample.graspness)]
    assert known.min() == pytest.approx(0.0)
    assert known.max() == pytest.approx(1.0)


def test_seeds_lie_at_label_points_of_their_object(targets):
    sample = sample_of(targets, 1)
    scene = targets.of_scene(0)
    for voxel, index in zip(sample.seeds, sample.seed_objects, strict=True):
        T = sample.T_camera_objects[index]
        points = scene[index].cells.points_m @ T[:3, :3].T + T[:3, 3]
        assert np.linalg.norm(points - sample.cloud.points[voxel], axis=1).min() < 0.006 + 1e-6


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_cell_targets_are_the_labels_in_the_moved_frame(targets, flip):
    """The label cell (view, k) of an object must be cell k' of the target, with the same closing line."""
    sample = sample_of(targets, 2, flip)
    assert np.linalg.det(sample.T_camera_objects[0, :3, :3]) == pytest.approx(-1.0 if flip else 1.0)
    views = sample.view_scores.argmax(axis=1)
    cells = cell_targets(sample, np.arange(len(views)), views)
    np.testing.assert_allclose(np.linalg.det(cells.rotations), 1.0, atol=1e-5)
    assert (cells.scores > 0).any()
    for seed in range(0, len(views), 5):
        index = sample.seed_objects[seed]
        M = sample.T_camera_objects[index, :3, :3]
        label_view = sample.label_views[index, views[seed]]
        for k in range(ANGLE_COUNT):
            mirrored = -k % ANGLE_COUNT if flip else k
            label_frame = M @ cell_rotations()[label_view, mirrored]
            angle = k * np.pi / ANGLE_COUNT
            closing = cells.rotations[seed] @ [0.0, np.cos(angle), np.sin(angle)]
            assert abs(closing @ label_frame[:, 1]) == pytest.approx(1.0, abs=1e-5)
            np.testing.assert_allclose(cells.rotations[seed, :, 0], label_frame[:, 0], atol=1e-5)
            holds = sample.friction_codes[seed, label_view, mirrored] < 100
            np.testing.assert_array_equal(cells.scores[seed, k] > 0, holds)


def test_label_views_follow_the_object():
    assert (nearest_label_views(np.eye(3)) == np.arange(300)).all()
    turn = make_transform(np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]), [0, 0, 0])[:3, :3]
    matched = fibonacci_views()[nearest_label_views(turn)] @ turn.T
    cosines = np.einsum("vi,vi->v", matched, fibonacci_views())
    assert np.degrees(np.arccos(cosines.min())) < 10.0  # views are about 12 degrees apart


def test_a_sample_has_its_number_whatever_the_step_it_is_asked_for_in(folder):
    first = iter(SampleStream([folder], DEBUG))
    next(first)
    second_batch = next(first)
    again = next(iter(SampleStream([folder], DEBUG, first_step=1)))
    for a, b in zip(second_batch, again, strict=True):
        np.testing.assert_array_equal(a.cloud.points, b.cloud.points)
        np.testing.assert_array_equal(a.view_scores, b.view_scores)


def test_two_processes_share_the_samples_of_one_with_twice_the_batch(folder):
    both = next(iter(SampleStream([folder], dataclasses.replace(DEBUG, batch_size=2))))
    halves = [
        next(iter(SampleStream([folder], dataclasses.replace(DEBUG, batch_size=1), rank=rank, world=2)))[0]
        for rank in (0, 1)
    ]
    for a, b in zip(both, halves, strict=True):
        np.testing.assert_array_equal(a.cloud.points, b.cloud.points)


def test_losses_fall_on_one_batch(folder, tmp_path):
    config = dataclasses.replace(DEBUG, learning_rate=5e-3)
    trainer = GeometryTrainer(config, [folder], tmp_path / "run", worker=False)
    batch = next(iter(SampleStream([folder], config)))
    losses = [trainer.step(batch) for _ in range(15)]
    assert losses[-1]["total"] < 0.8 * losses[0]["total"]
    assert all(np.isfinite(list(each.values())).all() for each in losses)


def test_a_run_can_be_resumed_and_goes_on_where_it_was(folder, tmp_path):
    arguments = ["geometry", "--config", "debug", "--dataset", str(folder)]
    assert main([*arguments, "--out", str(tmp_path / "whole"), "--steps", "4"]) == 0
    assert main([*arguments, "--out", str(tmp_path / "parts"), "--steps", "2"]) == 0
    assert main([*arguments, "--out", str(tmp_path / "parts"), "--steps", "4"]) == 1  # not by accident
    assert main([*arguments, "--out", str(tmp_path / "parts"), "--steps", "4", "--resume"]) == 0
    header = (tmp_path / "parts" / "checkpoint.safetensors").read_bytes()
    assert b'\\"step\\": 4' in header[:200_000]
    load_network(tmp_path / "parts" / "geometry.safetensors")


def test_an_interrupted_and_resumed_run_gives_the_same_weights(folder, tmp_path, monkeypatch):
    config = dataclasses.replace(DEBUG, total_steps=4, epoch_steps=4)
    whole = GeometryTrainer(config, [folder], tmp_path / "whole", worker=False).train()
    cut = GeometryTrainer(config, [folder], tmp_path / "cut", worker=False)
    step = cut.step

    def stop_after_two(samples):
        if cut.progress.step == 2:
            raise KeyboardInterrupt
        return step(samples)

    monkeypatch.setattr(cut, "step", stop_after_two)
    with pytest.raises(KeyboardInterrupt):
        cut.train()
    resumed = GeometryTrainer(config, [folder], tmp_path / "cut", resume=True, worker=False).train()
    for a, b in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_torchrun_on_two_processes_equals_one_with_the_doubled_batch(folder, tmp_path):
    """By the gradients, as Adam's first moment has them: its step is hardly more than a sign."""
    arguments = ["geometry", "--config", "debug", "--dataset", str(folder), "--steps", "1"]
    assert main([*arguments, "--batch", "2", "--out", str(tmp_path / "one")]) == 0
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    command += [
        "--rdzv-backend",
        "c10d",
        "--rdzv-endpoint",
        "localhost:0",
        "-m",
        "anygrasp_training.train_cli",
    ]
    command += [*arguments, "--batch", "1", "--out", str(tmp_path / "two")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr[-2000:]
    one, two = (load_file(tmp_path / name / "checkpoint.safetensors") for name in ("one", "two"))
    moments = [name for name in one if name.startswith("optimizer.exp_avg.")]
    assert len(moments) > 50
    for name in moments:
        assert (one[name] - two[name]).norm() <= 0.02 * one[name].norm() + 1e-7, name
    assert {name for name in one if name.startswith("network.")} == {
        n for n in two if n.startswith("network.")
    }


def test_a_checkpoint_of_another_network_is_refused(folder, tmp_path):
    GeometryTrainer(dataclasses.replace(DEBUG, total_steps=1), [folder], tmp_path, worker=False).train()
    other = dataclasses.replace(DEBUG, network=dataclasses.replace(DEBUG.network, head_channels=8))
    with pytest.raises(CheckpointError, match="another network"):
        GeometryTrainer(other, [folder], tmp_path, resume=True)


def test_a_torn_checkpoint_says_what_to_do(folder, tmp_path):
    (tmp_path / "checkpoint.safetensors").write_bytes(b"torn")
    with pytest.raises(CheckpointError, match="delete it to start anew"):
        GeometryTrainer(DEBUG, [folder], tmp_path, resume=True)


def test_every_epoch_leaves_a_picture_and_figures(folder, tmp_path):
    config = dataclasses.replace(DEBUG, total_steps=2, epoch_steps=2)
    GeometryTrainer(config, [folder], tmp_path, validation=folder, worker=False).train()
    assert (tmp_path / "epoch_001.png").is_file()
    lines = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert lines[-1]["frames"] == 1
    assert list((tmp_path / "log").iterdir())


def test_a_wrong_folder_is_one_line(tmp_path, capsys):
    arguments = ["geometry", "--config", "debug", "--dataset", str(tmp_path), "--out", str(tmp_path / "run")]
    assert main(arguments) == 1
    assert "no GraspNet-style dataset" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("field", "value"), [("batch_size", 0), ("learning_rate", 0.0), ("hours", -1.0), ("own_view_share", 2.0)]
)
def test_configs_refuse_nonsense(field, value):
    with pytest.raises(ValueError, match=field):
        GeometryTrainingConfig(**{field: value})


def test_the_rate_decays_to_zero_by_steps_or_by_hours():
    config = GeometryTrainingConfig(total_steps=10)
    assert config.rate(0.0) == pytest.approx(1e-3)
    assert config.rate(config.progress(5, 0.0)) == pytest.approx(1e-3 * 0.5**0.9)
    assert config.rate(config.progress(10, 0.0)) == 0.0
    timed = GeometryTrainingConfig(hours=2.0)
    assert timed.progress(10_000_000, 3600.0) == pytest.approx(0.5)


def test_weights_can_be_trained_on(folder, tmp_path):
    network = GraspNetwork(NETWORK_CONFIGS["debug"])
    save_network(network, tmp_path / "start.safetensors")
    trainer = GeometryTrainer(DEBUG, [folder], tmp_path / "run", start_from=tmp_path / "start.safetensors")
    torch.testing.assert_close(trainer.network.state_dict(), network.state_dict())


@pytest.fixture(scope="module")
def collected(folder, tmp_path_factory):
    """Samples of both frames, with what the shipped verifier likes among them."""
    config = CollectingConfig(frames=2, grasps=30, refined=20, openings=25)
    out = tmp_path_factory.mktemp("samples")
    return collect_samples(NetworkDetector(), [folder], out, config), config


def test_samples_are_judged_by_the_meshes(folder, collected):
    files, config = collected
    samples = read_samples(files)
    assert len(files) == 2
    assert 60 < len(samples) <= 2 * (30 * 4 + 20 + 25)
    holds = samples.friction <= 1.2
    assert holds.shape[1] == 5
    assert 0.02 < holds[:, 0].mean() < 0.98
    agree = (holds[:, 0] == holds[:, 1]).mean()
    assert 0.6 < agree < 1.0  # a little off is mostly, not always, as good
    assert samples.crops.shape[1:] == (64, 6)
    assert np.isfinite(samples.crops).all()
    dataset = GraspDataset(folder)
    view = int(files[0].stem.split("_")[-2])
    again = frame_samples(NetworkDetector(), dataset, DatasetEvaluator(dataset), 0, view, config)
    first = read_samples(files[:1])
    np.testing.assert_array_equal(again.friction, first.friction)
    np.testing.assert_array_equal(again.crops, first.crops)
    fewer = dataclasses.replace(config, openings=0)
    without = frame_samples(NetworkDetector(), dataset, DatasetEvaluator(dataset), 0, view, fewer)
    assert len(again) - 25 <= len(without) < len(again)


def test_frames_collected_before_are_kept(folder, collected):
    files, config = collected
    before = [path.stat().st_mtime_ns for path in files]
    assert sorted(collect_samples(NetworkDetector(), [folder], files[0].parent, config)) == sorted(files)
    assert [path.stat().st_mtime_ns for path in files] == before


def test_torn_samples_name_the_file(tmp_path):
    (tmp_path / "torn.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(DatasetError, match=r"torn.npz: no samples of a verifier.*delete it"):
        read_samples([tmp_path / "torn.npz"])


def toy_samples(count=2000) -> VerifierSamples:
    """A grasp holds at the friction 0.5 when its points lie ahead of the fingertips."""
    rng = np.random.default_rng(0)
    crops = rng.uniform(-0.02, 0.02, (count, 64, 6)).astype(np.float32)
    crops[:, :, 0] += rng.choice([-0.03, 0.03], (count, 1))
    holds = crops[:, :, 0].mean(axis=1) > 0
    context = np.tile(np.array([2, 1, 1, 0, 0], dtype=np.float32), (count, 1))
    friction = np.where(holds, 0.5, np.inf).astype(np.float32)
    # A little off its plan, half as often.
    judged = np.column_stack([friction, friction, np.full_like(friction, np.inf)])
    judged[::3, 1:] = np.nan
    return VerifierSamples(crops.astype(np.float16), context, judged, np.arange(count) % 16)


def test_a_verifier_learns_what_holds_at_which_friction(tmp_path):
    trainer = VerifierTrainer(
        VerifierTrainingConfig(epochs=3, batch_size=64), toy_samples(), tmp_path / "run"
    )
    verifier = trainer.train()
    figures = trainer.evaluate()
    assert figures["correlation"] > 0.9
    assert figures["best_tenth"] == pytest.approx(4 / 6, abs=0.02)  # 0.6 to 1.2 hold, 0.2 and 0.4 do not
    loaded = load_verifier(tmp_path / "run" / "verifier.safetensors")
    assert torch.equal(loaded.first.weight, verifier.first.weight)
    samples = toy_samples()
    with torch.inference_mode():
        logits = loaded(torch.from_numpy(samples.crops).float(), torch.from_numpy(samples.context))
    said = torch.sigmoid(logits).numpy()
    holds = np.isfinite(samples.friction[:, 0])
    np.testing.assert_allclose(
        said[holds].mean(axis=0), [0, 0, 1, 1, 1, 1, 0, 0, 0.5, 0.5, 0.5, 0.5], atol=0.2
    )
    np.testing.assert_allclose(said[~holds].mean(axis=0), 0, atol=0.2)


def test_a_verifier_stopped_between_epochs_ends_the_same(tmp_path):
    config = VerifierTrainingConfig(epochs=2, batch_size=256)
    whole = VerifierTrainer(config, toy_samples(), tmp_path / "whole").train()
    trainer = VerifierTrainer(config, toy_samples(), tmp_path / "halved")

    def stop(*_):
        raise KeyboardInterrupt

    end_epoch = trainer._end_epoch
    trainer._end_epoch = lambda *arguments: (end_epoch(*arguments), stop())
    with pytest.raises(KeyboardInterrupt):
        trainer.train()
    with pytest.raises(FileExistsError, match="--resume"):
        VerifierTrainer(config, toy_samples(), tmp_path / "halved")
    resumed = VerifierTrainer(config, toy_samples(), tmp_path / "halved", resume=True).train()
    for name, tensor in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], tensor)


def test_a_grasp_seen_in_the_mirror_is_one_of_the_mirrored_scene():
    rng = np.random.default_rng(3)
    points = torch.from_numpy(rng.normal(size=(4, 7, 6)).astype(np.float32))
    context = torch.from_numpy(rng.normal(size=(4, 5)).astype(np.float32))
    signs = torch.tensor([[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])
    crops, there = mirror_grasps(points, context, signs)
    for row, (y, z) in enumerate(signs.tolist()):
        torch.testing.assert_close(crops[row], points[row] * torch.tensor([1, y, z, 1, y, z]))
        torch.testing.assert_close(there[row], context[row] * torch.tensor([1, 1, 1, y, z]))


def test_verifier_from_the_command_line(folder, tmp_path, capsys):
    options = ["verifier", "--dataset", str(folder), "--out", str(tmp_path / "run"), "--frames", "1"]
    assert main([*options, "--epochs", "1", "--batch", "32"]) == 0
    assert "verifier.safetensors: 1 frames, 1 epochs" in capsys.readouterr().out
    assert main(options) == 1
    assert "--resume" in capsys.readouterr().err
    assert main([*options, "--resume", "--samples", str(tmp_path)]) == 1
    assert "no samples" in capsys.readouterr().err
