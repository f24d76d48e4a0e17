# SPDX-License-Identifier: Apache-2.0
"""The simulated 2F-85: calibration against the geometry, timing, force and object detection."""

import mujoco
import numpy as np
import pytest

from anygrasp_sim.arm_model import FINGER_PADS, load_arm
from anygrasp_sim.cell_config import CellConfig
from anygrasp_sim.emulators.robot_backend import GripperContact
from anygrasp_sim.gripper_model import (
    OPEN_WIDTH_M,
    SimulatedGripper,
    driver_angle,
    fingertip_reach,
    opening_width,
)

STEP_S = 0.002


class Rig:
    """The arm alone, holding still, with its gripper and, on demand, a block fixed between the fingers."""

    def __init__(self, block_m=None):
        spec = load_arm()
        spec.option.timestep = STEP_S
        spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
        if block_m:
            base = spec.body("gripper/base")
            base.add_geom(
                name="block",
                type=mujoco.mjtGeom.mjGEOM_BOX,
                pos=(0, 0, 0.150),
                size=(0.02, block_m / 2, 0.01),
                friction=(1, 0.01, 0.001),
            )
        self.model = spec.compile()
        self.data = mujoco.MjData(self.model)
        self.gripper = SimulatedGripper(self.model, self.data)

    def run(self, seconds):
        for _ in range(round(seconds / STEP_S)):
            self.gripper.advance(STEP_S)
            mujoco.mj_step(self.model, self.data)

    def run_until_stopped(self, limit_s=6.0):
        start = self.data.time
        while self.gripper.contact is GripperContact.MOVING:
            assert self.data.time - start < limit_s
            self.run(STEP_S)
        return self.data.time - start

    def pads_in_flange(self):
        """Inner gap and furthest reach of the pads' boxes in metres, straight from the geometry."""
        flange = self.data.site("attachment_site")
        R = flange.xmat.reshape(3, 3)
        inner, reach = [], []
        for side in FINGER_PADS:
            corners = []
            for name in side:
                geom = self.model.geom(name).id
                signs = np.stack(np.meshgrid([-1, 1], [-1, 1], [-1, 1]), axis=-1).reshape(-1, 3)
                world = signs * self.model.geom_size[geom] @ self.data.geom_xmat[geom].reshape(3, 3).T
                corners.append((world + self.data.geom_xpos[geom] - flange.xpos) @ R)
            points = np.concatenate(corners)
            inner.append(np.abs(points[:, 1]).min())
            reach.append(points[:, 2].max())
        return sum(inner), max(reach)


@pytest.fixture(scope="module")
def rig():
    return Rig()


@pytest.mark.parametrize("width_m", [0.085, 0.06, 0.04, 0.02, 0.005])
def test_calibration_agrees_with_the_geometry(rig, width_m):
    rig.gripper.command(width_m, 1.0, 1.0)
    rig.run(1.5)
    gap, reach = rig.pads_in_flange()
    assert rig.gripper.width_m == pytest.approx(gap, abs=5e-4)
    assert gap == pytest.approx(width_m, abs=1e-3)
    assert fingertip_reach(gap) == pytest.approx(reach, abs=5e-4)


def test_width_and_angle_invert_each_other():
    for width in np.linspace(0.0, OPEN_WIDTH_M, 18):
        assert opening_width(driver_angle(width)) == pytest.approx(width, abs=1e-9)


def test_fingertips_stay_by_the_tcp_over_typical_widths():
    tcp = CellConfig().tcp_offset_m
    offset = [fingertip_reach(width) - tcp for width in np.linspace(0.0, 0.06, 30)]
    assert max(offset) < 0.0015
    assert min(offset) > -0.005
    assert fingertip_reach(0.0) - fingertip_reach(OPEN_WIDTH_M) == pytest.approx(0.0132, abs=5e-4)


def test_full_stroke_takes_the_data_sheet_time():
    rig = Rig()
    times = {}
    for speed in (1.0, 0.0):
        rig.gripper.command(0.0, speed, 1.0)
        times[speed] = rig.run_until_stopped()
        assert rig.gripper.contact is GripperContact.AT_POSITION
        assert rig.gripper.width_m == pytest.approx(0.0, abs=2e-3)
        rig.gripper.command(OPEN_WIDTH_M, 1.0, 1.0)
        rig.run_until_stopped()
    assert times[1.0] == pytest.approx(0.085 / 0.150, abs=0.15)
    assert times[0.0] == pytest.approx(0.085 / 0.020, abs=0.3)


def test_a_block_stops_the_fingers_and_is_reported():
    rig = Rig(block_m=0.04)
    rig.gripper.command(0.0, 1.0, 0.5)
    assert rig.gripper.contact is GripperContact.MOVING
    rig.run_until_stopped()
    assert rig.gripper.contact is GripperContact.OBJECT_WHILE_CLOSING
    assert rig.gripper.width_m == pytest.approx(0.04, abs=3e-3)


def test_fingers_that_tremble_on_a_block_count_as_stopped():
    rig = Rig(block_m=0.04)
    size = rig.model.geom("block").size
    rig.gripper.command(0.0, 1.0, 0.5)
    widths = []
    while rig.gripper.contact is GripperContact.MOVING:
        assert rig.data.time < 1.0
        size[1] = 0.02 + 0.0004 * np.sin(2 * np.pi * 20 * rig.data.time)
        rig.run(STEP_S)
        widths.append(rig.gripper.width_m)
    assert rig.gripper.contact is GripperContact.OBJECT_WHILE_CLOSING
    last = np.array(widths[-20:])  # 40 ms
    assert np.ptp(last) > 2e-4  # they did tremble, and faster than what counted as standing still before
    assert last.mean() == pytest.approx(0.04, abs=3e-3)


def test_closing_to_just_the_width_of_a_block_counts_as_arrived():
    rig = Rig(block_m=0.04)
    rig.gripper.command(0.041, 1.0, 0.5)
    rig.run_until_stopped()
    assert rig.gripper.contact is GripperContact.AT_POSITION


def test_force_grows_with_the_command():
    forces = []
    for force in (0.0, 0.5, 1.0):
        rig = Rig(block_m=0.04)
        rig.gripper.command(0.0, 1.0, force)
        rig.run(1.0)
        total = np.zeros(6)
        normal = 0.0
        for index in range(rig.data.ncon):
            if rig.model.geom("block").id in rig.data.contact.geom[index]:
                mujoco.mj_contactForce(rig.model, rig.data, index, total)
                normal += total[0]
        forces.append(normal / 2)
    assert 2 < forces[0] < forces[1] < forces[2] < 235


def test_losing_the_object_resumes_closing():
    rig = Rig(block_m=0.04)
    rig.gripper.command(0.0, 1.0, 0.5)
    rig.run_until_stopped()
    rig.model.geom("block").contype = rig.model.geom("block").conaffinity = 0
    rig.run(0.1)
    assert rig.gripper.contact is GripperContact.MOVING
    rig.run_until_stopped()
    assert rig.gripper.contact is GripperContact.AT_POSITION
    assert rig.gripper.width_m == pytest.approx(0.0, abs=2e-3)
