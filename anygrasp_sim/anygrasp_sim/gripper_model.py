# SPDX-License-Identifier: Apache-2.0
"""The simulated 2F-85 as its controller sees it: opening, speed, force and object detection."""

from __future__ import annotations

import mujoco
import numpy as np

from anygrasp_sim.arm_model import GRIPPER_PREFIX
from anygrasp_sim.emulators.robot_backend import GripperContact

__all__ = ["OPEN_WIDTH_M", "SimulatedGripper", "driver_angle", "fingertip_reach", "opening_width"]

OPEN_WIDTH_M = 0.085

# Driver joint angle and gap between the pads, measured on the Menagerie model by closing it in steps. Arrays:
# they are looked up twice in each physics step.
_DRIVER_ANGLE_RAD = np.array((0.0, 0.0496, 0.0966, 0.1436, 0.1907, 0.2377, 0.2847, 0.3317, 0.3787, 0.4257,
                              0.4727, 0.5198, 0.5668, 0.6138, 0.6608, 0.7078, 0.7548, 0.7741))  # fmt: skip
_OPENING_MM = np.array((85.39, 80.78, 76.24, 71.56, 66.75, 61.82, 56.77, 51.61, 46.37, 41.04, 35.63,
                        30.17, 24.65, 19.10, 13.51, 7.91, 2.30, 0.0))  # fmt: skip
_ANGLE_BY_OPENING = (np.ascontiguousarray(_OPENING_MM[::-1]), np.ascontiguousarray(_DRIVER_ANGLE_RAD[::-1]))
# The fingers swing on four-bar links: their tips reach further out the more they close.
_REACH_MM = (160.24, 162.00, 163.58, 165.05, 166.42, 167.68, 168.83, 169.86, 170.77, 171.56, 172.23,
             172.78, 173.20, 173.50, 173.66, 173.70, 173.61, 173.52)  # fmt: skip
_COMMAND_PER_RAD = 255 / 0.8  # the Menagerie actuator takes Robotiq's counts

# Data sheet of the 2F-85.
_SPEED_RANGE_M_S = (0.020, 0.150)
_FORCE_RANGE_N = (20.0, 235.0)
_ACTUATOR_LIMIT = 5.0  # of the Menagerie actuator, reached at the highest force
# The Menagerie actuator damps speed over stiffness for this long; ahead by it, the fingers keep up.
_FEEDFORWARD_S = 0.1

# The fingers count as stopped when they have come no nearer than this for so long, however they tremble.
_STOP_STEP_M = 0.00016
_STOP_TIME_S = 0.04
_TOLERANCE_M = 0.0015
_LOST_M = 0.004  # fingers that move on by this after stopping have lost their object


def opening_width(angle_rad: float) -> float:
    """Gap between the pads in metres at a driver joint angle."""
    return float(np.interp(angle_rad, _DRIVER_ANGLE_RAD, _OPENING_MM)) / 1000


def fingertip_reach(width_m: float) -> float:
    """Distance in metres of the fingertips from the flange along tool0's z, at a gap between the pads."""
    return float(np.interp(width_m * 1000, _OPENING_MM[::-1], _REACH_MM[::-1])) / 1000


def driver_angle(width_m: float) -> float:
    """Driver joint angle in radians at a gap between the pads."""
    return float(np.interp(width_m * 1000, *_ANGLE_BY_OPENING))


class SimulatedGripper:
    """Drives the fingers of a MuJoCo model; call `advance` before every physics step."""

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        self._model, self._data = model, data
        self._actuator = model.actuator(f"{GRIPPER_PREFIX}fingers_actuator").id
        self._drivers = [
            model.joint(f"{GRIPPER_PREFIX}{side}_driver_joint").qposadr[0] for side in ("left", "right")
        ]
        self._target_m = self._setpoint_m = self._stopped_at_m = OPEN_WIDTH_M
        self._nearest_m = 0.0  # to the target, since the fingers set off
        self._speed_m_s = _SPEED_RANGE_M_S[1]
        self._closing = False
        self._still_s = 0.0
        self._contact = GripperContact.AT_POSITION

    @property
    def width_m(self) -> float:
        """Measured gap between the pads."""
        qpos, (left, right) = self._data.qpos, self._drivers
        return opening_width((float(qpos[left]) + float(qpos[right])) / 2)

    @property
    def contact(self) -> GripperContact:
        """The Robotiq object status."""
        return self._contact

    def command(self, width_m: float, speed: float, force: float) -> None:
        """Head for an opening; speed and force from 0 to 1 of the gripper's ranges."""
        slow, fast = _SPEED_RANGE_M_S
        weak, strong = _FORCE_RANGE_N
        self._speed_m_s = slow + float(np.clip(speed, 0, 1)) * (fast - slow)
        limit = _ACTUATOR_LIMIT * (weak + float(np.clip(force, 0, 1)) * (strong - weak)) / strong
        self._model.actuator_forcerange[self._actuator] = (-limit, limit)
        target = float(np.clip(width_m, 0, OPEN_WIDTH_M))
        if target != self._target_m:
            self._target_m = target
            self._setpoint_m = self.width_m
            self._nearest_m = abs(self._setpoint_m - target)
            self._closing = target < self._setpoint_m
            self._still_s = 0.0
            self._contact = GripperContact.MOVING

    def advance(self, dt_s: float) -> None:
        """Move the set point on by one physics step and see whether the fingers follow."""
        step = self._speed_m_s * dt_s
        motion = min(max(self._target_m - self._setpoint_m, -step), step)
        self._setpoint_m += motion
        ahead = self._setpoint_m + motion / dt_s * _FEEDFORWARD_S
        self._data.ctrl[self._actuator] = driver_angle(ahead) * _COMMAND_PER_RAD
        width = self.width_m
        left_m = abs(width - self._target_m)
        if self._contact is not GripperContact.MOVING:
            if abs(width - self._stopped_at_m) < _LOST_M:
                return
            self._contact = GripperContact.MOVING  # what had stopped them is gone
            self._nearest_m, self._still_s = left_m, 0.0
        nearer = left_m < self._nearest_m - _STOP_STEP_M
        if nearer:
            self._nearest_m = left_m
        # Not before the set point has run ahead: at first the fingers have nothing to follow.
        held_back = not nearer and abs(width - self._setpoint_m) > _TOLERANCE_M
        self._still_s = self._still_s + dt_s if held_back else 0.0
        if left_m <= _TOLERANCE_M:
            self._contact, self._stopped_at_m = GripperContact.AT_POSITION, self._target_m
        elif self._still_s >= _STOP_TIME_S:
            self._contact, self._stopped_at_m = self._touched, width
            self._setpoint_m = self._target_m  # stopped by something: press with all the force allowed

    @property
    def _touched(self) -> GripperContact:
        return GripperContact.OBJECT_WHILE_CLOSING if self._closing else GripperContact.OBJECT_WHILE_OPENING
