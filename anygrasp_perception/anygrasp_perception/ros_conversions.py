# SPDX-License-Identifier: Apache-2.0
"""Conversion between ROS messages and this package's types; the only module here that knows messages."""

from __future__ import annotations

import array

import numpy as np
from builtin_interfaces.msg import Time
from sensor_msgs.msg import CameraInfo, Image, PointCloud2, PointField
from std_msgs.msg import Header

from anygrasp_msgs.msg import Grasp, GraspArray, RejectCount, StageDuration
from anygrasp_perception.camera import CameraIntrinsics, FrameError
from anygrasp_perception.detector import DetectionResult
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.se3 import quat_xyzw_to_rotation, rotation_to_quat_xyzw

__all__ = [
    "camera_info_to_intrinsics",
    "cloud_from_msg",
    "cloud_to_msg",
    "color_from_msg",
    "depth_from_msg",
    "grasp_from_msg",
    "grasps_from_msg",
    "grasps_to_msgs",
    "image_to_msg",
    "intrinsics_to_camera_info",
    "mask_from_msg",
    "ns_to_stamp",
    "result_to_msg",
    "stamp_to_ns",
]

# encoding -> (dtype, channels)
_ENCODINGS = {
    "rgb8": (np.uint8, 3),
    "bgr8": (np.uint8, 3),
    "rgba8": (np.uint8, 4),
    "bgra8": (np.uint8, 4),
    "mono8": (np.uint8, 1),
    "8UC1": (np.uint8, 1),
    "16UC1": (np.uint16, 1),
    "mono16": (np.uint16, 1),
    "32FC1": (np.float32, 1),
}
_COLOR_ENCODINGS = ("rgb8", "bgr8", "rgba8", "bgra8", "mono8")
_DEPTH_ENCODINGS = ("16UC1", "mono16", "32FC1")
_MASK_ENCODINGS = ("mono8", "8UC1")
_POINT_BYTES = 16  # x, y, z and the packed colour, float32 each
_BGR_BYTES = slice(14, 11, -1)  # where the bytes of red, green, blue are in a point


def stamp_to_ns(stamp: Time) -> int:
    """Nanoseconds of a builtin_interfaces/Time."""
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)


