# SPDX-License-Identifier: Apache-2.0
"""The cell's model: kinematics as the controller computes them, contact settings, objects as drawn."""

import mujoco
import numpy as np
import pytest

from anygrasp_sim.cell_config import CellConfig
from anygrasp_sim.emulators.ur_kinematics import UrKinematics
from anygrasp_sim.world import build_world
from anygrasp_training.objects import make_object

# Universal Robots, "DH parameters for calculations of kinematics and dynamics", UR5e.
A_M = (0.0, -0.425, -0.3922, 0.0, 0.0, 0.0)
D_M = (0.1625, 0.0, 0.0, 0.1333, 0.0997, 0.0996)
ALPHA_RAD = (np.pi / 2, 0.0, 0.0, np.pi / 2, -np.pi / 2, 0.0)


def flange_pose(joints_rad):
    T = np.eye(4)
    for a, d, alpha, theta in zip(A_M, D_M, ALPHA_RAD, joints_rad, strict=True):
        c, s, ca, sa = np.cos(theta), np.sin(theta), np.cos(alpha), np.sin(alpha)
        T = T @ [[c, -s * ca, s * sa, a * c], [s, c * ca, -c * sa, a * s], [0, sa, ca, d], [0, 0, 0, 1]]
    return T


@pytest.fixture(scope="module")
def items():
    return [make_object("can", 0, "one"), make_object("mug", 1, "two")]


@pytest.fixture(scope="module")
def model(items):
    return build_world(CellConfig(), items)


@pytest.fixture
def data(model):
    return mujoco.MjData(model)


def test_flange_is_where_the_controller_computes_it(model, data):
    rng = np.random.default_rng(0)
    for joints in rng.uniform(-3, 3, size=(100, 6)):
        data.qpos[:6] = joints
        mujoco.mj_kinematics(model, data)
        site = data.site("attachment_site")
        expected = flange_pose(joints)
        np.testing.assert_allclose(site.xpos, expected[:3, 3], atol=1e-9)
        np.testing.assert_allclose(site.xmat.reshape(3, 3), expected[:3, :3], atol=1e-9)


def test_gripper_closes_along_the_flange_y_and_reaches_along_its_z(model, data):
    mujoco.mj_kinematics(model, data)
    flange = data.site("attachment_site")
    pads = [data.xpos[model.body(f"gripper/{side}_pad").id] for side in ("left", "right")]
    across = (pads[0] - pads[1]) @ flange.xmat.reshape(3, 3)
    np.testing.assert_allclose(across / np.linalg.norm(across), (0, -1, 0), atol=1e-6)
    out = (np.mean(pads, axis=0) - flange.xpos) @ flange.xmat.reshape(3, 3)
    np.testing.assert_allclose(out[:2], 0, atol=1e-6)
    assert out[2] > 0.1


def test_contact_settings_are_those_that_hold(model):
    assert model.opt.cone == mujoco.mjtCone.mjCONE_ELLIPTIC
    assert model.opt.integrator == mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    assert model.opt.impratio == 10
    assert model.opt.noslip_iterations == 5
    assert model.opt.timestep == 0.002
    for name in ("left_pad1", "left_pad2", "right_pad1", "right_pad2"):
        pad = model.geom(f"gripper/{name}")
        assert pad.condim == 4
        assert pad.friction[0] == 1.0


def test_the_arm_weighs_nothing_and_objects_do(model):
    arm = [model.body(name).id for name in ("upper_arm_link", "wrist_3_link", "gripper/base")]
    assert np.all(model.body_gravcomp[arm] == 1)
    assert np.all(model.body_gravcomp[[model.body(name).id for name in ("one", "two")]] == 0)


def test_objects_keep_mass_inertia_and_shape(model, data, items):
    mujoco.mj_forward(model, data)
    for item in items:
        body = model.body(item.name)
        assert body.mass[0] == pytest.approx(item.mass_kg)
        np.testing.assert_allclose(body.ipos, 0, atol=1e-12)
        np.testing.assert_allclose(np.sort(body.inertia), np.linalg.eigvalsh(item.inertia_kg_m2), rtol=1e-6)
        geoms = range(body.geomadr[0], body.geomadr[0] + body.geomnum[0])
        assert len(geoms) == len(item.parts)
        corners = []
        for geom in geoms:
            mesh = model.mesh(model.geom_dataid[geom])
            start, count = mesh.vertadr[0], mesh.vertnum[0]
            vertices = model.mesh_vert[start : start + count]
            corners.append(vertices @ data.geom_xmat[geom].reshape(3, 3).T + data.geom_xpos[geom])
        points = np.concatenate(corners) - data.xpos[body.id]
        np.testing.assert_allclose(points.min(axis=0), item.mesh.bounds[0], atol=1e-5)
        np.testing.assert_allclose(points.max(axis=0), item.mesh.bounds[1], atol=1e-5)


def test_two_objects_of_one_name_are_refused(items):
    with pytest.raises(ValueError, match=r"unique.*one.*one"):
        build_world(CellConfig(), [items[0], items[0]])


@pytest.mark.parametrize("joints", ["home_joints_rad", "drop_joints_rad"])
def test_named_joints_hold_the_tool_straight_down_over_the_bin(joints):
    config = CellConfig()
    T_base_tcp = flange_pose(getattr(config, joints)) @ config.T_tool0_tcp
    np.testing.assert_allclose(T_base_tcp[:2, 3], config.bin_center_m, atol=1e-3)
    np.testing.assert_allclose(T_base_tcp[:3, 2], (0, 0, -1), atol=1e-4)
    assert T_base_tcp[2, 3] > config.bin_floor_m + config.bin_wall_height_m + 0.1


@pytest.mark.parametrize("tilt_deg", [0, 25])
def test_arm_reaches_the_whole_plate_without_leaving_its_branch(tilt_deg):
    config, kinematics = CellConfig(), UrKinematics("ur5e")
    reach = config.plate_inner_size_m / 2 - 0.01
    tilt = np.radians(tilt_deg)
    for x in (-reach, 0.0, reach):
        for y in (-reach, 0.0, reach):
            for heading in np.arange(4) * np.pi / 2 if tilt_deg else (0.0,):
                approach = np.array(
                    [np.sin(tilt) * np.cos(heading), np.sin(tilt) * np.sin(heading), -np.cos(tilt)]
                )
                closing = np.cross(approach, (0, 1, 0)) / np.linalg.norm(np.cross(approach, (0, 1, 0)))
                R = np.column_stack([np.cross(closing, approach), closing, approach])
                joints = np.array(config.home_joints_rad)
                path = []
                for back in np.linspace(0.10, 0.0, 26):
                    T = np.eye(4)
                    T[:3, :3] = R
                    T[:3, 3] = (config.plate_center_m[0] + x, config.plate_center_m[1] + y, 0.01)
                    T[:3, 3] -= back * approach + config.tcp_offset_m * approach
                    joints = kinematics.inverse(T, joints)
                    assert joints is not None, f"unreachable at {x:.2f} {y:.2f}"
                    path.append(joints)
                assert np.abs(np.diff(path, axis=0)).max() < 0.12  # rad over 4 mm
                assert abs(np.sin(path[-1][4])) > 0.5  # far from the wrist's singularity


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": -1}, "seed is -1"),
        ({"object_count": 0}, "object_count is 0"),
        ({"object_count": 31}, "holds 1 to 30"),
        ({"home_joints_rad": (0.0,) * 5}, "home_joints_rad has 5 angles"),
        ({"control_period_s": 0.005}, "whole multiple"),
    ],
)
def test_impossible_cells_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        CellConfig(**change)
