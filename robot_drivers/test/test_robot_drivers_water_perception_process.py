# SPDX-License-Identifier: Apache-2.0
"""The detector in its own process: the grasps that it gives in this one, and what happens when it dies."""

import multiprocessing
import os
import signal

import numpy as np
import pytest

from anygrasp_perception.camera import CameraIntrinsics, RgbdFrame
from robot_drivers.dynamic_grasping.water_perception import WaterPerception, create_water_detector
from robot_drivers.dynamic_grasping.water_perception_process import WaterPerceptionProcess
from robot_drivers.executors.perception import PerceptionError

INTRINSICS = CameraIntrinsics(fx=300.0, fy=300.0, cx=160.0, cy=120.0, width=320, height=240)
T_BASE_CAMERA = np.array([[1.0, 0, 0, 0.5], [0, -1, 0, 0.0], [0, 0, -1, 0.45], [0, 0, 0, 1]])
T_BASE_TCP = np.array([[1.0, 0, 0, 0.2], [0, -1, 0, 0.2], [0, 0, -1, 0.4], [0, 0, 0, 1]])


def fish_below():
    """A block of 12 x 3 cm that swims 6 cm below the surface, as a camera half a metre above reports it."""
    depth_m = np.full((240, 320), 0.59, np.float32)  # the floor, which refraction lifts
    depth_m[110:130, 120:200] = 0.54
    return RgbdFrame(np.full((240, 320, 3), 90, np.uint8), depth_m, INTRINSICS)


@pytest.fixture(scope="module")
def process():
    process = WaterPerceptionProcess("geometric")
    yield process
    process.close()


def look(perception):
    return perception(fish_below(), 3.0, T_BASE_CAMERA, T_BASE_TCP)


def test_grasps_are_those_that_the_detector_gives_in_this_process(process):
    here = look(WaterPerception(create_water_detector("geometric")))
    there = look(process)
    assert len(here.grasps) > 0
    np.testing.assert_array_equal(there.grasps.poses, here.grasps.poses)
    np.testing.assert_array_equal(there.raised, here.raised)
    assert there.time_s == 3.0
    assert str(there.detection.rejected) == str(here.detection.rejected)


def test_killed_process_is_an_error_and_the_next_image_starts_it_anew(process):
    look(process)
    (child,) = multiprocessing.active_children()
    os.kill(child.pid, signal.SIGKILL)
    with pytest.raises(PerceptionError, match=r"exit code -9"):
        look(process)
    assert len(look(process).grasps) > 0


def test_hanging_process_is_given_up_and_started_anew():
    others = multiprocessing.active_children()
    process = WaterPerceptionProcess("geometric", timeout_s=3.0)
    (hanging,) = set(multiprocessing.active_children()) - set(others)
    os.kill(hanging.pid, signal.SIGSTOP)
    with pytest.raises(PerceptionError, match=r"within 3 s \(exit code -9\)"):
        look(process)
    assert hanging not in multiprocessing.active_children()
    assert len(look(process).grasps) > 0
    process.close()


def test_failure_of_the_detector_is_told_and_it_lives_on(process):
    nowhere = np.full((4, 4), np.nan)
    with pytest.raises(PerceptionError, match="the detector failed"):
        process(fish_below(), 3.0, nowhere, T_BASE_TCP)
    assert len(look(process).grasps) > 0


def test_unknown_detector_is_refused_at_once():
    with pytest.raises(ValueError, match="psychic"):
        WaterPerceptionProcess("psychic")


def test_closing_ends_the_child():
    before = multiprocessing.active_children()
    process = WaterPerceptionProcess("geometric")
    assert len(multiprocessing.active_children()) == len(before) + 1
    process.close()
    process.close()
    assert multiprocessing.active_children() == before
    with pytest.raises(PerceptionError, match="ended"):
        look(process)
