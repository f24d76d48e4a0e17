# SPDX-License-Identifier: Apache-2.0
"""Camera sources without a camera: a folder of images, and what a RealSense says when it is not there."""

import json

import cv2
import numpy as np
import pyrealsense2 as rs
import pytest

from anygrasp_perception.cameras.image_folder import ImageFolderCamera, ImageFolderConfig
from anygrasp_perception.cameras.realsense import RealSenseCamera
from anygrasp_perception.cameras.realsense_config import RealSenseConfig
from anygrasp_perception.cameras.rgbd_camera import BadFrame, CameraError, EndOfRecording


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


def test_image_that_cannot_be_read_is_one_bad_frame(image_folder):
    (image_folder / "a_depth_mm.png").write_bytes(b"not a picture")
    with ImageFolderCamera(ImageFolderConfig(str(image_folder))) as camera:
        with pytest.raises(BadFrame, match="a_depth_mm") as caught:
            camera.read(timeout_s=1)
        assert caught.value.reason == "unreadable"
        assert camera.read(timeout_s=1).depth_mm[0, 0] == 501
