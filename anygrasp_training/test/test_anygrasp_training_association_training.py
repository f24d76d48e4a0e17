# SPDX-License-Identifier: Apache-2.0
import dataclasses
import json
import math

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from anygrasp_perception.network import NETWORK_CONFIGS, GraspNetwork, save_network
from anygrasp_tracking.association_config import AssociationNetworkConfig
from anygrasp_tracking.association_weights import geometry_digest, load_association, read_header
from anygrasp_training.association.contrastive import contrastive_loss, recall_at_1
from anygrasp_training.association.pairs import PairConfig, PairSampler
from anygrasp_training.association.seen_dataset import SeeingConfig, see_dataset
from anygrasp_training.association.seen_frame import load_seen_frame, without_objects
from anygrasp_training.association.trainer import AssociationTrainer, AssociationTrainingConfig
from anygrasp_training.dataset import GraspDataset
from anygrasp_training.generation import Workers
from anygrasp_training.scenes.cameras import CameraConfig
from anygrasp_training.sequences import SequenceConfig, generate_sequence
from anygrasp_training.train_cli import main
from anygrasp_training.training.checkpoint import CheckpointError

STEPS = 4
CONFIG = AssociationTrainingConfig(
    total_steps=STEPS, epoch_steps=2, batch_pairs=2, validation_share=0.0, pairs=PairConfig(max_grasps=40)
)


def unit(*rows):
    return torch.nn.functional.normalize(torch.tensor(rows, dtype=torch.float64), dim=1)


def test_the_loss_is_that_of_equation_7_by_hand():
    first, second = unit([1.0, 0], [0, 1]), unit([1.0, 0], [0, 1], [-1, 0])
    same = torch.tensor([[True, False, True], [False, False, False]])
    # Cosines of the first grasp: 1, 0, -1; over tau 0.5: 2, 0, -2. The second is found nowhere.
    total = math.log(math.exp(2) + math.exp(0) + math.exp(-2))
    expected = -((2 - total) + (-2 - total)) / 2
    assert float(contrastive_loss(first, second, same, 0.5)) == pytest.approx(expected)


def test_the_loss_falls_as_the_same_grasps_become_alike():
    same = torch.eye(3, dtype=torch.bool)
    apart = unit([1.0, 0, 0], [0, 1, 0], [0, 0, 1])
    losses = [float(contrastive_loss(apart, other, same)) for other in (apart, apart.roll(1, 0))]
    assert losses[0] < 1e-3 < 5 < losses[1]
    assert recall_at_1(apart, apart, same) == 1.0
    assert recall_at_1(apart, apart.roll(1, 0), same) == 0.0


