# SPDX-License-Identifier: Apache-2.0
"""CPU time on one core to label one object, a row for each object family.

Goal (issue 3): 200 points, 300 views x 12 angles x 5 depths each, in at most 20 s.
Run: `python benchmarks/bench_grasp_labels.py [--points 20] [--families mug bolt ...]`
"""

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy: the goal is for one core
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from anygrasp_training.labels import LabelConfig, label_object, save_labels
from anygrasp_training.objects import FAMILIES, make_object

GOAL_S = 20.0
GOAL_POINTS = 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=20, help="points labelled; the times are for 200")
    parser.add_argument("--families", nargs="+", choices=sorted(FAMILIES), default=sorted(FAMILIES))
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    config = LabelConfig(max_points=args.points, min_spacing_m=0.0)
    print(f"{'family':14} {'faces':>6} {'200 points, s':>14} {'positive':>9} {'mu <= 0.4':>10} {'kB':>6}")
    worst = 0.0
    for family in args.families:
        item = make_object(family, args.seed)
        start = time.process_time()
        labels = label_object(item.mesh, item.center_of_mass_m, config, args.seed)
        seconds = (time.process_time() - start) * GOAL_POINTS / args.points
        worst = max(worst, seconds)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "labels.npz"
            save_labels(path, labels)
            kilobytes = path.stat().st_size * GOAL_POINTS / args.points / 1024
        print(
            f"{family:14} {len(item.mesh.faces):6d} {seconds:14.1f} {labels.positive.mean():9.1%} "
            f"{(labels.friction <= 0.4).mean():10.1%} {kilobytes:6.0f}"
        )
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    verdict = "met" if worst <= GOAL_S else "missed"
    print(f"slowest {worst:.1f} s CPU, goal {GOAL_S:.0f} s ({verdict}); peak memory {memory_mb:.0f} MB")


if __name__ == "__main__":
    main()
