# SPDX-License-Identifier: Apache-2.0
"""The RealSense pipeline on real librealsense: a software device, its recordings, and a camera unplugged."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pyrealsense2 as rs
import pytest

from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_perception.cameras import record_cli
from anygrasp_perception.cameras.realsense import RealSenseCamera
from anygrasp_perception.cameras.realsense_config import (
    DepthFilterConfig,
    HoleFilling,
    RealSenseConfig,
    RealSensePreset,
)
from anygrasp_perception.cameras.realsense_frames import FrameProcessor
from anygrasp_perception.cameras.realsense_presets import apply_preset
from anygrasp_perception.cameras.rgbd_camera import BadFrame, CameraError, EndOfRecording
from anygrasp_perception.cameras.software_realsense import SoftwareRealSense

WIDTH, HEIGHT = 160, 120
COLOR = CameraIntrinsics(150.0, 150.0, 80.0, 60.0, WIDTH, HEIGHT)
TIMEOUT_S = 10.0
NO_FILTERS = DepthFilterConfig()
SERIAL = "000000000001"
INNER = np.s_[15:-15, 15:-15]  # alignment and lens leave the border without depth
BAG = Path(__file__).parent / "data" / "three_frames.bag"


def plane(depth=600):
    return np.full((HEIGHT, WIDTH), depth, np.uint16)


def see(color, seen_depth, filters=NO_FILTERS, count=1, **camera):
    """The last of `count` samples of a software device that sees the same images each time."""
    with SoftwareRealSense(COLOR, **camera) as device:
        processor = FrameProcessor(rs, filters, stereo=True)
        device.send(1, 1_700_000_000, color, plane())
        device.flush(TIMEOUT_S)
        for number in range(2, count + 2):
            image = seen_depth(number) if callable(seen_depth) else seen_depth
            device.send(number, 1_700_000_000 + number / 30, color, image)
            sample = processor.process(device.frames(TIMEOUT_S))
    return sample


@pytest.fixture
def gray():
    return np.full((HEIGHT, WIDTH, 3), 128, np.uint8)


def test_sample_holds_what_the_device_saw(gray):
    gray[10, 20] = (250, 130, 5)
    sample = see(gray, plane())
    assert sample.color[10, 20].tolist() == [250, 130, 5]
    assert (sample.depth_mm[INNER] == 600).all()
    assert sample.intrinsics == COLOR
    assert sample.capture_time_s == pytest.approx(1_700_000_000 + 2 / 30, abs=1e-3)


def test_depth_is_aligned_to_colour(gray):
    depth = plane(1000)
    depth[40:80, 60:100] = 500
    wide = CameraIntrinsics(100.0, 100.0, 80.0, 60.0, WIDTH, HEIGHT)
    sample = see(gray, depth, depth=wide, baseline_m=0.05)
    near = np.argwhere(sample.depth_mm == 500)
    # x_color = (x_depth - 80) * 0.5 / 100 + 0.05 m, projected with 150 px at 0.5 m.
    np.testing.assert_allclose(near[:, 1].min(), 80 + 150 / 100 * (60 - 80) + 150 * 0.05 / 0.5, atol=2)
    np.testing.assert_allclose(near[:, 0].max(), 60 + 150 / 100 * (79 - 60), atol=2)


def test_finer_depth_unit_becomes_millimetres(gray):
    assert (see(gray, plane(6004), depth_unit_m=1e-4).depth_mm[INNER] == 600).all()


def noisy(number):
    noise = np.random.default_rng(number).normal(0, 4, (HEIGHT, WIDTH))
    return np.rint(600 + noise).astype(np.uint16)


@pytest.mark.parametrize("filters", [DepthFilterConfig(spatial=True), DepthFilterConfig(temporal=True)])
def test_smoothing_filters_halve_the_noise_and_keep_the_level(gray, filters):
    raw = see(gray, noisy, count=8).depth_mm[INNER].astype(float)
    smooth = see(gray, noisy, filters, count=8).depth_mm[INNER].astype(float)
    assert smooth.std() < 0.6 * raw.std()
    assert smooth.mean() == pytest.approx(600, abs=1)


def test_holes_are_filled_only_on_request(gray):
    depth = plane()
    depth[50:56, 70:76] = 0
    assert (see(gray, depth).depth_mm[50:56, 70:76] == 0).all()
    filled = see(gray, depth, DepthFilterConfig(hole_filling=HoleFilling.NEAREST))
    assert (filled.depth_mm[50:56, 70:76] == 600).all()


def test_depth_outside_the_distances_is_dropped(gray):
    depth = plane()
    depth[:, :40], depth[:, 120:] = 200, 1500
    sample = see(gray, depth, DepthFilterConfig(min_distance_m=0.3, max_distance_m=1.0))
    assert set(np.unique(sample.depth_mm)) == {0, 600}
    assert (sample.depth_mm[5:-5, 45:115] == 600).all()


def test_lens_distortion_is_undone_in_both_images():
    distortion = [0.2, -0.3, 0.001, -0.002, 0.1]  # as strong as an L515's
    board = np.kron(np.indices((8, 10)).sum(0) % 2, np.ones((15, 16))).astype(np.uint8) * 200
    truth = cv2.GaussianBlur(np.repeat(board[..., None], 3, 2), (0, 0), 1.5)
    pixels = (
        np.stack(np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT)), -1).reshape(-1, 1, 2).astype(np.float32)
    )
    ideal = cv2.undistortPoints(pixels, COLOR.matrix, np.array(distortion), P=COLOR.matrix)
    seen = cv2.remap(truth, ideal.reshape(HEIGHT, WIDTH, 2), None, cv2.INTER_LINEAR)
    depth = plane()
    sample = see(seen, depth, color_distortion=distortion, baseline_m=1e-5)
    before = np.abs(seen[INNER].astype(int) - truth[INNER]).mean()
    after = np.abs(sample.color[INNER].astype(int) - truth[INNER]).mean()
    assert after < 0.2 * before
    by_opencv = cv2.undistort(seen, COLOR.matrix, np.array(distortion))
    assert np.abs(sample.color[INNER].astype(int) - by_opencv[INNER]).max() <= 8
    assert (sample.depth_mm[INNER] == 600).all()


def test_frames_without_depth_are_told_from_lost_ones(gray):
    with pytest.raises(BadFrame) as caught:
        see(gray, plane(0))
    assert caught.value.reason == "no_depth"
    with SoftwareRealSense(COLOR) as device:
        device.send(1, 1.0, gray, None)
        frames = device.frames(TIMEOUT_S)
        with pytest.raises(BadFrame) as caught:
            FrameProcessor(rs, DepthFilterConfig(), stereo=True).process(frames)
    assert caught.value.reason == "incomplete"


def test_preset_sets_what_the_camera_has_and_names_what_it_lacks():
    camera = SoftwareRealSense(COLOR)
    device, sensor = camera.device, camera.sensors[0]
    span = rs.option_range()
    span.min, span.max, span.step, span.default = 0, 10, 1, 0
    sensor.add_option(rs.option.visual_preset, span, True)
    notes = apply_preset(rs, device, RealSensePreset.BIN_PICKING)
    assert sensor.get_option(rs.option.visual_preset) == int(rs.rs400_visual_preset.high_accuracy)
    assert "visual_preset = high_accuracy" in notes
    assert "emitter_enabled: this camera has none" in notes
    assert apply_preset(rs, device, RealSensePreset.NONE) == []


def test_every_preset_names_options_that_librealsense_has():
    from anygrasp_perception.cameras import realsense_presets as presets

    for lines in presets._SETTINGS.values():
        for line, settings in lines.items():
            enum = getattr(rs, presets._VISUAL_PRESETS[line])
            for name, value in settings:
                assert hasattr(rs.option, name)
                assert hasattr(enum, value) if isinstance(value, str) else True


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"spatial_alpha": 0.1}, "spatial_alpha is 0.1; it must be 0.25 to 1"),
        ({"temporal_persistency": 9}, "it must be 0 to 8"),
        ({"min_distance_m": 0.5, "max_distance_m": 0.4}, "must be above min_distance_m"),
        ({"min_distance_m": float("nan")}, "must be 0 or more"),
    ],
)
def test_filter_values_out_of_range_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        DepthFilterConfig(**values)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A folder of five images whose depth counts up from 501 mm."""
    folder = tmp_path_factory.mktemp("images")
    for index in range(1, 6):
        cv2.imwrite(str(folder / f"{index}_color.png"), np.full((HEIGHT, WIDTH, 3), 40 * index, np.uint8))
        cv2.imwrite(str(folder / f"{index}_depth_mm.png"), plane(500 + index))
        text = json.dumps({"fx": 150, "fy": 150, "cx": 80, "cy": 60, "width": WIDTH, "height": HEIGHT})
        (folder / f"{index}_intrinsics.json").write_text(text)
    return folder


