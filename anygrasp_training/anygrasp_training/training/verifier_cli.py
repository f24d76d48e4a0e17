# SPDX-License-Identifier: Apache-2.0
"""`anygrasp-train verifier`: collects grasps, then trains on them."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import torch

from anygrasp_perception import compiled
from anygrasp_perception.network.weights import load_network, load_verifier
from anygrasp_perception.network_detector import NetworkDetector, NetworkDetectorConfig, shipped_weights
from anygrasp_training.dataset import DatasetError
from anygrasp_training.training.checkpoint import checkpoint_path
from anygrasp_training.training.verifier_samples import CollectingConfig, collect_samples, read_samples
from anygrasp_training.training.verifier_trainer import VerifierTrainer, VerifierTrainingConfig

__all__ = ["add_verifier_options", "train_verifier"]

_MIN_SCORE = (
    0.005  # of the network's candidates: lower than in a detection, there is something to learn of them
)


def add_verifier_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that `train_verifier` reads."""
    collecting, training = CollectingConfig(), VerifierTrainingConfig()
    parser.add_argument(
        "--geometry", type=Path, metavar="WEIGHTS", help="whose grasps are judged (default: the shipped ones)"
    )
    parser.add_argument("--dataset", type=Path, nargs="+", required=True, metavar="DIR")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument(
        "--resume", action="store_true", help="go on with the run in --out; frames collected before stay"
    )
    parser.add_argument(
        "--frames", type=int, default=collecting.frames, help="to collect from (default: %(default)s)"
    )
    parser.add_argument(
        "--verifier", type=Path, metavar="WEIGHTS", help="also collect what this one likes after refinement"
    )
    parser.add_argument(
        "--samples", type=Path, nargs="*", default=[], metavar="DIR", help="train on these frames too"
    )
    parser.add_argument("--start-from", type=Path, metavar="WEIGHTS", help="begin with these, not at random")
    parser.add_argument("--epochs", type=int, default=training.epochs, help="(default: %(default)s)")
    parser.add_argument(
        "--batch", type=int, default=training.batch_size, help="grasps (default: %(default)s)"
    )
    parser.add_argument("--rate", type=float, default=training.learning_rate, help="(default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1, help="(default: %(default)s)")
    parser.add_argument("--collect-only", action="store_true", help="do not train yet")


def train_verifier(options: argparse.Namespace) -> None:
    """Collect and train; raises what the parts raise."""
    torch.set_num_threads(options.threads)
    if not options.collect_only:
        checkpoint_path(options.out, options.resume)  # refuse now, not after minutes of collecting
    verifier = None if options.verifier is None else load_verifier(options.verifier)
    detector = NetworkDetector(
        NetworkDetectorConfig(min_score=_MIN_SCORE, threads=options.threads),
        network=load_network(options.geometry or shipped_weights()),
        verifier=verifier,
    )
    config = dataclasses.replace(CollectingConfig(), frames=options.frames, seed=options.seed)
    files = collect_samples(detector, options.dataset, options.out / "samples", config)
    if options.collect_only:
        print(f"{options.out / 'samples'}: {len(files)} frames")
        return
    for folder in options.samples:
        found = sorted(folder.glob("*.npz"))
        if not found:
            raise DatasetError(f"{folder}: no samples; give the samples folder of an earlier run")
        files += [path for path in found if path not in files]
    training = VerifierTrainingConfig(
        seed=options.seed, epochs=options.epochs, batch_size=options.batch, learning_rate=options.rate
    )
    trainer = VerifierTrainer(training, read_samples(files), options.out, options.start_from, options.resume)
    with compiled.threads(options.threads):
        trainer.train()
    print(f"{options.out / 'verifier.safetensors'}: {len(files)} frames, {training.epochs} epochs")
