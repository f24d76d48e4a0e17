# SPDX-License-Identifier: Apache-2.0
"""Listing RealSense cameras, and what the doctor says of them; a recording is a camera to librealsense."""

from pathlib import Path

import cv2
import numpy as np
import pyrealsense2 as rs
import pytest

from anygrasp_bringup.doctor.camera import check_camera, check_device
from anygrasp_bringup.doctor.finding import Level
from anygrasp_bringup.doctor.settings import DoctorSettings
from anygrasp_perception.cameras.realsense_config import RealSenseConfig
from anygrasp_perception.cameras.realsense_devices import describe_realsense, list_realsense

BAG = Path(__file__).parent / "data" / "three_frames.bag"
SERIAL = "000000000001"


@pytest.fixture
def plugged():
    """A context in which librealsense has the recording as a connected device."""
    context = rs.context()
    device = context.load_device(str(BAG))  # is connected as long as somebody holds it
    yield context
    del device


def settings(**camera):
    return DoctorSettings(Path("none"), camera=RealSenseConfig(**camera))


def findings_of(settings, context=None):
    """Texts of the findings with their fixes, by level."""
    found = dict.fromkeys(Level, "")
    for finding in check_camera(settings, context):
        found[finding.level] += f"{finding.text} -> {finding.fix}\n"
    return found


def software_device(**infos):
    device = rs.software_device()
    for name, value in infos.items():
        device.register_info(getattr(rs.camera_info, name), value)
    return device


def test_connected_cameras_are_listed_by_serial_number(plugged):
    (device,) = list_realsense(plugged)
    assert (device.serial, device.usb) == (SERIAL, "unknown")
    assert "Software RealSense" in device.name


@pytest.mark.parametrize(
    ("firmware", "recommended", "newer"),
    [
        ("5.12.7.100", "5.16.0.1", "5.16.0.1"),
        ("5.16.0.1", "5.16.0.1", ""),
        ("5.17.0.0", "5.16.0.1", ""),
        ("unknown", "5.16.0.1", ""),
    ],
)
def test_only_a_newer_firmware_is_recommended(firmware, recommended, newer):
    infos = {"firmware_version": firmware, "recommended_firmware_version": recommended}
    assert describe_realsense(software_device(**infos)).newer_firmware == newer


def test_doctor_warns_of_a_slow_port_and_of_old_firmware():
    device = describe_realsense(
        software_device(
            name="Intel RealSense D435",
            serial_number="123",
            usb_type_descriptor="2.1",
            firmware_version="5.12.7.100",
            recommended_firmware_version="5.16.0.1",
        )
    )
    slow, old = check_device(device)
    assert slow.level is old.level is Level.WARNING
    assert "USB 2.1" in slow.text
    assert "USB 3" in slow.fix
    assert "5.16.0.1" in old.text


def test_doctor_takes_an_image_of_the_camera(plugged):
    found = findings_of(settings(width=160, height=120), plugged)
    assert f"{SERIAL}" in found[Level.OK]
    assert "the camera gives images of 160x120" in found[Level.OK]
    assert found[Level.PROBLEM] == ""


def test_doctor_says_which_sizes_there_are_where_the_configured_one_is_not(plugged):
    assert "160x120 at 30" in findings_of(settings(width=1920, height=1080), plugged)[Level.PROBLEM]


def test_doctor_names_the_cameras_that_are_there_instead(plugged):
    assert SERIAL in findings_of(settings(serial="999"), plugged)[Level.PROBLEM]


@pytest.mark.skipif(len(rs.context().query_devices()) > 0, reason="a camera is connected")
def test_doctor_says_what_to_do_without_a_camera():
    problem = findings_of(settings())[Level.PROBLEM]
    assert "no RealSense is connected" in problem
    assert "2.54.2" in problem


def test_doctor_plays_a_recording():
    found = findings_of(settings(recording=str(BAG)))
    assert "the recording gives images of 160x120" in found[Level.OK]
    assert "does not exist" in findings_of(settings(recording="/none.db3"))[Level.PROBLEM]


def test_doctor_warns_of_images_without_depth(tmp_path):
    cv2.imwrite(str(tmp_path / "a_color.png"), np.zeros((12, 16, 3), np.uint8))
    depth_mm = np.zeros((12, 16), np.uint16)
    depth_mm[:2] = 600
    cv2.imwrite(str(tmp_path / "a_depth_mm.png"), depth_mm)
    (tmp_path / "a_intrinsics.json").write_text(
        '{"fx": 15, "fy": 15, "cx": 8, "cy": 6, "width": 16, "height": 12}'
    )
    warning = findings_of(DoctorSettings(Path("none"), image_folder=str(tmp_path)))[Level.WARNING]
    assert "17% of the pixels with depth" in warning
    assert "projector" in warning
