# SPDX-License-Identifier: Apache-2.0
"""Camera sources: real librealsense playing a recording it made itself, and a folder of images."""

import json

import cv2
import numpy as np
import pyrealsense2 as rs
import pytest

from anygrasp_perception.cameras.image_folder import ImageFolderCamera, ImageFolderConfig
from anygrasp_perception.cameras.realsense import RealSenseCamera, RealSenseConfig
from anygrasp_perception.cameras.rgbd_camera import CameraError, EndOfRecording

WIDTH, HEIGHT, FOCAL = 640, 480, 600.0


def _video_stream(kind, uid, pixel_format, bytes_per_pixel):
    intrinsics = rs.intrinsics()
    intrinsics.width, intrinsics.height = WIDTH, HEIGHT
    intrinsics.fx, intrinsics.fy, intrinsics.ppx, intrinsics.ppy = FOCAL, FOCAL, 320.0, 240.0
    intrinsics.model, intrinsics.coeffs = rs.distortion.brown_conrady, [0.0] * 5
    stream = rs.video_stream()
    stream.type, stream.index, stream.uid, stream.fmt = kind, 0, uid, pixel_format
    stream.width, stream.height, stream.fps, stream.bpp = WIDTH, HEIGHT, 30, bytes_per_pixel
    stream.intrinsics = intrinsics
    return stream


def _software_frame(profile, pixels, number):
    frame = rs.software_video_frame()
    frame.pixels, frame.stride, frame.bpp = pixels, pixels.strides[0], pixels.strides[1]
    frame.timestamp, frame.frame_number = number * 1000 / 30, number
    frame.domain, frame.profile = rs.timestamp_domain.hardware_clock, profile.as_video_stream_profile()
    return frame


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """A recording of 15 frames, made by librealsense's recorder from a software device."""
    path = tmp_path_factory.mktemp("realsense") / "clip.db3"
    device = rs.software_device()
    depth_sensor, color_sensor = device.add_sensor("Stereo Module"), device.add_sensor("RGB Camera")
    depth = depth_sensor.add_video_stream(_video_stream(rs.stream.depth, 0, rs.format.z16, 2))
    color = color_sensor.add_video_stream(_video_stream(rs.stream.color, 1, rs.format.rgb8, 3))
    depth_sensor.add_read_only_option(rs.option.depth_units, 0.001)
    extrinsics = rs.extrinsics()
    extrinsics.rotation, extrinsics.translation = [1, 0, 0, 0, 1, 0, 0, 0, 1], [0, 0, 0]
    depth.register_extrinsics_to(color, extrinsics)
    recorder = rs.recorder(str(path), device)
    queue = rs.frame_queue(200)
    sensors = recorder.query_sensors()
    for sensor, profile in zip(sensors, (depth, color), strict=True):
        sensor.open(profile)
        sensor.start(queue)
    depth_mm = np.full((HEIGHT, WIDTH), 600, np.uint16)
    rgb = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    rgb[..., 0] = 200
    for number in range(1, 16):
        frame = _software_frame(depth, depth_mm, number)
        frame.depth_units = 0.001
        depth_sensor.on_video_frame(frame)
        color_sensor.on_video_frame(_software_frame(color, rgb, number))
        for _ in range(2):
            queue.wait_for_frame(5000)  # both are through the recorder before the next are sent
    for sensor in sensors:
        sensor.stop()
        sensor.close()
    del sensors, recorder
    return path


def test_recording_gives_aligned_millimetres_and_the_colour_intrinsics(recording):
    with RealSenseCamera(RealSenseConfig(recording=str(recording))) as camera:
        sample = camera.read(timeout_s=10)
    assert sample.color.shape == (HEIGHT, WIDTH, 3)
    assert sample.color[240, 320].tolist() == [200, 0, 0]
    assert sample.depth_mm[240, 320] == 600
    assert (sample.intrinsics.fx, sample.intrinsics.cy) == (FOCAL, 240.0)


def test_recording_ends_with_its_own_error(recording):
    config = RealSenseConfig(recording=str(recording), repeat=False)
    with RealSenseCamera(config) as camera, pytest.raises(EndOfRecording):
        [camera.read(timeout_s=1) for _ in range(100)]


def test_missing_recording_is_named():
    with (
        pytest.raises(CameraError, match=r"nowhere\.bag"),
        RealSenseCamera(RealSenseConfig(recording="nowhere.bag")),
    ):
        pass


def test_missing_device_says_what_to_do():
    if len(rs.context().query_devices()):
        pytest.skip("a RealSense is connected")
    with pytest.raises(CameraError, match="plug one"), RealSenseCamera(RealSenseConfig()):
        pass


def test_serial_and_recording_together_are_refused():
    with pytest.raises(ValueError, match="one of them"):
        RealSenseConfig(serial="1", recording="a.bag")


def test_reading_before_start_is_refused():
    with pytest.raises(CameraError, match="not started"):
        RealSenseCamera(RealSenseConfig()).read(timeout_s=1)


@pytest.fixture
def image_folder(tmp_path):
    """Two complete sets and one without depth."""
    for index, name in enumerate(("a", "b", "lonely")):
        cv2.imwrite(str(tmp_path / f"{name}_color.png"), np.full((4, 6, 3), 10 * index, np.uint8))
        if name != "lonely":
            cv2.imwrite(str(tmp_path / f"{name}_depth_mm.png"), np.full((4, 6), 500 + index, np.uint16))
            (tmp_path / f"{name}_intrinsics.json").write_text(
                json.dumps({"fx": 5.0, "fy": 5.0, "cx": 3.0, "cy": 2.0, "width": 6, "height": 4})
            )
    return tmp_path


def test_folder_is_played_in_order_and_repeats(image_folder):
    with ImageFolderCamera(ImageFolderConfig(str(image_folder))) as camera:
        depths = [int(camera.read(timeout_s=1).depth_mm[0, 0]) for _ in range(3)]
    assert depths == [500, 501, 500]


def test_folder_ends_without_repeat(image_folder):
    with ImageFolderCamera(ImageFolderConfig(str(image_folder), name="b", repeat=False)) as camera:
        camera.read(timeout_s=1)
        with pytest.raises(EndOfRecording):
            camera.read(timeout_s=1)


def test_unknown_image_name_lists_the_valid_ones(image_folder):
    camera = ImageFolderCamera(ImageFolderConfig(str(image_folder), name="c"))
    with pytest.raises(CameraError, match="it has a, b"):
        camera.__enter__()


def test_folder_without_images_is_refused(tmp_path):
    with pytest.raises(CameraError, match="holds no NAME_color"):
        ImageFolderCamera(ImageFolderConfig(str(tmp_path))).__enter__()
