# SPDX-License-Identifier: Apache-2.0
"""The training loop of the association network, on what the frozen geometry network saw; resumable."""

from __future__ import annotations

import dataclasses
import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from anygrasp_perception.network.weights import load_network
from anygrasp_tracking.association_config import AssociationNetworkConfig
from anygrasp_tracking.association_network import AssociationNetwork
from anygrasp_tracking.association_weights import geometry_digest, save_association
from anygrasp_training.association.contrastive import contrastive_loss, recall_at_1
from anygrasp_training.association.pairs import PairConfig, PairSampler, PairSide, TrainingPair
from anygrasp_training.association.seen_dataset import SeeingConfig, SeenScene, see_dataset
from anygrasp_training.generation.workers import Workers
from anygrasp_training.training.checkpoint import (
    Progress,
    begin_or_resume,
    checkpoint_path,
    save_checkpoint,
)

__all__ = ["AssociationTrainer", "AssociationTrainingConfig"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class AssociationTrainingConfig:
    """A run. Raises ValueError on values out of range."""

    seeing: SeeingConfig = field(default_factory=SeeingConfig)
    pairs: PairConfig = field(default_factory=PairConfig)
    seed: int = 0
    batch_pairs: int = 4  # paper IV-C
    learning_rate: float = 1e-3  # paper IV-C
    poly_power: float = 0.9  # of the decay to zero, paper IV-C
    temperature: float = 0.1  # tau of Eq. 7
    total_steps: int = 2000
    epoch_steps: int = 250  # between two validations
    validation_share: float = 0.1  # of the scenes, every tenth, that are not trained on
    validation_pairs: int = 16

    def __post_init__(self) -> None:
        for name in ("batch_pairs", "total_steps", "epoch_steps", "validation_pairs"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"AssociationTrainingConfig.{name} must be 1 or more, got {getattr(self, name)}"
                )
        for name in ("learning_rate", "temperature"):
            if not getattr(self, name) > 0:
                raise ValueError(
                    f"AssociationTrainingConfig.{name} must be positive, got {getattr(self, name)}"
                )
        if not 0 <= self.validation_share <= 0.5:
            raise ValueError(
                f"AssociationTrainingConfig.validation_share must be in [0, 0.5], got {self.validation_share}"
            )


class AssociationTrainer:
    """One run in one folder, which gets what was seen, a checkpoint, weights and a history."""

    def __init__(
        self,
        config: AssociationTrainingConfig,
        geometry: Path,
        datasets: Sequence[Path],
        out: Path,
        resume: bool = False,
        workers: Workers | None = None,
        progress: bool = True,
    ) -> None:
        """See the frames that were not seen yet, and prepare a run, or go on with the one in `out`.

        Raises DatasetError, WeightsError, CheckpointError, ValueError on scenes nothing can be learnt from,
        FileExistsError when `out` holds a run and `resume` is false.
        """
        self.config, self.out, self._progress_bar = config, out, progress
        sizes = load_network(geometry).config
        self._digest = geometry_digest(geometry)
        torch.manual_seed(config.seed)
        self.network = AssociationNetwork(
            AssociationNetworkConfig(seed_channels=sizes.feature_channels, grasp_channels=sizes.head_channels)
        )
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=config.learning_rate)
        self._checkpoint = checkpoint_path(out, resume)
        out.mkdir(parents=True, exist_ok=True)
        self.progress = begin_or_resume(self._checkpoint, self.network, self.optimizer, self._network_text())
        scenes: list[SeenScene] = []
        for root in datasets:
            scenes += see_dataset(root, geometry, out / "seen", config.seeing, workers or Workers(), progress)
        every = round(1 / config.validation_share) if config.validation_share else len(scenes) + 1
        held_out = [scene for number, scene in enumerate(scenes) if number % every == every - 1]
        trained = [scene for number, scene in enumerate(scenes) if number % every != every - 1]
        self._sampler = PairSampler(trained, self.network.config, config.pairs)
        self._validation = (
            PairSampler(held_out, self.network.config, config.pairs).all_pairs(config.validation_pairs)
            if held_out
            else []
        )
        self.frames = sum(len(scene.frames) for scene in scenes)

    def train(self) -> AssociationNetwork:
        """Train to the end of the schedule; an interrupt leaves a checkpoint. Returns the network."""
        config = self.config
        _log.info("%d frames, %d pairs to train on", self.frames, len(self._sampler))
        clock, losses = time.monotonic(), []
        try:
            steps = range(self.progress.step, config.total_steps)
            for step in tqdm(
                steps, desc="training", initial=steps.start, total=steps.stop, disable=not self._progress_bar
            ):
                losses.append(self.step())
                now = time.monotonic()
                self.progress = Progress(step + 1, self.progress.elapsed_s + now - clock)
                clock = now
                if (step + 1) % config.epoch_steps == 0 or step + 1 == config.total_steps:
                    self._end_epoch(float(np.mean(losses)))
                    losses = []
                    clock = time.monotonic()
        finally:
            self._save_checkpoint()
        return self.network

    def step(self) -> float:
        """Make one optimisation step; returns its loss."""
        config = self.config
        rate = config.learning_rate * (1 - self.progress.step / config.total_steps) ** config.poly_power
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        rng = np.random.default_rng([config.seed, 37, self.progress.step])
        pairs = [self._sampler.draw(rng) for _ in range(config.batch_pairs)]
        self.network.train()
        losses = []
        for pair, (first, second) in zip(pairs, self._features(pairs), strict=True):
            losses.append(contrastive_loss(first, second, pair.same, config.temperature))
            losses.append(contrastive_loss(second, first, pair.same.T, config.temperature))
        loss = torch.stack(losses).mean()
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return float(loss.detach())

    @torch.inference_mode()
    def validate(self) -> float:
        """Share of grasps, of scenes not trained on, that are found again; NaN without such scenes."""
        self.network.eval()
        features = self._features(self._validation)
        recalls = [
            recall_at_1(first, second, pair.same)
            for pair, (first, second) in zip(self._validation, features, strict=True)
        ]
        return float(np.nanmean(recalls)) if recalls else float("nan")

    def _features(self, pairs: list[TrainingPair]) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Features of both frames of each pair, all at once."""
        sides = [side for pair in pairs for side in (pair.first, pair.second)]
        if not sides:
            return []
        joined = self.network(
            *(torch.cat([getattr(side, f.name) for side in sides]) for f in dataclasses.fields(PairSide))
        )
        parts = joined.split([len(side.seed) for side in sides])
        return list(zip(parts[::2], parts[1::2], strict=True))

    def _end_epoch(self, loss: float) -> None:
        recall = self.validate()
        step = self.progress.step
        notes = {
            "step": str(step),
            "geometry_sha256": self._digest,
            "recall_at_1": f"{recall:.4f}",
            "frames": str(self.frames),
        }
        save_association(self.network, self.out / "association.safetensors", notes)
        self._save_checkpoint()
        _log.info("step %d: loss %.3f, found again %.1f %%", step, loss, 100 * recall)
        with (self.out / "history.jsonl").open("a", encoding="utf-8") as file:
            line = {"step": step, "loss": round(loss, 4), "recall_at_1": round(recall, 4)}
            file.write(json.dumps({**line, "elapsed_s": round(self.progress.elapsed_s, 1)}) + "\n")

    def _save_checkpoint(self) -> None:
        save_checkpoint(self._checkpoint, self.network, self.optimizer, self.progress, self._network_text())

    def _network_text(self) -> str:
        return json.dumps({**dataclasses.asdict(self.network.config), "geometry": self._digest})