def test_where_nothing_is_found_again_there_is_nothing_to_learn():
    first = unit([1.0, 0]).requires_grad_()
    loss = contrastive_loss(first, unit([0.0, 1]), torch.zeros((1, 1), dtype=torch.bool))
    loss.backward()
    assert float(loss.detach()) == 0.0
    assert not first.grad.any()
    assert math.isnan(recall_at_1(first, first, torch.zeros((1, 1), dtype=torch.bool)))
    with pytest.raises(ValueError, match="temperature"):
        contrastive_loss(first, first, torch.ones((1, 1), dtype=torch.bool), 0.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two films and a geometry network that calls everything graspable."""
    root = tmp_path_factory.mktemp("association")
    config = SequenceConfig(
        seed=5,
        frames=3,
        rate_hz=5.0,
        fish_share=0.0,
        alike_share=1.0,
        sensor="clean",
        camera=CameraConfig(width=160, height=120, focal_px=150.0),
    )
    for number in range(2):
        generate_sequence(root / "films", config, number)
    torch.manual_seed(0)
    network = GraspNetwork(NETWORK_CONFIGS["debug"])
    with torch.no_grad():
        network.point_head.out.bias.copy_(torch.tensor([0.0, 4.0, 0.5]))
        network.crop_head.out.bias[:60] = 0.0
        network.crop_head.out.bias[60:120] = 0.7
    save_network(network, root / "geometry.safetensors")
    return root


@pytest.fixture(scope="module")
def finished(folder):
    """A run from begin to end."""
    return run(folder, folder / "whole")


def run(folder, out, resume=False, config=CONFIG):
    trainer = AssociationTrainer(
        config, folder / "geometry.safetensors", [folder / "films"], out, resume, progress=False
    )
    trainer.train()
    return trainer


def test_objects_are_taken_off_whole_and_never_more_than_half(folder):
    frame = GraspDataset(folder / "films").frame(0, 0)
    seen = {int(i) for i in np.unique(frame.label)} - {0}
    for seed in range(5):
        left = without_objects(frame, 1.0, np.random.default_rng(seed))
        gone = seen - {int(i) for i in np.unique(left.label)}
        assert len(frame.object_ids) - len(gone) >= len(frame.object_ids) / 2
        assert not left.depth_m[np.isin(frame.label, list(gone))].any()
        kept = ~np.isin(frame.label, list(gone))
        np.testing.assert_array_equal(left.depth_m[kept], frame.depth_m[kept])
    assert without_objects(frame, 0.0, np.random.default_rng(0)) is frame


def test_what_was_seen_is_kept_and_on_the_right_objects(folder, finished):
    (path, *_) = sorted((folder / "whole" / "seen").glob("*/scene_0000/0000.npz"))
    stamp = path.stat().st_mtime_ns
    scenes = see_dataset(
        folder / "films",
        folder / "geometry.safetensors",
        folder / "whole" / "seen",
        CONFIG.seeing,
        Workers(),
        progress=False,
    )
    assert [len(scene.frames) for scene in scenes] == [3, 3]
    assert path.stat().st_mtime_ns == stamp  # not seen again
    np.testing.assert_array_equal(load_seen_frame(path).grasps.scores, scenes[0].frames[0].grasps.scores)
    checked = 0
    for seen in (frame for scene in scenes for frame in scene.frames):
        origins = {int(i): T[:3, 3] for i, T in zip(seen.object_ids, seen.T_camera_objects, strict=True)}
        for grasp in seen.grasps[seen.grasps.object_ids >= 0]:
            apart = {i: np.linalg.norm(grasp.translations[0] - p) for i, p in origins.items()}
            assert apart[int(grasp.object_ids[0])] < min(apart.values()) + 0.08
            checked += 1
    assert checked > 0


def test_pairs_say_what_is_the_same_and_move_with_their_objects(folder, finished):
    scenes = see_dataset(
        folder / "films",
        folder / "geometry.safetensors",
        folder / "whole" / "seen",
        CONFIG.seeing,
        Workers(),
        progress=False,
    )
    network = AssociationNetworkConfig(seed_channels=16, grasp_channels=16)
    still = PairConfig(max_grasps=1000, shift_m=0.0, object_shift_m=0.0, light=0.0)
    sampler = PairSampler(scenes, network, still)
    assert 1 <= len(sampler) <= 6  # three pairs of moments a film, of those with grasps on objects
    pair = sampler.draw(np.random.default_rng(0))
    assert pair.same.shape == (len(pair.first.seed), len(pair.second.seed))
    assert not pair.same.all()  # an untrained network finds few of the same
    moved = PairSampler(scenes, network, dataclasses.replace(still, shift_m=0.2)).draw(
        np.random.default_rng(0)
    )
    offsets = [a.pose - b.pose for a, b in ((moved.first, pair.first), (moved.second, pair.second))]
    assert float(offsets[0][:, :9].abs().max()) == 0.0
    for offset in offsets:  # both frames alike
        torch.testing.assert_close(offset[:, 9:], offsets[0][:1, 9:].expand(len(offset), 3))


def test_a_run_leaves_weights_that_know_their_geometry_network(folder, finished):
    weights = folder / "whole" / "association.safetensors"
    header = read_header(weights)
    assert header["geometry_sha256"] == geometry_digest(folder / "geometry.safetensors")
    assert header["step"] == str(STEPS)
    config = load_association(weights).config
    assert (config.seed_channels, config.grasp_channels) == (16, 16)
    history = [json.loads(line) for line in (folder / "whole" / "history.jsonl").read_text().splitlines()]
    assert [line["step"] for line in history] == [2, 4]
    assert all(math.isfinite(line["loss"]) for line in history)


def test_a_killed_run_goes_on_as_if_it_had_not_been(folder, finished, monkeypatch):
    out = folder / "killed"
    (out).mkdir()
    (out / "seen").symlink_to(folder / "whole" / "seen")
    original, calls = AssociationTrainer.step, []

    def step(self):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return original(self)

    monkeypatch.setattr(AssociationTrainer, "step", step)
    with pytest.raises(KeyboardInterrupt):
        run(folder, out)
    monkeypatch.undo()
    with pytest.raises(FileExistsError, match="--resume"):
        run(folder, out)
    assert run(folder, out, resume=True).progress.step == STEPS
    whole, resumed = (load_file(folder / name / "association.safetensors") for name in ("whole", "killed"))
    for name, tensor in whole.items():
        torch.testing.assert_close(resumed[name], tensor)


def test_a_run_is_not_resumed_with_other_geometry_weights(folder, finished, tmp_path):
    out = tmp_path / "other"
    out.mkdir()
    (out / "checkpoint.safetensors").write_bytes((folder / "whole/checkpoint.safetensors").read_bytes())
    save_network(GraspNetwork(NETWORK_CONFIGS["debug"]), tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match="another network"):
        AssociationTrainer(
            CONFIG, tmp_path / "other.safetensors", [folder / "films"], out, True, progress=False
        )


def test_the_command_line_reports_errors_in_one_line(folder, tmp_path, capsys):
    arguments = ["association", "--dataset", str(tmp_path / "none"), "--out", str(tmp_path / "run")]
    assert main([*arguments, "--geometry", str(folder / "geometry.safetensors")]) == 1
    assert "no GraspNet-style dataset" in capsys.readouterr().err
    assert main([*arguments, "--geometry", str(tmp_path / "missing")]) == 1
    assert "no such weights" in capsys.readouterr().err


@pytest.mark.parametrize(
    "make",
    [
        lambda: AssociationTrainingConfig(temperature=0.0),
        lambda: AssociationTrainingConfig(total_steps=0),
        lambda: AssociationTrainingConfig(validation_share=0.9),
        lambda: SeeingConfig(views_per_scene=1),
        lambda: SeeingConfig(drop_probability=1.5),
        lambda: PairConfig(max_grasps=1),
        lambda: PairConfig(light=-0.1),
    ],
)
def test_configs_that_cannot_work_are_refused(make):
    with pytest.raises(ValueError, match=r"must be"):
        make()
