# SPDX-License-Identifier: Apache-2.0
"""`anygrasp-train`: trains the networks on datasets in GraspNet's layout."""

from __future__ import annotations

import argparse
import dataclasses
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from anygrasp_perception import compiled
from anygrasp_perception.network.weights import WeightsError
from anygrasp_training.association.pairs import PairConfig
from anygrasp_training.association.seen_dataset import SeeingConfig
from anygrasp_training.association.trainer import AssociationTrainer, AssociationTrainingConfig
from anygrasp_training.dataset import DatasetError
from anygrasp_training.generation import Workers
from anygrasp_training.training import GEOMETRY_CONFIGS, GeometryTrainer, GeometryTrainingConfig
from anygrasp_training.training.checkpoint import CheckpointError
from anygrasp_training.training.geometry_config import DEPTHS, DataShare
from anygrasp_training.training.parallel import process_group
from anygrasp_training.training.verifier_cli import add_verifier_options, train_verifier

__all__ = ["main"]

_EXAMPLES = """\
examples:
  data to train on and to validate with, then four hours of training; run again with --resume after a kill
    anygrasp-data scenes --out data/train --count 400 --sensor mixed --jobs 2
    anygrasp-data scenes --out data/novel --count 20 --views 2 --split novel --seed 103 --no-labels
    anygrasp-train geometry --dataset data/train --validation data/novel --out runs/slim --hours 4
  the same on eight processes
    torchrun --nproc-per-node 8 --no-python anygrasp-train geometry --dataset data/train --out runs/slim
  then the verifier, on the grasps of these weights; and again, on those that the first one likes
    anygrasp-train verifier --geometry runs/slim/geometry.safetensors --dataset data/train --out runs/one
    anygrasp-train verifier --geometry runs/slim/geometry.safetensors --dataset data/train --out runs/two \\
        --verifier runs/one/verifier.safetensors --samples runs/one/samples
  then the network that follows grasps, on what these weights see
    anygrasp-data sequences --out data/films --count 30 --frames 12 --rate 5 --alike-share 0.5 --sensor mixed
    anygrasp-train association --geometry runs/slim/geometry.safetensors \\
        --dataset data/films data/train --out runs/association --jobs 2
  what it learns, live
    tensorboard --logdir runs"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; errors of the user or the disk end with one line and status 1."""
    options = _parser().parse_args(argv)
    # A background job of a shell ignores Ctrl-C's signal; both shall leave a checkpoint.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        options.run(options)
    except (DatasetError, WeightsError, CheckpointError, ValueError, OSError) as error:
        print(f"anygrasp-train: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("anygrasp-train: stopped; the same command with --resume goes on from here", file=sys.stderr)
        return 130
    return 0


def _train_geometry(options: argparse.Namespace) -> None:
    torch.set_num_threads(options.threads)
    with compiled.threads(options.threads), process_group() as group:
        trainer = GeometryTrainer(
            _config(options),
            options.dataset,
            options.out,
            options.validation,
            options.start_from,
            group,
            resume=options.resume,
        )
        trainer.train()
        if group.leads:
            print(f"{options.out / 'geometry.safetensors'}: {trainer.progress.step} steps")


def _train_association(options: argparse.Namespace) -> None:
    torch.set_num_threads(options.threads)
    defaults = AssociationTrainingConfig()
    config = dataclasses.replace(
        defaults,
        seeing=SeeingConfig(max_frames=options.frames, seed=options.seed),
        pairs=PairConfig(max_grasps=options.grasps),
        seed=options.seed,
        total_steps=options.steps,
        epoch_steps=min(defaults.epoch_steps, options.steps),
    )
    trainer = AssociationTrainer(
        config, options.geometry, options.dataset, options.out, options.resume, Workers(options.jobs)
    )
    with compiled.threads(options.threads):
        trainer.train()
    print(f"{options.out / 'association.safetensors'}: {trainer.progress.step} steps")


def _config(options: argparse.Namespace) -> GeometryTrainingConfig:
    config = GEOMETRY_CONFIGS[options.config]
    given = {
        "batch_size": options.batch,
        "total_steps": options.steps,
        "hours": options.hours,
        "epoch_steps": options.epoch_steps,
        "learning_rate": options.rate,
        "seed": options.seed,
    }
    config = dataclasses.replace(
        config,
        sample=dataclasses.replace(config.sample, depth=options.depth),
        share=DataShare(options.scene_share, options.view_share, options.label_share),
    )
    return dataclasses.replace(config, **{name: value for name, value in given.items() if value is not None})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="anygrasp-train",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    geometry = commands.add_parser("geometry", help="train the network that finds grasps in one cloud")
    geometry.add_argument("--config", choices=sorted(GEOMETRY_CONFIGS), default="slim")
    geometry.add_argument("--dataset", type=Path, nargs="+", required=True, metavar="DIR")
    geometry.add_argument(
        "--validation", type=Path, metavar="DIR", help="held-out scenes for AP and pictures"
    )
    geometry.add_argument("--out", type=Path, required=True, metavar="DIR")
    geometry.add_argument(
        "--resume", action="store_true", help="go on with the run in --out, if there is one"
    )
    geometry.add_argument(
        "--start-from", type=Path, metavar="WEIGHTS", help="begin with these, not at random"
    )
    length = geometry.add_mutually_exclusive_group()
    length.add_argument("--steps", type=int, help="length of the run")
    length.add_argument("--hours", type=float, help="length of the run, in training time of all sessions")
    geometry.add_argument("--batch", type=int, help="images a step and process")
    geometry.add_argument("--epoch-steps", type=int, help="steps between two validations")
    geometry.add_argument("--rate", type=float, help="initial learning rate")
    geometry.add_argument("--seed", type=int)
    studies = geometry.add_argument_group("studies of the data (paper VII)")
    studies.add_argument("--depth", choices=DEPTHS, default=DEPTHS[0], help="what the network sees")
    for what in ("scene", "view", "label"):
        studies.add_argument(
            f"--{what}-share", type=float, default=1.0, metavar="0..1", help=f"of {what}s used"
        )
    geometry.add_argument("--threads", type=int, default=1, help="of this process (default: %(default)s)")
    geometry.set_defaults(run=_train_geometry)
    verifier = commands.add_parser("verifier", help="train the network that judges single grasps")
    add_verifier_options(verifier)
    verifier.set_defaults(run=train_verifier)
    association = commands.add_parser("association", help="train the network that follows grasps")
    _add_association(association)
    association.set_defaults(run=_train_association)
    return parser


def _add_association(association: argparse.ArgumentParser) -> None:
    defaults = AssociationTrainingConfig()
    association.add_argument(
        "--geometry", type=Path, required=True, metavar="WEIGHTS", help="of the geometry network, frozen"
    )
    association.add_argument(
        "--dataset", type=Path, nargs="+", required=True, metavar="DIR", help="scenes, films, or both"
    )
    association.add_argument("--out", type=Path, required=True, metavar="DIR")
    association.add_argument(
        "--resume", action="store_true", help="go on with the run in --out, if there is one"
    )
    association.add_argument("--steps", type=int, default=defaults.total_steps, help="(default: %(default)s)")
    association.add_argument(
        "--frames",
        type=int,
        default=defaults.seeing.max_frames,
        help="seen of each dataset at most; seeing takes most of the time (default: %(default)s)",
    )
    association.add_argument(
        "--grasps",
        type=int,
        default=defaults.pairs.max_grasps,
        help="of a frame a step (default: %(default)s)",
    )
    association.add_argument("--seed", type=int, default=defaults.seed)
    association.add_argument("--jobs", type=int, default=1, help="processes that see (default: %(default)s)")
    association.add_argument("--threads", type=int, default=1, help="of the training (default: %(default)s)")


if __name__ == "__main__":
    sys.exit(main())
