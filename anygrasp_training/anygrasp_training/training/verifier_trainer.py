# SPDX-License-Identifier: Apache-2.0
"""Trains the verifier on collected grasps: for each friction coefficient, does a grasp hold?"""

from __future__ import annotations

import dataclasses
import json
import logging
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from anygrasp_perception.arrays import Float32Array, Float64Array, IntpArray
from anygrasp_perception.network.matmul import fast_float32
from anygrasp_perception.network.verifier import GraspVerifier, VerifierConfig
from anygrasp_perception.network.weights import load_verifier, save_verifier
from anygrasp_training.training.checkpoint import (
    Progress,
    begin_or_resume,
    checkpoint_path,
    save_checkpoint,
)
from anygrasp_training.training.verifier_samples import VerifierSamples

__all__ = ["VerifierTrainer", "VerifierTrainingConfig", "mirror_grasps"]

_HELD_OUT = 8  # every so many scenes, one is held out
_JUDGED_AT_ONCE = 1024
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class VerifierTrainingConfig:
    """A run. Raises ValueError on values out of range."""

    network: VerifierConfig = field(default_factory=VerifierConfig)
    seed: int = 0
    epochs: int = 6
    batch_size: int = 256
    learning_rate: float = 1e-3
    weight_decay: float = 1e-5
    poly_power: float = 0.9  # of the decay to zero
    jitter_m: float = 0.0004  # of the points, each time they are seen

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"VerifierTrainingConfig.{name} must be at least 1, got {getattr(self, name)}"
                )
        for name in ("learning_rate", "poly_power"):
            if not getattr(self, name) > 0:
                raise ValueError(f"VerifierTrainingConfig.{name} must be positive, got {getattr(self, name)}")
        for name in ("weight_decay", "jitter_m"):
            if not getattr(self, name) >= 0:
                raise ValueError(
                    f"VerifierTrainingConfig.{name} must be 0 or more, got {getattr(self, name)}"
                )