@pytest.fixture(scope="module")
def recording(images, tmp_path_factory):
    """The five images as `./run record` records them."""
    path = tmp_path_factory.mktemp("recording") / "clip.db3"
    assert record_cli.main(["--out", str(path), "--from-images", str(images)]) == 0
    return path


def read_all(camera, samples):
    while True:
        samples.append(camera.read(TIMEOUT_S))


def play(path):
    """Depths of the samples to the end; at its own pace, so a slow reader misses some."""
    samples = []
    config = RealSenseConfig(recording=str(path), repeat=False)
    with RealSenseCamera(config) as camera, pytest.raises(EndOfRecording, match="played to its end"):
        read_all(camera, samples)
    return [(int(sample.depth_mm[60, 80]), int(sample.color[60, 80, 0])) for sample in samples]


def test_recorded_images_come_back_in_order_and_in_pairs(recording):
    played = play(recording)
    assert len(played) >= 2
    assert played == sorted(played)
    assert all(color == 40 * (depth - 500) for depth, color in played)


def test_recording_is_played_again_and_again(recording):
    with RealSenseCamera(RealSenseConfig(recording=str(recording))) as camera:
        depths = [int(camera.read(TIMEOUT_S).depth_mm[60, 80]) for _ in range(12)]
        assert SERIAL in camera.describe()
    assert (np.diff(depths) < 0).any()  # it began anew


