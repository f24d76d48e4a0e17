# SPDX-License-Identifier: Apache-2.0
"""Time to evaluate one frame: 100 grasps on 12 objects and a table, one core.

python benchmarks/bench_evaluation.py [--frames 20]
"""

import argparse
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy: the figure is for one core
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from scipy.spatial.transform import Rotation

from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.se3 import make_transform
from anygrasp_training.evaluation import (
    EvaluationConfig,
    ObjectModel,
    SceneObject,
    evaluate_frame,
    table_cloud,
)
from anygrasp_training.objects import draw_objects

GRASPS = 100
OBJECTS = 12
CAMERA_HEIGHT_M = 0.7


def make_frame(rng: np.random.Generator, models: list[ObjectModel]) -> tuple[GraspGroup, list[SceneObject]]:
    """Objects in a grid on the table and grasps onto their tops, camera frame (looking straight down)."""
    grid = np.stack(np.meshgrid(np.linspace(-0.2, 0.2, 4), np.linspace(-0.15, 0.15, 3)), -1).reshape(-1, 2)
    objects, centres = [], []
    for i, model in enumerate(models):
        R = Rotation.random(rng=rng).as_matrix()
        low = float((model.points_m @ R.T)[:, 2].max())
        target = SceneObject(f"{i}", model, make_transform(R, (*grid[i], CAMERA_HEIGHT_M - low)))
        objects.append(target)
        nearest = np.argsort(target.points_camera_m[:, 2])[:40]
        centres.append(target.points_camera_m[rng.choice(nearest, GRASPS // OBJECTS + 1)])
    approach_down = np.array([[0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    turns = Rotation.from_euler("xyz", rng.normal(0, (1.5, 0.2, 0.2), (GRASPS, 3))).as_matrix()
    grasps = GraspGroup.from_arrays(
        translations=np.concatenate(centres)[:GRASPS],
        rotation_matrices=approach_down @ turns,
        widths=rng.uniform(0.03, 0.1, GRASPS),
        scores=rng.uniform(size=GRASPS),
        depths=rng.choice((0.005, 0.01, 0.02), GRASPS),
    )
    return grasps, objects


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=20)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    start = time.process_time()
    models = [ObjectModel.from_mesh(item.mesh, item.name) for item in draw_objects(OBJECTS, 0)]
    print(f"{OBJECTS} objects prepared in {1e3 * (time.process_time() - start):.0f} ms CPU, once")
    table = table_cloud(make_transform(Rotation.from_euler("x", np.pi).as_matrix(), (0, 0, CAMERA_HEIGHT_M)))
    config = EvaluationConfig()
    times = []
    for _ in range(args.frames):
        grasps, objects = make_frame(rng, models)
        start = time.process_time()
        result = evaluate_frame(grasps, objects, table, config)
        times.append(1e3 * (time.process_time() - start))
    print(f"last frame: {len(result.grasps)} grasps ranked, AP {100 * result.average_precision:.1f} %")
    print(f"{GRASPS} grasps a frame: median {np.median(times):.1f} ms CPU, slowest {max(times):.1f} ms")


if __name__ == "__main__":
    main()