class VerifierTrainer:
    """One run in one folder, which gets a checkpoint, weights, a log and a history."""

    def __init__(
        self,
        config: VerifierTrainingConfig,
        samples: VerifierSamples,
        out: Path,
        start_from: Path | None = None,
        resume: bool = False,
    ) -> None:
        """Prepare a run, or go on with the one in `out` when `resume`; `start_from`: weights to begin with.

        Raises CheckpointError, WeightsError, FileExistsError when `out` holds a run and `resume` is false.
        """
        torch.manual_seed(config.seed)
        self.config, self.out = config, out
        self.verifier = GraspVerifier(config.network) if start_from is None else load_verifier(start_from)
        self.optimizer = torch.optim.Adam(
            self.verifier.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        scenes = np.unique(samples.scenes)
        held_out = np.isin(samples.scenes, scenes[::_HELD_OUT]) if len(scenes) > 1 else samples.scenes < 0
        self._train, self._test = np.flatnonzero(~held_out), np.flatnonzero(held_out)
        self._crops = torch.from_numpy(samples.crops)
        self._context = torch.from_numpy(samples.context)
        self._holds, self._known = _targets(samples.friction, self.verifier.config)
        self._checkpoint = checkpoint_path(out, resume)
        out.mkdir(parents=True, exist_ok=True)
        self.progress = begin_or_resume(self._checkpoint, self.verifier, self.optimizer, self._network_text())

    def train(self) -> GraspVerifier:
        """Train to the end of the schedule, with weights after each epoch. Returns the verifier."""
        config, size = self.config, self.config.batch_size
        steps = max(1, len(self._train) // size)
        first = self.progress.step // steps
        clock = time.monotonic()
        with SummaryWriter(self.out / "log") as writer, fast_float32():
            for epoch in range(first, config.epochs):
                rng = np.random.default_rng([config.seed, 29, epoch])
                order = rng.permutation(self._train)
                losses = []
                for step in tqdm(range(steps), desc=f"epoch {epoch + 1} of {config.epochs}", unit="steps"):
                    done = (epoch * steps + step) / (config.epochs * steps)
                    for parameters in self.optimizer.param_groups:
                        parameters["lr"] = config.learning_rate * (1 - done) ** config.poly_power
                    losses.append(self.step(order[step * size : (step + 1) * size], rng))
                now = time.monotonic()
                self.progress = Progress((epoch + 1) * steps, self.progress.elapsed_s + now - clock)
                clock = now
                self._end_epoch(writer, epoch, float(np.mean(losses)))
        return self.verifier.eval()

    def step(self, rows: IntpArray, rng: np.random.Generator) -> float:
        """Make one optimisation step on the samples `rows`; returns the loss before it."""
        self.verifier.train()
        index = torch.from_numpy(rows)
        crops, context = self._crops[index].float(), self._context[index]
        signs = torch.from_numpy(rng.choice(np.array([-1.0, 1.0], dtype=np.float32), (len(rows), 2)))
        crops, context = mirror_grasps(crops, context, signs)
        noise = torch.from_numpy(rng.standard_normal((*crops.shape[:2], 3), dtype=np.float32))
        crops[:, :, :3] += self.config.jitter_m * noise
        loss = functional.binary_cross_entropy_with_logits(
            self.verifier(crops, context), self._holds[index], self._known[index]
        )
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return loss.item()

    def evaluate(self) -> dict[str, float]:
        """Loss on the held-out scenes, correlation of score and truth, and precision of the best tenth."""
        if len(self._test) == 0:
            return {}
        logits = self._logits(self._test)
        index = torch.from_numpy(self._test)
        truth, known = self._holds[index], self._known[index]
        score = torch.sigmoid(logits).mean(dim=1).numpy().astype(np.float64)
        # As planned: what the benchmark's AP counts.
        right: Float64Array = truth[:, : truth.shape[1] // 2].mean(dim=1).numpy().astype(np.float64)
        best = np.argsort(-score)[: max(1, len(score) // 10)]
        return {
            "held_out_loss": functional.binary_cross_entropy_with_logits(logits, truth, known).item(),
            "correlation": float(np.corrcoef(score, right)[0, 1]) if score.std() and right.std() else 0.0,
            "best_tenth": float(right[best].mean()),
            "all": float(right.mean()),
        }

    @torch.inference_mode()
    def _logits(self, rows: IntpArray) -> Tensor:
        self.verifier.eval()
        parts = []
        for start in range(0, len(rows), _JUDGED_AT_ONCE):
            index = torch.from_numpy(rows[start : start + _JUDGED_AT_ONCE])
            parts.append(self.verifier(self._crops[index].float(), self._context[index]))
        return torch.cat(parts).clone()

    def _end_epoch(self, writer: SummaryWriter, epoch: int, loss: float) -> None:
        figures = {"loss": loss, **self.evaluate()}
        save_verifier(self.verifier, self.out / "verifier.safetensors", {"epochs": str(epoch + 1)})
        save_checkpoint(self._checkpoint, self.verifier, self.optimizer, self.progress, self._network_text())
        for name, value in figures.items():
            writer.add_scalar(f"verifier/{name}", value, epoch + 1)
        line = {"epoch": epoch + 1, "elapsed_s": round(self.progress.elapsed_s), **figures}
        with (self.out / "history.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({key: round(value, 5) for key, value in line.items()}) + "\n")
        _log.info("  ".join(f"{name} {value:.3f}" for name, value in figures.items()))

    def _network_text(self) -> str:
        return json.dumps(dataclasses.asdict(self.verifier.config))


def _targets(friction: Float32Array, config: VerifierConfig) -> tuple[Tensor, Tensor]:
    """What the verifier is to say of grasps (G, 2 x frictions), and 1 where that is known, else 0.

    From the frictions (G, 1 + T) needed as planned and a little off.
    """
    holds = friction[:, :, None] <= np.asarray(config.frictions, dtype=np.float32)
    count = len(config.frictions)
    known = np.ones((len(friction), 2 * count), dtype=np.float32)
    off = holds[:, 1:].mean(axis=1) if friction.shape[1] > 1 else np.zeros_like(holds[:, 0])
    judged = friction.shape[1] > 1 and ~np.isnan(friction[:, 1:]).any(axis=1)
    known[:, count:] = np.broadcast_to(judged, len(friction))[:, None]
    targets = np.concatenate([holds[:, 0], off], axis=1).astype(np.float32)
    return torch.from_numpy(targets), torch.from_numpy(known)


def mirror_grasps(crops: Tensor, context: Tensor, signs: Tensor) -> tuple[Tensor, Tensor]:
    """Mirror crops (G, K, 6) and contexts (G, 5) along y and z by `signs` (G, 2): grasps hold as before.

    The gripper is the same seen in the mirror; both signs negative is its half turn about the approach.
    """
    flip = torch.cat([torch.ones_like(signs[:, :1]), signs], dim=1)
    crops = crops * torch.cat([flip, flip], dim=1)[:, None]
    return crops, torch.cat([context[:, :2], context[:, 2:] * flip], dim=1)
