# SPDX-License-Identifier: Apache-2.0
"""The training loop of the geometry module: resumable, logged, looked at after every epoch."""

from __future__ import annotations

import dataclasses
import json
import logging
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from anygrasp_perception.network.grasp_network import GraspNetwork
from anygrasp_perception.network.matmul import fast_float32
from anygrasp_perception.network.voxel_cloud import VoxelBatch
from anygrasp_perception.network.weights import load_network, save_network
from anygrasp_training.training.checkpoint import (
    Progress,
    begin_or_resume,
    checkpoint_path,
    save_checkpoint,
)
from anygrasp_training.training.geometry_config import GeometryTrainingConfig
from anygrasp_training.training.geometry_losses import cloud_losses, weighted_sum
from anygrasp_training.training.geometry_sample import GeometrySample
from anygrasp_training.training.parallel import ProcessGroup, share_batch_statistics
from anygrasp_training.training.sample_stream import SampleStream, sample_batches
from anygrasp_training.training.validation import validate

__all__ = ["GeometryTrainer"]

_LOG_STEPS = 20
_log = logging.getLogger(__name__)


class GeometryTrainer:
    """One run in one folder, which gets a checkpoint, weights, a log, a history and pictures."""

    def __init__(
        self,
        config: GeometryTrainingConfig,
        datasets: Sequence[Path],
        out: Path,
        validation: Path | None = None,
        start_from: Path | None = None,
        group: ProcessGroup | None = None,
        resume: bool = False,
        worker: bool = True,
    ) -> None:
        """Prepare a run, or go on with the one in `out` when `resume`; `start_from`: weights to begin with.

        Raises CheckpointError, WeightsError, FileExistsError when `out` holds a run and `resume` is false.
        """
        self.config, self.out, self.validation = config, out, validation
        self.group = group = group or ProcessGroup()
        torch.manual_seed(config.seed)
        if start_from is None:
            self.network = GraspNetwork(config.network)
        else:
            self.network = load_network(start_from, fold=False)
            self.config = config = dataclasses.replace(config, network=self.network.config)
        if group.world > 1:
            # Only there: the cylinders are normalised cloud by cloud, in one process too.
            share_batch_statistics(self.network.backbone)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=config.learning_rate)
        self._checkpoint = checkpoint_path(out, resume)
        out.mkdir(parents=True, exist_ok=True)
        self.progress = begin_or_resume(self._checkpoint, self.network, self.optimizer, self._network_text())
        self._stream = SampleStream(datasets, config, self.progress.step, group.rank, group.world)
        self._worker = worker

    def train(self) -> GraspNetwork:
        """Train to the end of the schedule; an interrupt leaves a checkpoint. Returns the network."""
        writer = SummaryWriter(self.out / "log") if self.group.leads else None
        bar = tqdm(
            total=100,
            desc="training",
            unit="%",
            disable=not self.group.leads,
            bar_format="{l_bar}{bar}|{postfix}",
        )
        try:
            with fast_float32():
                self._run(sample_batches(self._stream, self._worker), writer, bar)
        finally:
            self._save_checkpoint()
            bar.close()
            if writer is not None:
                writer.close()
        return self.network

    def _run(self, batches: Iterator[list[GeometrySample]], writer: SummaryWriter | None, bar: tqdm) -> None:
        config = self.config
        recent: list[dict[str, float]] = []
        saved = clock = time.monotonic()
        while (done := config.progress(self.progress.step, self.group.agree(self.progress.elapsed_s))) < 1.0:
            for parameters in self.optimizer.param_groups:
                parameters["lr"] = config.rate(done)
            losses = self.step(next(batches))
            now = time.monotonic()
            self.progress = Progress(self.progress.step + 1, self.progress.elapsed_s + now - clock)
            clock = now
            recent.append(losses)
            step = self.progress.step
            if step % _LOG_STEPS == 0:
                means = {name: float(np.mean([each[name] for each in recent])) for name in losses}
                self._log(writer, bar, step, means, done)
                recent.clear()
            if now - saved > 60 * config.checkpoint_minutes:
                self._save_checkpoint()
                saved = now
            if step % config.epoch_steps == 0:
                self._end_epoch(writer, step)
                clock = time.monotonic()
        if self.progress.step % config.epoch_steps:
            self._end_epoch(writer, self.progress.step)

    def step(self, samples: list[GeometrySample]) -> dict[str, float]:
        """Make one optimisation step on a batch; returns the mean losses, weighted sum included."""
        config, network = self.config, self.network.train()
        batch = VoxelBatch.of([sample.cloud for sample in samples])
        features, logits, graspness = network.encode(batch)
        means: dict[str, float] = defaultdict(float)
        total = features.new_zeros(())
        for index, sample in enumerate(samples):
            rows = batch.rows(index)
            rng = np.random.default_rng(
                [config.seed, 23, self.progress.step, self.group.rank * len(samples) + index]
            )
            losses = cloud_losses(
                network,
                batch.points[rows],
                batch.normals[rows],
                features[rows],
                logits[rows],
                graspness[rows],
                sample,
                config,
                rng,
            )
            loss = weighted_sum(losses, config.loss)
            total = total + loss / len(samples)
            for name, value in {**losses, "total": loss}.items():
                means[name] += float(value.detach()) / len(samples)
        self.optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        self.group.average_gradients(network)
        torch.nn.utils.clip_grad_norm_(network.parameters(), config.max_gradient)
        self.optimizer.step()
        return means

    def _log(
        self, writer: SummaryWriter | None, bar: tqdm, step: int, means: dict[str, float], done: float
    ) -> None:
        if writer is None:
            return
        for name, value in means.items():
            writer.add_scalar(f"loss/{name}", value, step)
        writer.add_scalar("learning_rate", self.config.rate(done), step)
        parts = " ".join(f"{name} {value:.4f}" for name, value in means.items())
        bar.n = round(100 * done, 1)
        bar.set_postfix_str(f"step {step} {step / max(self.progress.elapsed_s, 1e-9):.2f}/s {parts}")
        self._record({"step": step, "elapsed_s": round(self.progress.elapsed_s), **means})

    def _end_epoch(self, writer: SummaryWriter | None, step: int) -> None:
        """Save weights; validate and draw, where there is a dataset for it."""
        self.group.average_statistics(self.network)
        if not self.group.leads:
            self.group.wait()
            return
        weights = self.out / "geometry.safetensors"
        save_network(self.network, weights, {"step": str(step)})
        self._save_checkpoint()
        if self.validation is not None:
            picture = self.out / f"epoch_{step // self.config.epoch_steps:03d}.png"
            result = validate(load_network(weights), self.validation, self.config.validation_frames, picture)
            figures = dataclasses.asdict(result)
            _log.info("step %d: AP %.1f, coverage %.1f on %d frames", step, *figures.values())
            self._record({"step": step, **figures})
            if writer is not None:
                writer.add_scalar("validation/ap", result.ap, step)
                writer.add_scalar("validation/coverage", result.coverage, step)
        self.group.wait()

    def _record(self, line: dict[str, float]) -> None:
        with (self.out / "history.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({key: round(value, 5) for key, value in line.items()}) + "\n")

    def _save_checkpoint(self) -> None:
        if self.group.leads:
            save_checkpoint(
                self._checkpoint, self.network, self.optimizer, self.progress, self._network_text()
            )

    def _network_text(self) -> str:
        return json.dumps(dataclasses.asdict(self.config.network))
