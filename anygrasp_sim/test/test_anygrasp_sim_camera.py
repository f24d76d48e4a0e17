# SPDX-License-Identifier: Apache-2.0
"""Off-screen rendering: true depth, true projection, and errors that help."""

import os
import subprocess
import sys

import mujoco
import numpy as np
import pytest

from anygrasp_perception.se3 import inverse, transform_points
from anygrasp_sim.camera import OffscreenCamera
from anygrasp_sim.cell_config import CellConfig
from anygrasp_sim.gl_context import RenderingUnavailable, create_gl_context, gl_backend
from anygrasp_sim.scenery import OVERHEAD_CAMERA, OVERVIEW_CAMERA, OVERVIEW_GROUP
from anygrasp_sim.world import build_world
from anygrasp_training.objects import make_object

CONFIG = CellConfig()


@pytest.fixture(scope="module")
def model():
    return build_world(CONFIG, [make_object("brick", 0, "brick")])


@pytest.fixture(scope="module")
def data(model):
    data = mujoco.MjData(model)
    data.qpos[:6] = CONFIG.home_joints_rad
    mujoco.mj_forward(model, data)
    return data


@pytest.fixture(scope="module")
def camera(model):
    with OffscreenCamera(model, OVERHEAD_CAMERA, 640, 480, hidden_groups=(OVERVIEW_GROUP,)) as camera:
        yield camera


@pytest.fixture(scope="module")
def frame(camera, data):
    return camera.render(data)


def test_shapes_and_types(frame):
    color, depth_m = frame
    assert color.shape == (480, 640, 3)
    assert color.dtype == np.uint8
    assert depth_m.shape == (480, 640)
    assert depth_m.dtype == np.float32


def test_depth_of_the_plate_floor_is_exact(frame):
    expected = CONFIG.camera_position_m[2] - CONFIG.plate_floor_m
    np.testing.assert_allclose(frame[1][180:300, 260:380], expected, atol=2e-5)


def test_plate_walls_appear_where_the_intrinsics_project_them(frame):
    half = CONFIG.plate_inner_size_m / 2
    top = CONFIG.plate_floor_m + CONFIG.plate_wall_height_m
    x, y = CONFIG.plate_center_m
    corners = np.array(
        [(x - half, y + half, top), (x + half, y - half, top)]
    )  # image: upper left, lower right
    (left, up), (right, low) = CONFIG.intrinsics.project(
        transform_points(inverse(CONFIG.T_base_camera), corners)
    )
    on_wall_top = np.abs(frame[1] - (CONFIG.camera_position_m[2] - top)) < 1e-4
    row, column = on_wall_top[240], on_wall_top[:, 320]
    assert np.flatnonzero(row[:320]).max() == pytest.approx(left, abs=1.0)
    assert np.flatnonzero(row[320:]).min() + 320 == pytest.approx(right, abs=1.0)
    assert np.flatnonzero(column[:240]).max() == pytest.approx(up, abs=1.0)
    assert np.flatnonzero(column[240:]).min() + 240 == pytest.approx(low, abs=1.0)


@pytest.mark.parametrize("joints", ["home_joints_rad", "drop_joints_rad"])
def test_waiting_arm_does_not_hide_the_plate(model, camera, data, joints):
    other = mujoco.MjData(model)
    other.qpos[:6] = getattr(CONFIG, joints)
    mujoco.mj_forward(model, other)
    plate = camera.render(other)[1][70:410, 150:490]
    assert plate.min() > 0.65


def test_nothing_in_view_has_zero_depth(model, data):
    with OffscreenCamera(model, OVERVIEW_CAMERA, 320, 240, hidden_groups=(0, 2, 4)) as camera:
        depth_m = camera.render(data)[1]
    assert (depth_m == 0).mean() > 0.9


def test_the_fancy_overview_shows_arm_bin_and_shadows(model, data):
    with OffscreenCamera(model, OVERVIEW_CAMERA, 320, 240, fancy=True) as camera:
        fancy = camera.picture(data).astype(int)
    with OffscreenCamera(model, OVERVIEW_CAMERA, 320, 240) as camera:
        plain = camera.picture(data).astype(int)
    blue = (fancy[..., 2] > fancy[..., 0] + 60).mean()
    assert 0.03 < blue < 0.4
    assert ((plain - fancy).sum(axis=2) > 60).mean() > 0.005


def test_unknown_camera_lists_the_choices(model):
    with pytest.raises(ValueError, match=r"'front'.*overhead, overview"):
        OffscreenCamera(model, "front", 64, 48)


def test_too_large_a_picture_names_the_limit(model):
    with pytest.raises(ValueError, match=r"4000x3000 exceeds.*1920x1440"):
        OffscreenCamera(model, OVERHEAD_CAMERA, 4000, 3000)


def test_a_closed_camera_says_so(model, data):
    camera = OffscreenCamera(model, OVERHEAD_CAMERA, 64, 48)
    camera.close()
    camera.close()
    with pytest.raises(RuntimeError, match="camera is closed"):
        camera.render(data)


def test_an_unknown_backend_lists_the_choices(monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "directx")
    gl_backend.cache_clear()
    try:
        with pytest.raises(RenderingUnavailable, match=r"'directx'.*egl, osmesa, glfw"):
            create_gl_context(8, 8)
    finally:
        gl_backend.cache_clear()


def test_a_process_with_no_say_in_the_backend_renders_and_exits_cleanly():
    program = (
        "import mujoco\n"  # before ours: the choice must not depend on who imports MuJoCo first
        "from anygrasp_sim.camera import OffscreenCamera\n"
        'model = mujoco.MjModel.from_xml_string(\'<mujoco><worldbody><camera name="c" pos="0 0 1"/>\'\n'
        '    \'<geom type="plane" size="1 1 1"/></worldbody></mujoco>\')\n'
        "data = mujoco.MjData(model)\n"
        "mujoco.mj_forward(model, data)\n"
        "camera = OffscreenCamera(model, 'c', 32, 24)\n"
        "print(round(float(camera.render(data)[1][12, 16]), 3))\n"
    )
    env = {
        name: value for name, value in os.environ.items() if name not in ("MUJOCO_GL", "PYOPENGL_PLATFORM")
    }
    run = subprocess.run(
        [sys.executable, "-c", program], env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert run.stdout.strip() == "1.0", run.stderr
    assert run.returncode == 0
    assert run.stderr == ""
