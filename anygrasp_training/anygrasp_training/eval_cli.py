# SPDX-License-Identifier: Apache-2.0
"""`anygrasp-eval`: runs a detector over a dataset and measures grasps by GraspNet's average precision."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from anygrasp_perception.detector import DetectorError
from anygrasp_perception.detectors import DETECTORS, create_detector
from anygrasp_training.dataset import CAMERAS, DatasetError, GraspDataset
from anygrasp_training.dataset.files import write_bytes
from anygrasp_training.evaluation import FrameResult, SceneResult, summarise
from anygrasp_training.evaluation.dataset_detection import detect_in_frame
from anygrasp_training.evaluation.dataset_evaluation import SPLITS, DatasetEvaluator, scene_split
from anygrasp_training.evaluation.grasp_folder import GraspFolder

__all__ = ["main"]

_EXAMPLES = """\
examples:
  20 scenes of objects of families never trained on, two views each; no labels are needed to evaluate
    anygrasp-data scenes --out data/novel --count 20 --views 2 --split novel --objects 40 --no-labels
  the geometric detector's grasps in them, and how good they are
    anygrasp-eval detect --detector geometric --dataset data/novel --out grasps/novel
    anygrasp-eval ap --grasps grasps/novel --dataset data/novel --out novel.md
  grasps of any other method in GraspNet-1Billion, dumped by its own tools
    anygrasp-eval ap --grasps dump --dataset graspnet --camera kinect --split similar novel"""

_AP_HELP = """\
Measure grasps by the rules of the GraspNet-1Billion benchmark, from the objects' meshes.

GRASPS/scene_NNNN/CAMERA/NNNN.npy are arrays (N, 17) in the camera frame: score, width, height, depth,
rotation row by row (9), translation (3), object id; what GraspGroup.save_npy of the graspnetAPI writes.
Every frame that has a file is evaluated. Of the grasps left by non-maximum suppression (0.03 m, 30 deg)
the best 10 an object and 50 a frame count; one that collides or holds nothing fails.

  AP        precision of the k best, averaged over k = 1 to 50 and friction 0.2 to 1.2, in percent
  AP0.8     the same at friction 0.8; AP0.4 at 0.4, the stricter
  coverage  share of the visible objects (with a free grasp, where the dataset has labels) with at least
            one good grasp at friction 0.8"""

_DETECT_HELP = """\
Run a detector over all frames of a dataset and write its grasps as `anygrasp-eval ap` reads them.

Grasp centres are confined to the box about the labelled objects, give or take 2 cm, as in the GraspNet
tools; what lies around is still an obstacle."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; errors of the user or the disk end with one line and status 1."""
    options = _parser().parse_args(argv)
    try:
        if options.command == "ap":
            _measure(options)
        else:
            _detect(options)
    except (DatasetError, DetectorError, ValueError) as error:
        print(f"anygrasp-eval: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("anygrasp-eval: stopped; files already written are whole", file=sys.stderr)
        return 130
    return 0


def _measure(options: argparse.Namespace) -> None:
    dataset = GraspDataset(options.dataset, options.camera)
    folder = GraspFolder(options.grasps, options.camera)
    frames = folder.frames()
    missing = sorted(set(frames) - set(dataset.scene_ids))
    if missing:
        raise DatasetError(
            f"{options.grasps} has grasps of scene {missing[0]}, which {options.dataset} lacks; "
            "give the dataset that they were detected in"
        )
    splits = {scene_id: scene_split(dataset, scene_id) for scene_id in frames}
    wanted = [scene_id for scene_id in frames if not options.split or splits[scene_id] in options.split]
    if not wanted:
        found = ", ".join(sorted(set(splits.values())))
        raise DatasetError(f"{options.grasps} has no scene of {', '.join(options.split)}, only of {found}")
    evaluator, scenes = DatasetEvaluator(dataset), []
    start = time.perf_counter()
    with _progress(sum(len(frames[scene_id]) for scene_id in wanted), "evaluate") as bar:
        for scene_id in wanted:
            results: list[FrameResult] = []
            for view in frames[scene_id]:
                results.append(evaluator.evaluate(scene_id, view, folder.read(scene_id, view)))
                bar.update()
            scenes.append(SceneResult(f"scene_{scene_id:04d}", splits[scene_id], results))
    summary = summarise(scenes)
    table = summary.as_table()
    print(table)
    print(f"{1e3 * (time.perf_counter() - start) / summary.overall.frames:.0f} ms a frame")
    if options.out is not None:
        write_bytes(options.out, f"{table}\n".encode())


def _detect(options: argparse.Namespace) -> None:
    if options.max_grasps < 1:
        raise ValueError(f"--max-grasps must be at least 1, got {options.max_grasps}")
    dataset = GraspDataset(options.dataset, options.camera)
    folder = GraspFolder(options.out, options.camera)
    detector = create_detector(options.detector, options.weights)
    frames = [(scene, view) for scene in dataset.scene_ids for view in range(dataset.view_count(scene))]
    seconds, counts = [], []
    with _progress(len(frames), "detect") as bar:
        for scene_id, view in frames:
            frame = dataset.frame(scene_id, view)
            start = time.perf_counter()
            result = detect_in_frame(detector, frame, options.max_grasps, options.whole_view, options.seed)
            seconds.append(time.perf_counter() - start)
            counts.append(len(result.grasps))
            folder.write(scene_id, view, result.grasps)
            bar.update()
    print(
        f"{options.out}: {np.mean(counts):.1f} grasps a frame in {len(frames)} frames; {detector.name} took "
        f"{1e3 * np.mean(seconds):.0f} ms a frame, median {1e3 * np.median(seconds):.0f}"
    )


def _progress(total: int, what: str) -> tqdm:
    return tqdm(total=total, desc=what, unit="frame")


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="anygrasp-eval", description=__doc__, epilog=_EXAMPLES, formatter_class=raw
    )
    commands = parser.add_subparsers(dest="command", required=True)

    measure = commands.add_parser(
        "ap", help="measure average precision", description=_AP_HELP, epilog=_EXAMPLES, formatter_class=raw
    )
    measure.add_argument("--grasps", type=Path, required=True, metavar="DIR", help="holds scene_NNNN/")
    measure.add_argument("--split", nargs="+", choices=SPLITS, help="scenes of these only (default: all)")
    measure.add_argument("--out", type=Path, metavar="FILE.md", help="write the table here too")

    detect = commands.add_parser(
        "detect", help="run a detector", description=_DETECT_HELP, epilog=_EXAMPLES, formatter_class=raw
    )
    detect.add_argument("--detector", choices=sorted(DETECTORS), default="geometric")
    detect.add_argument(
        "--weights", type=Path, metavar="FILE", help="of the network (default: those shipped)"
    )
    detect.add_argument("--out", type=Path, required=True, metavar="DIR", help="for the grasps")
    detect.add_argument("--max-grasps", type=int, default=500, help="a frame (default: %(default)s)")
    detect.add_argument("--whole-view", action="store_true", help="grasps anywhere, not about the objects")
    detect.add_argument("--seed", type=int, default=0, help="same seed, same grasps (default: %(default)s)")

    for command in (measure, detect):
        command.add_argument(
            "--dataset", type=Path, required=True, metavar="DIR", help="holds scenes/ and models/"
        )
        command.add_argument("--camera", choices=CAMERAS, default=CAMERAS[0], help="(default: %(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