def ns_to_stamp(time_ns: int) -> Time:
    """The builtin_interfaces/Time of a nanosecond count."""
    return Time(sec=time_ns // 1_000_000_000, nanosec=time_ns % 1_000_000_000)


def image_to_msg(image: np.ndarray, encoding: str, header: Header) -> Image:
    """sensor_msgs/Image of an (H, W) or (H, W, C) array whose dtype and channels are those of `encoding`.

    Raises:
        ValueError: the encoding is unknown or does not describe the array.
    """
    dtype, channels = _known_encoding(encoding, tuple(_ENCODINGS))
    height, width = image.shape[:2]
    if image.dtype != dtype or image.size != height * width * channels:
        raise ValueError(
            f"image of shape {image.shape} and dtype {image.dtype} is not {encoding}: "
            f"give {np.dtype(dtype)} with {channels} channel(s)"
        )
    message = Image(header=header, height=height, width=width, encoding=encoding, is_bigendian=0)
    message.step = width * channels * image.itemsize
    message.data = _bytes(image)
    return message


def color_from_msg(message: Image) -> np.ndarray:
    """RGB image (H, W, 3) uint8 of a colour image message.

    Raises:
        FrameError: wrong encoding, or less data than the message's own size says.
    """
    pixels = _pixels(message, _COLOR_ENCODINGS)
    if message.encoding == "mono8":
        return np.repeat(pixels[..., None], 3, axis=2)
    return np.ascontiguousarray(pixels[..., 2::-1] if message.encoding.startswith("bgr") else pixels[..., :3])


def depth_from_msg(message: Image) -> np.ndarray:
    """Depth (H, W) as stored: uint16 millimetres or float32 metres (REP 118).

    Raises:
        FrameError: wrong encoding, or less data than the message's own size says.
    """
    return _pixels(message, _DEPTH_ENCODINGS)


def mask_from_msg(message: Image) -> np.ndarray | None:
    """Boolean mask (H, W), or None for an image without pixels.

    Raises:
        FrameError: wrong encoding, or less data than the message's own size says.
    """
    if message.height == 0 or message.width == 0:
        return None
    return _pixels(message, _MASK_ENCODINGS) > 0


def camera_info_to_intrinsics(message: CameraInfo) -> CameraIntrinsics:
    """Pinhole intrinsics of a camera_info; the image must be rectified, as realsense-ros publishes it.

    Raises:
        ValueError: zero, negative or non-finite intrinsics (a camera that is not calibrated).
    """
    k = message.k
    return CameraIntrinsics(
        fx=float(k[0]),
        fy=float(k[4]),
        cx=float(k[2]),
        cy=float(k[5]),
        width=message.width,
        height=message.height,
    )


def intrinsics_to_camera_info(intrinsics: CameraIntrinsics, header: Header) -> CameraInfo:
    """camera_info of an undistorted pinhole camera."""
    fx, fy, cx, cy = intrinsics.fx, intrinsics.fy, intrinsics.cx, intrinsics.cy
    return CameraInfo(
        header=header,
        width=intrinsics.width,
        height=intrinsics.height,
        distortion_model="plumb_bob",
        d=[0.0] * 5,
        k=[fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0],
        r=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        p=[fx, 0.0, cx, 0.0, 0.0, fy, cy, 0.0, 0.0, 0.0, 1.0, 0.0],
    )


def cloud_to_msg(points: np.ndarray, colors: np.ndarray | None, header: Header) -> PointCloud2:
    """PointCloud2 (x y z rgb) of points (..., 3) in metres and colours (..., 3) uint8 RGB or None.

    Points of shape (H, W, 3) give an organised cloud; NaN marks a missing point.
    """
    height, width = points.shape[:2] if points.ndim == 3 else (1, len(points))
    packed = np.zeros((height * width, 4), dtype="<f4")
    packed[:, :3] = points.reshape(-1, 3)
    if colors is not None:
        packed.view(np.uint8)[:, _BGR_BYTES] = colors.reshape(-1, 3)
    message = PointCloud2(header=header, height=height, width=width, is_bigendian=False, is_dense=False)
    message.fields = [
        PointField(name=name, offset=4 * i, datatype=PointField.FLOAT32, count=1)
        for i, name in enumerate(("x", "y", "z", "rgb"))
    ]
    message.point_step = _POINT_BYTES
    message.row_step = _POINT_BYTES * width
    message.data = _bytes(packed)
    return message


def cloud_from_msg(message: PointCloud2) -> np.ndarray:
    """Points (N, 3) float32 of a PointCloud2 with float32 fields x, y, z; NaN points are kept.

    Raises:
        ValueError: x, y or z is missing or not float32.
    """
    offsets = {field.name: field.offset for field in message.fields if field.datatype == PointField.FLOAT32}
    missing = [name for name in "xyz" if name not in offsets]
    if missing:
        raise ValueError(f"point cloud has no float32 field {', '.join(missing)}; it has {sorted(offsets)}")
    order = ">" if message.is_bigendian else "<"
    layout = np.dtype(
        {
            "names": list("xyz"),
            "formats": [f"{order}f4"] * 3,
            "offsets": [offsets[name] for name in "xyz"],
            "itemsize": message.point_step,
        }
    )
    count = message.width * message.height
    packed = np.frombuffer(message.data, dtype=layout, count=count)
    return np.stack([packed[name] for name in "xyz"], axis=1).astype(np.float32)


def grasps_to_msgs(group: GraspGroup) -> list[Grasp]:
    """One Grasp message a grasp, in the group's order and frame."""
    scalars = np.stack([group.widths, group.heights, group.depths, group.scores, group.stable_scores], axis=1)
    poses = np.concatenate([group.translations, rotation_to_quat_xyzw(group.rotation_matrices)], axis=1)
    messages = []
    # Filling a default message is twice as fast as building it from its parts, which rclpy makes twice.
    for pose, scalar, object_id in zip(
        poses.tolist(), scalars.tolist(), group.object_ids.tolist(), strict=True
    ):
        message = Grasp()
        position, orientation = message.pose.position, message.pose.orientation
        position.x, position.y, position.z, orientation.x, orientation.y, orientation.z, orientation.w = pose
        message.width, message.height, message.depth, message.score, message.stable_score = scalar
        message.object_id = object_id
        messages.append(message)
    return messages


def grasps_from_msg(messages: list[Grasp]) -> GraspGroup:
    """GraspGroup of Grasp messages, in their order and frame.

    Raises:
        ValueError: a quaternion of zero length or a value that is not finite.
    """
    if not messages:
        return GraspGroup.empty()
    positions = np.array([(m.pose.position.x, m.pose.position.y, m.pose.position.z) for m in messages])
    quats_xyzw = np.array(
        [
            (m.pose.orientation.x, m.pose.orientation.y, m.pose.orientation.z, m.pose.orientation.w)
            for m in messages
        ]
    )
    return GraspGroup.from_arrays(
        rotation_matrices=quat_xyzw_to_rotation(quats_xyzw),
        translations=positions,
        widths=np.array([m.width for m in messages]),
        heights=np.array([m.height for m in messages]),
        depths=np.array([m.depth for m in messages]),
        scores=np.array([m.score for m in messages]),
        stable_scores=np.array([m.stable_score for m in messages]),
        object_ids=np.array([m.object_id for m in messages], dtype=np.int32),
    )


def grasp_from_msg(message: Grasp) -> GraspGroup:
    """Group of one; raises as `grasps_from_msg`."""
    return grasps_from_msg([message])


def result_to_msg(result: DetectionResult, header: Header) -> GraspArray:
    """GraspArray of a detection; `header` is that of the input image."""
    return GraspArray(
        header=header,
        grasps=grasps_to_msgs(result.grasps),
        candidates=result.candidates,
        rejected=[
            RejectCount(reason=reason, count=n) for reason, n in result.rejected.as_dict().items() if n
        ],
        durations=[
            StageDuration(stage=stage, duration_s=float(s)) for stage, s in result.durations_s.items()
        ],
        detector=result.detector,
    )


def _bytes(values: np.ndarray) -> array.array[int]:
    """The memory of an array as rclpy takes it quickly: other buffers cost a hundred times more."""
    data = array.array("B")
    data.frombytes(memoryview(np.ascontiguousarray(values)).cast("B"))
    return data


def _known_encoding(encoding: str, allowed: tuple[str, ...]) -> tuple[type, int]:
    if encoding not in allowed:
        raise FrameError(
            f"image encoding {encoding!r} is not supported here; use one of {', '.join(allowed)}"
        )
    return _ENCODINGS[encoding]


def _pixels(message: Image, allowed: tuple[str, ...]) -> np.ndarray:
    """View of the message's pixels, (H, W) or (H, W, C), rows' padding cut."""
    dtype, channels = _known_encoding(message.encoding, allowed)
    item = np.dtype(dtype).newbyteorder(">" if message.is_bigendian else "<")
    row_bytes = message.width * channels * item.itemsize
    if message.step < row_bytes or len(message.data) < message.step * message.height:
        raise FrameError(
            f"{message.encoding} image of {message.width}x{message.height} needs rows of {row_bytes} bytes; "
            f"the message has step {message.step} and {len(message.data)} bytes"
        )
    rows = np.frombuffer(message.data, np.uint8, count=message.step * message.height)
    rows = rows.reshape(message.height, message.step)[:, :row_bytes]
    pixels = np.ascontiguousarray(rows).view(item).reshape(message.height, message.width, channels)
    return pixels[..., 0] if channels == 1 else pixels
