# SPDX-License-Identifier: Apache-2.0
"""Measures detectors side by side on held-out scenes by GraspNet's AP, in one run.

The datasets are those of docs/results/ap_geometric.md; none of their seeds may be trained on.

    .venv/bin/python benchmarks/compare_ap.py --datasets ap/train ap/similar ap/novel --out ap_network.md
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from machine import commit, describe_machine
from tqdm import tqdm

from anygrasp_perception.detector import Detector
from anygrasp_perception.geometric_detector import GeometricDetector
from anygrasp_perception.grasp_refinement import RefinementConfig
from anygrasp_perception.gripper import ROBOTIQ_2F85, GripperGeometry
from anygrasp_perception.network_detector import NetworkDetector, NetworkDetectorConfig
from anygrasp_training.dataset import GraspDataset
from anygrasp_training.evaluation import SceneResult, summarise
from anygrasp_training.evaluation.dataset_detection import detect_in_frame
from anygrasp_training.evaluation.dataset_evaluation import DatasetEvaluator, scene_split
from anygrasp_training.labels.label_config import LABEL_GRIPPER

MAX_GRASPS = 500
VISIBLE_PIXELS = 500  # of an object in a 1280 x 720 image; what shows less is hidden by others, or tiny


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--datasets", type=Path, nargs="+", required=True)
    parser.add_argument("--weights", type=Path, help="of the network (default: the shipped ones)")
    parser.add_argument("--precision", default="float32", help="of the backbone, or bfloat16 (%(default)s)")
    parser.add_argument("--only", nargs="+", help="names of detectors (default: all)")
    parser.add_argument("--scenes", type=int, help="of each dataset, the first ones (default: all)")
    parser.add_argument("--views", type=int, help="of each scene, the first ones (default: all)")
    parser.add_argument(
        "--turns", type=int, default=RefinementConfig.turns, help="of the further look (%(default)s; 0: none)"
    )
    parser.add_argument("--out", type=Path, help="Markdown file")
    options = parser.parse_args()
    torch.set_num_threads(1)
    precision, refinement = options.precision, RefinementConfig(turns=options.turns)
    usual = NetworkDetectorConfig(refinement=refinement, precision=precision)
    plain = replace(usual, use_stable_score=False)
    once = replace(usual, refinement=None)
    detectors: dict[str, Detector] = {
        "geometric": GeometricDetector(),
        "network": NetworkDetector(usual, options.weights),
        "network, stable score off": NetworkDetector(plain, options.weights),
        "network, no second look": NetworkDetector(once, options.weights),
    }
    if options.only:
        detectors = {name: detector for name, detector in detectors.items() if name in options.only}
    rows = [
        "| split | detector | AP | AP0.8 | AP0.4 | coverage | visible | free | room | colliding | CPU ms |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for folder in options.datasets:
        dataset = GraspDataset(folder)
        chosen = {
            scene: range(dataset.view_count(scene))[: options.views]
            for scene in dataset.scene_ids[: options.scenes]
        }
        rows += [measure(dataset, chosen, name, detector) for name, detector in detectors.items()]
        if dataset.layout.collision_label(dataset.scene_ids[0]).is_file():
            rows += [
                measure(dataset, chosen, f"{name}, fingers of the labels", detectors[name], LABEL_GRIPPER)
                for name in ("geometric", "network")
                if name in detectors
            ]
    text = f"""# Average precision, side by side

GraspNet's AP by our own evaluator on scenes that no training has seen ({MAX_GRASPS} grasps a frame at most,
inside the box about the objects). In percent; `colliding` of the ranked grasps. `coverage`: objects with
at least one grasp that collides with nothing and holds at friction 0.8, of those with a pixel in the view;
`visible`: of those with at least {VISIBLE_PIXELS} pixels; `free`: of these, with at least one grasp that
collides with nothing, whether it holds or not. These three look at the ten best grasps of an object and
take the benchmark's gripper, whose fingers end 2 cm behind the grasp centre; `room`: as `free`, of all
grasps, with the fingers of the labels, 6 cm long. Asked for are grasps of a Robotiq 2F-85, whose fingers
and palm are thicker than both; in the last rows of scenes with labels, grasps of the gripper that the labels
were made for. These scenes leave out what cannot be grasped where it lies, by the labels; the others count
that too. CPU: median of a frame.

{chr(10).join(rows)}

`python benchmarks/compare_ap.py`, commit {commit()}; {describe_machine()}, torch {torch.__version__}, one
thread.
How to make the scenes: [ap_geometric.md](ap_geometric.md).
"""
    print(text)
    if options.out:
        options.out.write_text(text)
    return 0


def measure(
    dataset: GraspDataset,
    views: dict[int, range],
    name: str,
    detector: Detector,
    gripper: GripperGeometry = ROBOTIQ_2F85,
) -> str:
    """The row of one detector on the views of some scenes."""
    evaluator, scenes, counts = DatasetEvaluator(dataset), [], Counter[str]()
    cpu: list[float] = []
    for scene in tqdm(views, desc=f"{dataset.layout.root.name} {name}", unit="scene"):
        frames = []
        for view in views[scene]:
            frame = dataset.frame(scene, view)
            start = time.process_time()
            grasps = detect_in_frame(detector, frame, MAX_GRASPS, gripper=gripper).grasps
            cpu.append(time.process_time() - start)
            frames.append(evaluator.evaluate(scene, view, grasps))
            pixels = np.bincount(frame.label.ravel(), minlength=max(frame.object_ids) + 2)
            visible = frames[-1].graspable & (pixels[np.array(frame.object_ids) + 1] >= VISIBLE_PIXELS)
            counts.update(
                ranked=len(frames[-1].grasps),
                colliding=int(frames[-1].colliding.sum()),
                visible=int(visible.sum()),
                covered=int((visible & frames[-1].covered).sum()),
                reached=int((visible & frames[-1].reached).sum()),
                room=int((visible & evaluator.reached(scene, view, grasps)).sum()),
            )
        scenes.append(SceneResult(str(scene), scene_split(dataset, scene), frames))
    total = summarise(scenes).overall
    figures = [total.ap, total.ap_at[0.8], total.ap_at[0.4], total.coverage]
    figures += [counts[name] / max(counts["visible"], 1) for name in ("covered", "reached", "room")]
    figures.append(counts["colliding"] / max(counts["ranked"], 1))
    percent = " | ".join(f"{100 * figure:.1f}" for figure in figures)
    labels = ", labels" if dataset.layout.collision_label(dataset.scene_ids[0]).is_file() else ""
    return f"| {scenes[0].split}{labels} | {name} | {percent} | {1000 * np.median(cpu):.0f} |"


if __name__ == "__main__":
    raise SystemExit(main())
