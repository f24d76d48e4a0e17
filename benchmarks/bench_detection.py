# SPDX-License-Identifier: Apache-2.0
"""Time the geometric detector by stage: a walled plate with 10 boxes, 640x480 depth, one core.

    python benchmarks/bench_detection.py

Once on all valid pixels, as the detection node runs it, and once on 20 000 points. The goal is 300 ms.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
from machine import describe_machine, use_one_core

from anygrasp_perception.camera import CameraIntrinsics, RgbdFrame
from anygrasp_perception.cloud import PointCloud
from anygrasp_perception.detector import DetectionRequest, DetectionResult
from anygrasp_perception.geometric_detector import GeometricDetector

GOAL_MS = 300.0
POINTS = 20_000
CAMERA = CameraIntrinsics(fx=615.0, fy=615.0, cx=319.5, cy=239.5, width=640, height=480)
CAMERA_HEIGHT_M = 0.75
PLATE_HALF_M = 0.18
WALL_M = 0.008, 0.04  # thickness, height
NOISE_M = 0.0015


def make_frame(rng: np.random.Generator) -> RgbdFrame:
    """Return a noisy depth image of boxes on a walled plate; of each box only the top shows."""
    columns, rows = np.meshgrid(np.arange(CAMERA.width), np.arange(CAMERA.height))
    rays = np.stack([(columns - CAMERA.cx) / CAMERA.fx, (rows - CAMERA.cy) / CAMERA.fy], axis=-1)
    depth = np.full(columns.shape, CAMERA_HEIGHT_M)
    thickness, wall = WALL_M
    at_wall_height = np.abs(rays * (CAMERA_HEIGHT_M - wall)).max(axis=-1)
    depth[(at_wall_height > PLATE_HALF_M) & (at_wall_height < PLATE_HALF_M + thickness)] -= wall
    centres = np.stack(np.meshgrid((-0.12, -0.04, 0.04, 0.12), (-0.11, 0.0, 0.11)), axis=-1).reshape(-1, 2)
    for centre in rng.permutation(centres)[:10]:
        half, height, yaw = (
            rng.uniform((0.01, 0.02), (0.025, 0.035)),
            rng.uniform(0.02, 0.06),
            rng.uniform(0, np.pi),
        )
        local = rays * (CAMERA_HEIGHT_M - height) - centre
        turned = local @ np.array([(np.cos(yaw), -np.sin(yaw)), (np.sin(yaw), np.cos(yaw))])
        depth[(np.abs(turned) < half).all(axis=-1)] = CAMERA_HEIGHT_M - height
    depth += rng.normal(0.0, NOISE_M, depth.shape)
    return RgbdFrame(None, depth.astype(np.float32), CAMERA)


def bench(name: str, cloud: Callable[[], PointCloud], request: DetectionRequest, runs: int) -> None:
    """Print grasps, wall time by stage (a busy machine adds to it) and CPU time of `runs` runs."""
    detector = GeometricDetector()
    results: list[DetectionResult] = []
    wall_ms, cpu_ms = [], []
    for _ in range(runs + 1):  # the first warms up
        wall, cpu = time.perf_counter(), time.process_time()
        results.append(detector.detect(cloud(), request))
        wall_ms.append(1e3 * (time.perf_counter() - wall))
        cpu_ms.append(1e3 * (time.process_time() - cpu))
    stages = {stage: [1e3 * r.durations_s[stage] for r in results[1:]] for stage in results[-1].durations_s}
    last, median = results[-1], float(np.median(cpu_ms[1:]))
    print(f"{name}: {len(last.grasps)} grasps of {last.candidates} candidates")
    print(f"  rejected: {last.rejected.summary()}")
    print("  wall by stage, median ms: " + ", ".join(f"{s} {np.median(ms):.1f}" for s, ms in stages.items()))
    print(
        f"  wall min {min(wall_ms[1:]):.0f} ms, median {np.median(wall_ms[1:]):.0f} ms; CPU min "
        f"{min(cpu_ms[1:]):.0f} ms, median {median:.0f} ms; goal {GOAL_MS:.0f} ms "
        f"{'met' if median <= GOAL_MS else 'MISSED'}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=10)
    arguments = parser.parse_args()
    use_one_core()
    print(describe_machine())
    rng = np.random.default_rng(0)
    frame = make_frame(rng)
    few = frame.cloud()
    few = few.crop(rng.choice(len(few), POINTS, replace=False))
    half = PLATE_HALF_M - 0.01
    bin_request = DetectionRequest(
        region_min=np.array((-half, -half, 0.4)),
        region_max=np.array((half, half, CAMERA_HEIGHT_M)),
        approach=np.array((0.0, 0.0, 1.0)),
        approach_cone_rad=np.deg2rad(25),
    )
    bench(
        "640x480 depth, inside the plate, within 25 deg of vertical", frame.cloud, bin_request, arguments.runs
    )
    bench("640x480 depth, anywhere", frame.cloud, DetectionRequest(), arguments.runs)
    bench(f"{POINTS} points, inside the plate, within 25 deg", lambda: few, bin_request, arguments.runs)


if __name__ == "__main__":
    main()