def test_bag_of_an_older_librealsense_is_played():
    assert play(BAG)[-1] == (603, 90)


def test_file_that_is_no_recording_is_refused(tmp_path):
    path = tmp_path / "broken.db3"
    path.write_bytes(b"not a recording")
    with (
        pytest.raises(CameraError, match="whole recording"),
        RealSenseCamera(RealSenseConfig(recording=str(path))),
    ):
        pass


@pytest.fixture
def plugged(recording):
    """A context in which librealsense has the recording as a connected device."""
    context = rs.context()
    device = context.load_device(str(recording))  # is connected as long as somebody holds it
    yield context
    del device


def device_config(**values):
    return RealSenseConfig(width=WIDTH, height=HEIGHT, **values)


def test_device_is_found_by_its_serial_number(plugged):
    with RealSenseCamera(device_config(serial=SERIAL), plugged) as camera:
        assert camera.read(TIMEOUT_S).depth_mm[60, 80] > 500
        assert SERIAL in camera.describe()


def test_wrong_serial_number_lists_the_devices_and_explains_the_l515(plugged):
    with (
        pytest.raises(CameraError, match=rf"connected: {SERIAL}\. An L515 needs pyrealsense2 2\.54\.2"),
        RealSenseCamera(device_config(serial="42"), plugged),
    ):
        pass


def test_size_that_the_device_lacks_lists_those_it_offers(plugged):
    with (
        pytest.raises(CameraError, match=f"it offers Depth {WIDTH}x{HEIGHT} at 30; Color"),
        RealSenseCamera(RealSenseConfig(serial=SERIAL), plugged),
    ):
        pass


def test_unplugged_device_is_reported_lost_and_found_again(plugged, recording):
    with RealSenseCamera(device_config(), plugged) as camera:
        camera.read(TIMEOUT_S)
        plugged.unload_device(str(recording))
        with pytest.raises(CameraError, match="still plugged in"):
            [camera.read(timeout_s=0.2) for _ in range(20)]
    with pytest.raises(CameraError, match="no RealSense"), RealSenseCamera(device_config(), plugged):
        pass
    _device = plugged.load_device(str(recording))
    with RealSenseCamera(device_config(), plugged) as camera:
        assert camera.read(TIMEOUT_S).depth_mm[60, 80] > 500


def test_interrupt_leaves_a_whole_recording(images, tmp_path):
    path = tmp_path / "clip.db3"
    command = [sys.executable, "-m", "anygrasp_perception.cameras.record_cli", "--out", str(path)]
    recorder = subprocess.Popen(
        [*command, "--from-images", str(images), "--seconds", "600"], stderr=subprocess.PIPE
    )
    for _ in range(2):
        assert b"recording" in os.read(recorder.stderr.fileno(), 200)  # a second long by now
    recorder.send_signal(signal.SIGINT)
    recorder.communicate(timeout=30)
    assert recorder.returncode == 0
    assert len(play(path)) >= 2
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "clip.bag"], "must end in .db3"),
        (["--out", "nowhere/clip.db3"], "no folder"),
        (["--out", "clip.db3", "--from-images", "nowhere"], "holds no NAME_color.png"),
    ],
)
def test_what_cannot_be_recorded_is_refused(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert record_cli.main(arguments) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
