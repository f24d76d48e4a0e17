# SPDX-License-Identifier: Apache-2.0
"""A parallel gripper with the stroke, speeds and forces of a 2F-85 and long printed jaws."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np

from anygrasp_perception.gripper import GripperGeometry

__all__ = [
    "FINGERS",
    "MAX_FORCE_N",
    "MAX_SPEED_M_S",
    "MIN_FORCE_N",
    "MIN_SPEED_M_S",
    "LongGripper",
    "add_gripper",
    "add_gripper_drive",
]

FINGERS = ("left_finger", "right_finger")
MAX_SPEED_M_S, MIN_SPEED_M_S = 0.150, 0.020  # data sheet of the 2F-85, between the fingers
MAX_FORCE_N, MIN_FORCE_N = 235.0, 20.0
_PAD_LENGTH_M = 0.09  # of the jaws, from the tip: what touches
_STIFFNESS = 4000.0  # N/m of each finger's servo
_STOPPED_M_S = 0.004
_STOP_TIME_S = 0.04
_TOLERANCE_M = 0.0015


def add_gripper(flange: Any, geometry: GripperGeometry, tip_m: float, friction: float) -> None:
    """Add palm and fingers to the flange's body; the tips reach `tip_m` along its z and close along its y."""
    root = tip_m - geometry.finger_length_m
    palm = flange.add_body(name="palm")
    palm.add_geom(
        type=mujoco.mjtGeom.mjGEOM_BOX,
        pos=(0, 0, root / 2),
        size=(geometry.base_height_m / 2, geometry.base_width_m / 2, root / 2),
        mass=0.8,
        rgba=(0.16, 0.17, 0.19, 1.0),
        contype=0,
        conaffinity=0,
    )
    pad = min(_PAD_LENGTH_M, geometry.finger_length_m)
    for name, side in zip(FINGERS, (1.0, -1.0), strict=True):
        finger = palm.add_body(name=name)
        finger.add_joint(
            name=name,
            type=mujoco.mjtJoint.mjJNT_SLIDE,
            axis=(0, side, 0),
            range=(0, geometry.max_width_m / 2),
            limited=mujoco.mjtLimited.mjLIMITED_TRUE,
            armature=0.2,  # the drive's, felt at the finger
            damping=20.0,
        )
        y = side * geometry.finger_thickness_m / 2
        for part, (start, end), touches in (
            ("root", (root, tip_m - pad), False),
            ("pad", (tip_m - pad, tip_m), True),
        ):
            finger.add_geom(
                name=f"{name}_{part}",
                type=mujoco.mjtGeom.mjGEOM_BOX,
                pos=(0, y, (start + end) / 2),
                size=(
                    geometry.finger_height_m / 2,
                    geometry.finger_thickness_m / 2,
                    (end - start) / 2,
                ),
                mass=0.05,
                rgba=(0.20, 0.22, 0.25, 1.0) if touches else (0.30, 0.32, 0.35, 1.0),
                contype=int(touches),
                conaffinity=int(touches),
                condim=4,
                priority=2,
                friction=(friction, 0.006, 0.0001),
                solref=(0.006, 1.0),
                solimp=(0.9, 0.98, 0.001, 0.5, 2.0),
            )


def add_gripper_drive(spec: mujoco.MjSpec) -> None:
    """Add the servos of both fingers, and the gear that keeps them alike."""
    for name in FINGERS:
        spec.add_actuator(
            name=name,
            target=name,
            trntype=mujoco.mjtTrn.mjTRN_JOINT,
            gaintype=mujoco.mjtGain.mjGAIN_FIXED,
            biastype=mujoco.mjtBias.mjBIAS_AFFINE,
            gainprm=[_STIFFNESS] + [0.0] * 9,
            biasprm=[0.0, -_STIFFNESS, -_STIFFNESS * 0.03] + [0.0] * 7,
            forcerange=(-MAX_FORCE_N, MAX_FORCE_N),
            forcelimited=mujoco.mjtLimited.mjLIMITED_TRUE,
        )
    gear = spec.add_equality(
        type=mujoco.mjtEq.mjEQ_JOINT, name1=FINGERS[0], name2=FINGERS[1], objtype=mujoco.mjtObj.mjOBJ_JOINT
    )
    gear.data[1] = 1.0


class LongGripper:
    """Drives the fingers of a model; call `advance` before every physics step."""

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData, max_width_m: float) -> None:
        self._model, self._data = model, data
        self.max_width_m = max_width_m
        self._qpos = [model.joint(name).qposadr[0] for name in FINGERS]
        self._actuators = [model.actuator(name).id for name in FINGERS]
        self._target_m = self._setpoint_m = self._last_width_m = max_width_m
        self._speed_m_s = MAX_SPEED_M_S
        self._still_s = 0.0
        self.moving = False
        data.qpos[self._qpos] = max_width_m / 2
        data.ctrl[self._actuators] = max_width_m / 2

    @property
    def width_m(self) -> float:
        """Measured opening."""
        return float(np.sum(self._data.qpos[self._qpos]))

    @property
    def force_n(self) -> float:
        """Force that the drive presses with; negative while it opens against something."""
        return -float(np.mean(self._data.actuator_force[self._actuators]))

    def command(self, width_m: float, speed_m_s: float, force_n: float) -> None:
        """Head for an opening at a speed between the fingers and with a force, both cut to the data sheet."""
        self._speed_m_s = float(np.clip(speed_m_s, MIN_SPEED_M_S, MAX_SPEED_M_S))
        limit = float(np.clip(force_n, MIN_FORCE_N, MAX_FORCE_N))
        self._model.actuator_forcerange[self._actuators] = (-limit, limit)
        self._target_m = float(np.clip(width_m, 0.0, self.max_width_m))
        self._setpoint_m = self._last_width_m = self.width_m
        self._still_s, self.moving = 0.0, True

    def stop(self) -> None:
        """Stay where the fingers are."""
        self._target_m = self._setpoint_m = self.width_m
        self.moving = False

    def advance(self, dt_s: float) -> None:
        """Move the set point on by one physics step, and see whether the fingers have come to rest."""
        step = self._speed_m_s * dt_s
        change = float(np.clip(self._target_m - self._setpoint_m, -step, step))
        self._setpoint_m += change
        # Ahead by the servo's damping, so that the fingers keep up.
        self._data.ctrl[self._actuators] = (self._setpoint_m + change / dt_s * 0.03) / 2
        width = self.width_m
        slow = abs(width - self._last_width_m) < _STOPPED_M_S * dt_s
        self._last_width_m = width
        if not self.moving:
            return
        held_back = abs(width - self._setpoint_m) > _TOLERANCE_M
        resting = slow and (change == 0.0 or held_back)
        self._still_s = self._still_s + dt_s if resting else 0.0
        if self._still_s >= _STOP_TIME_S:
            self.moving = False
            self._setpoint_m = self._target_m  # stopped by something: press with all the force allowed
