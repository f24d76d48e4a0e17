# SPDX-License-Identifier: Apache-2.0
"""How fast the fish cell runs, and what an image and the grasps in it cost; CPU time of one core."""

import time

import numpy as np
from machine import describe_machine

from anygrasp_perception.geometric_detector import GeometricDetector
from anygrasp_sim.fish.fish_cell import FishCell
from anygrasp_sim.fish.flexiv_robot import SimulatedRizon
from anygrasp_tracking.appearance_features import AppearanceFeatures
from anygrasp_tracking.correspondence import AssociationPolicy
from anygrasp_tracking.selection import Best
from anygrasp_tracking.tracker import GraspTracker
from anygrasp_tracking.tracking_frame import TrackingFrame
from robot_drivers.dynamic_grasping.water_perception import WaterPerception

SECONDS = 10.0
FRAMES = 10


def cpu_s(work):
    """CPU seconds of a call, and what it returned."""
    begin_s = time.process_time()
    result = work()
    return time.process_time() - begin_s, result


def main():
    print(describe_machine())
    with FishCell() as cell:
        rizon = SimulatedRizon(cell)
        spent_s, _ = cpu_s(lambda: rizon.advance(SECONDS))
        print(f"eight fish and an arm, physics and controller: {SECONDS / spent_s:.1f} x real time")
        eyes = WaterPerception(GeometricDetector())
        tracker = GraspTracker(AssociationPolicy(AppearanceFeatures()))
        images, detections, tracks = [], [], []
        cell.render()
        for index in range(FRAMES):
            rizon.advance(0.2)
            seconds, image = cpu_s(cell.render)
            images.append(seconds)
            pose, tool = cell.T_base_camera, cell.tcp_pose()
            seconds, frame = cpu_s(lambda image=image, pose=pose, tool=tool: eyes(image, 0.0, pose, tool))
            detections.append(seconds)
            frame = TrackingFrame(cell.time_s, frame.grasps, frame.cloud, frame.T_fixed_camera)
            seconds, _ = cpu_s(lambda frame=frame: tracker.update(frame))
            tracks.append(seconds)
            if index == 0:
                tracker.select(Best())
        for name, values in (("image", images), ("all grasps in it", detections), ("tracking", tracks[1:])):
            print(f"{name}: {1000 * np.median(values):.1f} ms")


if __name__ == "__main__":
    main()
