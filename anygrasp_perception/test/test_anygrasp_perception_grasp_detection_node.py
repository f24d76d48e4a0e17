# SPDX-License-Identifier: Apache-2.0
"""The detection node over real DDS: grasps for a good image, a clear error for a bad one, and it lives on."""

import threading

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from detection_bench import FRAME, TIMEOUT_S, Bench, box_scene
from geometry_msgs.msg import Point, Vector3
from sensor_msgs.msg import CameraInfo, Image
from visualization_msgs.msg import MarkerArray

from anygrasp_msgs.msg import GraspArray
from anygrasp_msgs.srv import DetectGrasps
from anygrasp_perception.ros_conversions import image_to_msg


@pytest.fixture(scope="module")
def bench():
    bench = Bench(detector="geometric")
    yield bench
    bench.close()


@pytest.fixture(autouse=True)
def node_lives_on(bench):
    """After whatever a test did, a good image still gives grasps."""
    yield
    bench.show()
    response = bench.detect()
    assert response.error_code == ""
    assert len(response.grasps.grasps) > 0


def test_image_before_any_camera_info_is_refused(bench):
    bench.show(info=None)
    response = bench.detect()
    assert response.error_code == "BAD_IMAGE"
    assert "camera_info" in response.error_msg


def test_grasps_are_sorted_and_keep_the_header_of_the_image(bench):
    bench.show()
    grasps = bench.detect(max_grasps=20).grasps
    scores = [grasp.score for grasp in grasps.grasps]
    assert 0 < len(scores) <= 20
    assert scores == sorted(scores, reverse=True)
    assert (grasps.header.frame_id, grasps.header.stamp.sec) == (FRAME, bench.stamp_s)
    assert grasps.detector == "geometric"
    assert {duration.stage for duration in grasps.durations} >= {"cloud", "total"}
    assert grasps.candidates == len(grasps.grasps) + sum(count.count for count in grasps.rejected)


def test_grasps_and_markers_are_published_while_somebody_listens(bench):
    seen = {GraspArray: threading.Event(), MarkerArray: threading.Event()}
    subscriptions = [
        bench.node.create_subscription(kind, topic, lambda _, kind=kind: seen[kind].set(), 10)
        for kind, topic in ((GraspArray, "grasps"), (MarkerArray, "markers"))
    ]
    for _ in range(20):  # discovery takes a moment, and only listeners make the node detect by itself
        bench.show()
        if all(event.wait(1.0) for event in seen.values()):
            break
    assert all(event.is_set() for event in seen.values())
    for subscription in subscriptions:
        bench.node.destroy_subscription(subscription)


def test_region_keeps_grasps_inside(bench):
    bench.show()
    low, high = Point(x=-0.5, y=0.0, z=0.0), Point(x=0.5, y=0.5, z=1.0)
    grasps = bench.detect(use_region=True, region_min=low, region_max=high).grasps.grasps
    assert grasps
    assert all(grasp.pose.position.y >= 0 for grasp in grasps)


def test_mask_off_the_object_gives_no_grasp_but_reasons(bench):
    bench.show()
    mask = np.zeros((480, 640), np.uint8)
    mask[:50, :50] = 255
    response = bench.detect(mask=image_to_msg(mask, "mono8", bench.header()))
    assert response.error_code == ""
    assert response.grasps.grasps == []


@pytest.mark.parametrize(
    ("depth", "word"),
    [
        pytest.param(np.full((480, 640), np.nan, np.float32), "no valid depth", id="all NaN"),
        pytest.param(np.zeros((480, 640), np.float32), "no valid depth", id="all zero"),
        pytest.param(np.full((240, 320), 0.6, np.float32), "640", id="another size than colour"),
    ],
)
def test_unusable_depth_is_a_clear_error(bench, depth, word):
    bench.show(depth=depth)
    response = bench.detect()
    assert response.error_code == "BAD_IMAGE"
    assert word in response.error_msg


def test_empty_image_is_a_clear_error(bench):
    bench.show()
    bench.stamp_s += 1
    bench.color.publish(image_to_msg(box_scene()[0], "rgb8", bench.header()))
    bench.depth.publish(Image(header=bench.header(), encoding="32FC1"))
    assert bench.detect().error_code == "BAD_IMAGE"


def test_unknown_encoding_is_a_clear_error(bench):
    bench.stamp_s += 1
    bad = Image(header=bench.header(), height=480, width=640, encoding="bayer_rggb8", step=640)
    bench.stamp_s -= 1
    bench.show(color=bad)
    response = bench.detect()
    assert response.error_code == "BAD_IMAGE"
    assert "bayer_rggb8" in response.error_msg


def test_zero_intrinsics_are_a_clear_error(bench):
    bench.show(info=CameraInfo(width=640, height=480))
    response = bench.detect()
    assert response.error_code == "BAD_IMAGE"
    assert "camera_info" in response.error_msg


def test_no_image_in_time_is_a_clear_error(bench):
    future_stamp = Time(sec=bench.stamp_s + 1000)
    future = bench.client.call_async(DetectGrasps.Request(newer_than=future_stamp, timeout_s=0.2))
    done = threading.Event()
    future.add_done_callback(lambda _: done.set())
    assert done.wait(TIMEOUT_S)
    assert future.result().error_code == "NO_IMAGE"
    assert "does the camera" in future.result().error_msg


def test_one_stamp_from_the_future_does_not_shut_out_the_images_after_it(bench):
    now_s = bench.stamp_s
    bench.stamp_s += 3600
    bench.show()
    assert bench.detect().grasps.header.stamp.sec == bench.stamp_s
    bench.stamp_s = now_s
    for _ in range(20):  # a call may be there before the image
        bench.show()
        if bench.detect().grasps.header.stamp.sec == bench.stamp_s:
            return
    pytest.fail("no image is taken any more")


def test_unknown_frame_is_a_clear_error(bench):
    bench.show()
    high = Point(x=1.0, y=1.0, z=1.0)
    response = bench.detect(use_region=True, region_frame="atlantis", region_max=high)
    assert response.error_code == "TF_UNAVAILABLE"
    assert "atlantis" in response.error_msg


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"use_region": True}, id="empty region"),
        pytest.param({"use_approach": True, "approach_cone_rad": 0.5}, id="zero direction"),
        pytest.param({"use_approach": True, "approach": Vector3(z=1.0)}, id="zero cone"),
    ],
)
def test_contradicting_request_is_refused(bench, fields):
    bench.show()
    assert bench.detect(**fields).error_code == "BAD_REQUEST"


def test_mask_of_another_size_is_refused(bench):
    bench.show()
    mask = image_to_msg(np.ones((10, 10), np.uint8), "mono8", bench.header())
    response = bench.detect(mask=mask)
    assert response.error_code == "BAD_REQUEST"
    assert "10x10" in response.error_msg
