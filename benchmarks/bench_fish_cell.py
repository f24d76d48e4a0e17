# SPDX-License-Identifier: Apache-2.0
"""How fast the fish cell runs, and what an image, the grasps in it and tracking cost; CPU time of one core.

    python benchmarks/bench_fish_cell.py

From the cloud to the predicted grasp the loop computes for each image
while it follows a fish; 5 Hz leave it 200 ms.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import time

import numpy as np
import torch
from machine import describe_machine

from anygrasp_sim.fish.fish_cell import FishCell
from anygrasp_sim.fish.flexiv_robot import SimulatedRizon
from anygrasp_tracking.body_motion import BodyMotion
from anygrasp_tracking.policies import make_policy
from anygrasp_tracking.selection import Best
from anygrasp_tracking.target import TrackState
from anygrasp_tracking.tracker import GraspTracker
from robot_drivers.dynamic_grasping.water_perception import WaterPerception, create_water_detector

SECONDS = 10.0
FRAMES = 12
LOOK_AHEAD_S = 0.8
WAYS = (("geometric", "appearance"), ("network", "association"))


def cpu_ms(work):
    """CPU milliseconds of a call, and what it returned."""
    begin_s = time.process_time()
    result = work()
    return 1000 * (time.process_time() - begin_s), result


def follow(cell, rizon, detector, policy):
    """Follow the best grasp for a while; prints medians."""
    eyes, tracker = WaterPerception(create_water_detector(detector)), GraspTracker(make_policy(policy))
    spent: dict[str, list[float]] = {}
    body = BodyMotion()
    target = None
    for index in range(FRAMES):
        rizon.advance(0.2)
        ms, image = cpu_ms(cell.render)
        spent.setdefault("rendering the image", []).append(ms)
        seen = (image, cell.time_s, cell.T_base_camera, cell.tcp_pose())
        about = None if target is None else target.grasp.translations[0]
        whole_ms, frame = cpu_ms(lambda seen=seen: eyes(*seen))
        near_ms = whole_ms
        if about is not None:
            near_ms, frame = cpu_ms(lambda seen=seen, about=about: eyes(*seen, about))
        tracking_ms, result = cpu_ms(lambda frame=frame: tracker.update(frame))
        if index == 0:
            (target,) = tracker.select(Best())
            continue
        target = result.targets[0]
        if target.state is TrackState.LOST:
            (target,) = tracker.select(Best())
            body.clear()
            continue
        look_ms, _ = cpu_ms(
            lambda frame=frame, pose=target.grasp.poses[0]: body.look(frame.time_s, frame.raised, pose)
        )
        later = target.track_id, cell.time_s + LOOK_AHEAD_S
        predicted_ms, _ = cpu_ms(lambda later=later: tracker.predict(*later))
        for name, value in (
            ("all grasps in it", whole_ms),
            ("grasps around the target", near_ms),
            ("tracking and prediction", tracking_ms + predicted_ms),
            ("a look at its body", look_ms),
            ("cloud to predicted grasp", near_ms + tracking_ms + predicted_ms + look_ms),
        ):
            spent.setdefault(name, []).append(value)
    print(f"{detector}, {policy}:")
    for name, values in spent.items():
        print(f"  {name}: median {np.median(values):.0f} ms, worst {max(values):.0f} ms")
    print(f"  {1000 / np.median(spent['cloud to predicted grasp']):.1f} Hz on one core")


def main():
    torch.set_num_threads(1)
    print(describe_machine())
    with FishCell() as cell:
        rizon = SimulatedRizon(cell)
        spent_ms, _ = cpu_ms(lambda: rizon.advance(SECONDS))
        print(f"eight fish and an arm, physics and controller: {1000 * SECONDS / spent_ms:.1f} x real time")
        cell.render()
        for detector, policy in WAYS:
            follow(cell, rizon, detector, policy)


if __name__ == "__main__":
    main()
