# SPDX-License-Identifier: Apache-2.0
"""Messages that no camera and no client would send: refused with a reason, and the node answers on."""

import contextlib
import random

import numpy as np
from builtin_interfaces.msg import Time
from detection_bench import Bench
from geometry_msgs.msg import Point, Pose, Quaternion, Vector3
from hypothesis import given, settings
from hypothesis import strategies as st
from sensor_msgs.msg import CameraInfo, Image, PointCloud2, PointField
from std_msgs.msg import Header

from anygrasp_msgs.msg import Grasp
from anygrasp_msgs.srv import DetectGrasps
from anygrasp_perception.ros_conversions import (
    camera_info_to_intrinsics,
    cloud_from_msg,
    color_from_msg,
    depth_from_msg,
    grasps_from_msg,
    mask_from_msg,
)

ENCODINGS = ["rgb8", "bgra8", "mono8", "8UC1", "16UC1", "32FC1", "bayer_rggb8", "", "\x00", "ü" * 30]
sizes = st.one_of(st.integers(0, 5), st.sampled_from([640, 65_535, 2**31, 2**32 - 1]))
anything = st.floats(allow_nan=True, allow_infinity=True)
singles = st.floats(width=32, allow_nan=True, allow_infinity=True)
images = st.builds(
    lambda **fields: Image(**fields),
    height=sizes,
    width=sizes,
    step=sizes,
    encoding=st.sampled_from(ENCODINGS),
    is_bigendian=st.integers(0, 255),
    data=st.binary(max_size=64),
)
infos = st.builds(
    lambda **fields: CameraInfo(**fields),
    height=sizes,
    width=sizes,
    k=st.lists(anything, min_size=9, max_size=9),
    d=st.lists(anything, max_size=6),
    distortion_model=st.text(max_size=5),
)
fields = st.builds(
    lambda **fields: PointField(**fields),
    name=st.sampled_from(["x", "y", "z", "rgb", ""]),
    offset=sizes,
    datatype=st.integers(0, 255),
    count=sizes,
)
clouds = st.builds(
    lambda **fields: PointCloud2(**fields),
    height=sizes,
    width=sizes,
    fields=st.lists(fields, max_size=5),
    point_step=sizes,
    row_step=sizes,
    is_bigendian=st.booleans(),
    data=st.binary(max_size=64),
)
poses = st.builds(
    lambda x, y, z, a, b, c, d: Pose(
        position=Point(x=x, y=y, z=z), orientation=Quaternion(x=a, y=b, z=c, w=d)
    ),
    *[anything] * 7,
)
grasps = st.builds(
    lambda **fields: Grasp(**fields),
    pose=poses,
    width=singles,
    height=singles,
    depth=singles,
    score=singles,
    stable_score=singles,
    object_id=st.integers(-(2**31), 2**31 - 1),
)


@settings(max_examples=300, deadline=None)
@given(images, infos, clouds, st.lists(grasps, max_size=3))
def test_what_a_message_cannot_mean_is_a_value_error(image, info, cloud, several):
    for convert, message in (
        *((convert, image) for convert in (color_from_msg, depth_from_msg, mask_from_msg)),
        (camera_info_to_intrinsics, info),
        (cloud_from_msg, cloud),
        (grasps_from_msg, several),
    ):
        with contextlib.suppress(ValueError), np.errstate(all="ignore"):  # FrameError is one
            convert(message)


class Nonsense:
    """Messages of random fields that are mostly none."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def number(self) -> float:
        return self.chance.choice([0.0, -1.0, 600.0, 1e308, float("nan"), float("inf")])

    def size(self) -> int:
        return self.chance.choice([0, 1, 2, 480, 640, 2**32 - 1])

    def header(self, stamp_s: int) -> Header:
        stamp = Time(sec=stamp_s, nanosec=self.chance.choice([0, 999_999_999]))
        return Header(stamp=stamp, frame_id=self.chance.choice(["", "base", "atlantis", "\x00"]))

    def info(self, header: Header) -> CameraInfo:
        k = [self.number() for _ in range(9)]
        return CameraInfo(header=header, height=self.size(), width=self.size(), k=k)

    def image(self, header: Header) -> Image:
        return Image(
            header=header,
            height=self.size(),
            width=self.size(),
            step=self.size(),
            encoding=self.chance.choice(ENCODINGS),
            data=self.chance.randbytes(self.chance.choice([0, 1, 1000])),
        )

    def request(self, stamp_s: int) -> DetectGrasps.Request:
        return DetectGrasps.Request(
            newer_than=Time(sec=self.chance.choice([0, stamp_s, -1, 2**31 - 1])),
            timeout_s=self.chance.choice([0.01, -1.0, float("nan")]),
            max_grasps=self.chance.choice([0, 1, 2**31 - 1]),
            use_region=self.chance.random() < 0.5,
            region_frame=self.chance.choice(["", "atlantis"]),
            region_min=Point(x=self.number(), y=self.number(), z=self.number()),
            region_max=Point(x=self.number(), y=self.number(), z=self.number()),
            use_approach=self.chance.random() < 0.5,
            approach=Vector3(x=self.number(), y=self.number(), z=self.number()),
            approach_cone_rad=self.chance.choice([-1.0, 0.0, 1.0, float("nan")]),
            mask=self.image(Header()),
        )


def test_a_node_that_is_sent_nonsense_of_every_kind_answers_a_good_image():
    bench, nonsense = Bench(detector="geometric"), Nonsense(0)
    try:
        answers = []
        for _ in range(60):
            bench.stamp_s += 1
            header = nonsense.header(bench.stamp_s)
            bench.info.publish(nonsense.info(header))
            bench.color.publish(nonsense.image(header))
            bench.depth.publish(nonsense.image(header))
            answers.append(bench.client.call_async(nonsense.request(bench.stamp_s)))
        for _ in range(20):  # a call may be there before the image
            bench.show()
            answer = bench.detect()
            if answer.error_code == "":
                break
        assert answer.error_code == "", answer.error_msg
        assert len(answer.grasps.grasps) > 0
        assert {future.result().error_code for future in answers if future.done()} <= {
            *("NO_IMAGE", "BAD_IMAGE", "BAD_REQUEST", "TF_UNAVAILABLE")
        }
    finally:
        bench.close()
