# SPDX-License-Identifier: Apache-2.0
"""What the executor tests run on: kinematic arm and gripper in no time, with faults where a test asks."""

import time
from contextlib import contextmanager

import numpy as np

from anygrasp_perception.grasp import rotation_from_approach
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.se3 import make_transform
from anygrasp_sim.emulators.ur_kinematics import UrKinematics
from robot_drivers.arms.arm import ArmState
from robot_drivers.arms.kinematic import KinematicArm
from robot_drivers.executors.motion import MotionConfig
from robot_drivers.executors.perception import Perception
from robot_drivers.grippers.kinematic import KinematicGripper
from robot_drivers.safety import SafeArm, SafetyLimits

LIMITS = SafetyLimits()
T_TOOL0_TCP = make_transform(np.eye(3), [0.0, 0.0, 0.1725])
T_BASE_CAMERA = make_transform(np.diag([1.0, -1.0, -1.0]), [0.0, -0.5, 0.75])


class Clock:
    """A ROS clock that goes on by a second a move."""

    def __init__(self):
        self.now_s = 100.0

    def __call__(self):
        return self.now_s


class RigArm(KinematicArm):
    """Keeps a log of its moves. `before_move[n]` is called as the n-th (from 0) begins; an exception that it
    raises is the arm's, and the arm has not moved.
    """

    def __init__(self, clock):
        super().__init__(UrKinematics("ur5e"), MotionConfig().home_joints_rad, T_TOOL0_TCP, time_scale=0.0)
        self.moves = []  # ("linear", T_base_tcp, speed) or ("joints", q_rad, speed)
        self.before_move = {}
        self.reported_state = ArmState.RUNNING
        self.rested_s = 0.0  # wall time when the last move ended, however it did
        self._clock = clock

    def in_real_time(self):
        self._time_scale = 1.0

    def state(self):
        return self.reported_state

    def move_linear(self, T_base_tcp, *, speed_m_s, acceleration_m_s2):
        with self._logged("linear", np.array(T_base_tcp), speed_m_s):
            super().move_linear(T_base_tcp, speed_m_s=speed_m_s, acceleration_m_s2=acceleration_m_s2)

    def move_joints(self, q_rad, *, speed_rad_s, acceleration_rad_s2):
        with self._logged("joints", np.array(q_rad), speed_rad_s):
            super().move_joints(q_rad, speed_rad_s=speed_rad_s, acceleration_rad_s2=acceleration_rad_s2)

    @contextmanager
    def _logged(self, kind, goal, speed):
        self.moves.append((kind, goal, speed))
        try:
            self.before_move.get(len(self.moves) - 1, lambda: None)()
            yield
        finally:
            self.rested_s = time.monotonic()
        self._clock.now_s += 1.0


class RigGripper(KinematicGripper):
    """Keeps a log of where it was told to go; `before_move[n]` as for the arm.

    `find_object()` says how wide the object is that the closing fingers meet, None for nothing.
    """

    def __init__(self):
        super().__init__(time_scale=0.0)
        self.widths = []
        self.before_move = {}
        self.find_object = lambda: None

    def slow_down(self):
        self._time_scale = 10.0

    def move(self, width_m, *, speed, force):
        self.widths.append(width_m)
        if width_m == 0.0:
            self.object_width_m = self.find_object()
        self.before_move.get(len(self.widths) - 1, lambda: None)()
        return super().move(width_m, speed=speed, force=force)

    def lose_object(self):
        """The object slips out and the fingers close."""
        self.object_width_m = None
        super().move(0.0, speed=1.0, force=0.5)


class Rig:
    """Arm, gripper and clock; `safe_arm` is the arm within the default limits."""

    def __init__(self):
        self.clock = Clock()
        self.arm = RigArm(self.clock)
        self.arm.connect()
        self.safe_arm = SafeArm(self.arm, LIMITS)
        self.gripper = RigGripper()
        self.gripper.connect()
        self.gripper.activate()
        self.events = []

    def on_event(self, stage, record):
        self.events.append((stage.value, record))

    @property
    def stages(self):
        return [stage for stage, _ in self.events]

    def leave_low(self):
        """Leave the tool standing low beside the plate, as after a stop; the log begins anew."""
        T_base_low = self.arm.tcp_pose()
        T_base_low[2, 3] = 0.08
        self.arm.move_linear(T_base_low, speed_m_s=1.0, acceleration_m_s2=1.0)
        self.arm.moves.clear()

    def at_home(self):
        return bool(np.allclose(self.arm.joint_positions(), MotionConfig().home_joints_rad))


def fails(error):
    """A fault for `before_move`."""

    def fault():
        raise error

    return fault


def grasps(*tips, tilt_rad=0.0, yaw_rad=0.0, width_m=0.04, scores=0.5, depth_m=0.02):
    """Grasps with the fingertips at the given places (base frame), tilted about y, turned about z."""
    approach = [np.sin(tilt_rad), 0.0, -np.cos(tilt_rad)]
    rotation = rotation_from_approach(approach, yaw_rad)
    return GraspGroup.from_arrays(
        rotation_matrices=np.tile(rotation, (len(tips), 1, 1)),
        translations=np.array(tips) - depth_m * np.array(approach),
        widths=width_m,
        scores=scores,
        depths=depth_m,
    )


def perception(group, stamp_s=0.0, **fields):
    """What the overhead camera made of grasps given in the base frame."""
    grasps_image = group.transformed(np.linalg.inv(T_BASE_CAMERA))
    return Perception(group, grasps_image, "camera_color_optical_frame", stamp_s, **fields)
