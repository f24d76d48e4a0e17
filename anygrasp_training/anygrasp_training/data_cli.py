# SPDX-License-Identifier: Apache-2.0
"""`anygrasp-data`: makes scenes and sequences to train on, and shows the objects they are made of."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from anygrasp_training.dataset.errors import DatasetError
from anygrasp_training.generation import GenerationConfig, Workers, generate_dataset, generate_sequences
from anygrasp_training.generation.mesh_pool import MeshFile, usable_meshes
from anygrasp_training.generation.workers import BACKENDS
from anygrasp_training.labels import LabelConfig
from anygrasp_training.objects import Split
from anygrasp_training.scenes import SceneError
from anygrasp_training.scenes.contact_sheet import write_contact_sheet
from anygrasp_training.scenes.plan import SceneConfig
from anygrasp_training.scenes.sensing import SENSORS
from anygrasp_training.sequences import SequenceConfig

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; errors of the user or the disk end with one line and status 1."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    options = _parser().parse_args(arguments)
    try:
        if options.command == "objects":
            count = write_contact_sheet(options.preview, options.seed, options.instances)
            print(f"{count} objects in {options.preview}")
        elif options.command == "sequences":
            config = SequenceConfig(
                seed=options.seed,
                split=options.split,
                frames=options.frames,
                rate_hz=options.rate,
                sensor=options.sensor,
                alike_share=options.alike_share,
            )
            layout = generate_sequences(options.out, options.count, config, _workers(options))
            print(f"{layout.root}: {len(layout.scene_ids())} sequences")
        else:
            command = shlex.join(["anygrasp-data", *arguments])
            layout = generate_dataset(
                options.out, options.count, _config(options), _workers(options), command
            )
            print(f"{layout.root}: {len(layout.scene_ids())} scenes; see {layout.card}")
    except (DatasetError, SceneError, RuntimeError, ValueError) as error:
        print(f"anygrasp-data: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("anygrasp-data: stopped; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    defaults = GenerationConfig()
    parser = argparse.ArgumentParser(prog="anygrasp-data", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    objects = commands.add_parser("objects", help="draw a contact sheet of the objects")
    objects.add_argument("--preview", type=Path, required=True, metavar="PNG")
    objects.add_argument("--seed", type=int, default=0)
    objects.add_argument("--instances", type=int, default=3, help="of each family (default: %(default)s)")

    scenes = commands.add_parser("scenes", help="generate scenes with labels, or go on generating")
    scenes.add_argument("--out", type=Path, required=True, metavar="DIR")
    scenes.add_argument("--count", type=int, required=True, help="of scenes in the folder at the end")
    scenes.add_argument("--views", type=int, default=defaults.views, help="(default: %(default)s)")
    scenes.add_argument("--seed", type=int, default=defaults.seed, help="(default: %(default)s)")
    scenes.add_argument("--split", choices=[split.value for split in Split], default=defaults.split)
    scenes.add_argument("--objects", type=int, default=defaults.object_count, help="(default: %(default)s)")
    scenes.add_argument(
        "--families", nargs="*", default=(), help="of the objects (default: all of the split)"
    )
    scenes.add_argument(
        "--meshes",
        type=Path,
        metavar="DIR",
        help="objects of your own: OBJ, STL and PLY files; --objects 0 for these alone",
    )
    scenes.add_argument("--mesh-scale", type=float, default=1.0, help="0.001 for files in millimetres")
    scenes.add_argument("--mesh-density", type=float, default=600.0, metavar="KG_M3")
    scenes.add_argument("--min-objects", type=int, default=defaults.scene.min_objects)
    scenes.add_argument("--max-objects", type=int, default=defaults.scene.max_objects)
    scenes.add_argument("--label-points", type=int, default=LabelConfig().max_points)

    scenes.add_argument(
        "--no-labels",
        action="store_true",
        help="meshes, poses and images only, far faster: enough to evaluate on, not to train on",
    )

    films = commands.add_parser("sequences", help="generate short films of moving objects and fish")
    films.add_argument("--out", type=Path, required=True, metavar="DIR")
    films.add_argument("--count", type=int, required=True, help="of sequences in the folder at the end")
    films.add_argument("--frames", type=int, default=SequenceConfig().frames)
    films.add_argument("--rate", type=float, default=SequenceConfig().rate_hz, help="frames a second")
    films.add_argument("--seed", type=int, default=0)
    films.add_argument("--split", choices=[split.value for split in Split], default=SequenceConfig().split)
    films.add_argument(
        "--alike-share",
        type=float,
        default=SequenceConfig().alike_share,
        metavar="0..1",
        help="of sequences with two or more bodies, all of one kind",
    )

    for command in (scenes, films):
        command.add_argument("--sensor", choices=SENSORS, default=defaults.sensor)
        command.add_argument("--jobs", type=int, default=1, help="processes (default: %(default)s)")
        command.add_argument("--backend", choices=BACKENDS, default=BACKENDS[0])
        command.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask cluster")
    return parser


def _config(options: argparse.Namespace) -> GenerationConfig:
    meshes: tuple[MeshFile, ...] = ()
    if options.meshes is not None:
        meshes, refused = usable_meshes(options.meshes, options.mesh_scale, options.mesh_density)
        for reason in refused:
            print(f"anygrasp-data: left out: {reason}", file=sys.stderr)
        print(f"{options.meshes}: {len(meshes)} meshes, {len(refused)} left out")
    return GenerationConfig(
        seed=options.seed,
        split=options.split,
        object_count=options.objects,
        families=tuple(options.families),
        meshes=meshes,
        views=options.views,
        sensor=options.sensor,
        scene=SceneConfig(min_objects=options.min_objects, max_objects=options.max_objects),
        labels=None if options.no_labels else LabelConfig(max_points=options.label_points),
    )


def _workers(options: argparse.Namespace) -> Workers:
    return Workers(options.jobs, options.backend, options.scheduler)
