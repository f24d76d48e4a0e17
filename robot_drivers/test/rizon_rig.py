# SPDX-License-Identifier: Apache-2.0
"""A Rizon without physics behind the checked API of flexivrdk: perfect joints, and faults to inject."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np

from anygrasp_sim.emulators.flexiv_module import FlexivModule
from robot_drivers.arms.flexiv_pose import flexiv_pose, transform_from_flexiv_pose
from robot_drivers.arms.rizon_kinematics import rizon4_flange_pose
from robot_drivers.arms.straight_line import StraightLine

HOME = np.deg2rad([0.0, -40.0, 0.0, 90.0, 0.0, 40.0, 0.0])


def solve(T_base_flange: np.ndarray, q_near: np.ndarray) -> np.ndarray | None:
    """Joints for a flange pose by Gauss-Newton from `q_near`; None where it does not converge."""
    q = np.array(q_near, dtype=float)
    for _ in range(30):
        T = rizon4_flange_pose(q)
        rest = StraightLine(T, T_base_flange)
        error = np.concatenate((rest.way_m, rest.turn_rad))
        if np.abs(error).max() < 1e-6:
            return q
        columns = []
        for joint in range(7):
            nudged = StraightLine(T, rizon4_flange_pose(q + 1e-6 * np.eye(7)[joint]))
            columns.append(np.concatenate((nudged.way_m, nudged.turn_rad)) / 1e-6)
        J = np.array(columns).T
        q = q + np.clip(J.T @ np.linalg.solve(J @ J.T + 1e-8 * np.eye(6), error), -0.3, 0.3)
    return None


class Rizon:
    """Answers for flexivrdk.Robot, Tool, Model and Gripper; time is the wall's, times `speed`."""

    def __init__(self, speed: float = 1.0) -> None:
        self.module = FlexivModule(
            {"Robot": self._robot, "Tool": lambda robot: self, "Model": lambda *_: self, "Gripper": Fingers}
        )
        self.reachable_from_network = True
        self.faulty = self.silent = self.estop = self.unplugged = self.blocked = False
        self.status = "NOT_ENABLED"
        self.q = HOME.copy()
        self.tool = np.eye(4)
        self.tools: dict[str, Any] = {}
        self.stops = 0
        self._speed = speed
        self._mode = "IDLE"
        self._goal: np.ndarray | None = None  # joints
        self._begin_s = time.monotonic()
        self._time_s = 0.0
        self._lock = threading.RLock()

    def fault_now(self, name: str = "MINOR_FAULT") -> None:
        with self._lock:
            self.faulty, self.status, self._goal = True, name, None

    def _robot(self, *arguments: object) -> Rizon:
        if not self.reachable_from_network:
            raise RuntimeError("no robot with this serial number")
        self.unplugged = False
        return self

    # flexivrdk.Robot

    def connected(self) -> bool:
        return not self.unplugged

    def estop_released(self) -> bool:
        return not self.estop

    def fault(self) -> bool:
        return self.faulty

    def operational(self) -> bool:
        return self.status == "READY" and not (self.faulty or self.estop)

    def operational_status(self) -> Any:
        return self.module.OperationalStatus["ESTOP_NOT_RELEASED" if self.estop else self.status]

    def Enable(self) -> None:
        if self.status == "NOT_ENABLED":
            self.status = "READY"

    def ClearFault(self, timeout_sec: int) -> bool:
        if self.status != "CRITICAL_FAULT":
            self.faulty, self.status = False, "READY"
        return not self.faulty

    def mode(self) -> Any:
        return self.module.Mode[self._mode]

    def SwitchMode(self, mode: Any) -> None:
        self._check()
        self._goal, self._mode = None, mode.name

    def SetMaxContactWrench(self, wrench: Any) -> None:
        self._check("NRT_CARTESIAN_MOTION_FORCE")

    def SendCartesianMotionForce(self, pose: Any, *rest: Any) -> None:
        self._check("NRT_CARTESIAN_MOTION_FORCE")
        with self._lock:
            self._advance()
            T = transform_from_flexiv_pose(pose) @ np.linalg.inv(self.tool)
            self._goal = solve(T, self.q)
            if self._goal is None:
                self.fault_now()

    def SendJointPosition(self, q: Any, *rest: Any) -> None:
        self._check("NRT_JOINT_POSITION")
        with self._lock:
            self._advance()
            self._goal = np.array(q)

    def Stop(self) -> None:
        with self._lock:
            self._advance()
            self._goal, self._mode = None, "IDLE"
            self.stops += 1

    def states(self) -> Any:
        with self._lock:
            self._advance()
            states = self.module.RobotStates()
            states.q = self.q.tolist()
            states.tcp_pose = flexiv_pose(rizon4_flange_pose(self.q) @ self.tool)
            states.timestamp = (int(self._time_s), int(1e9 * (self._time_s % 1.0)))
            return states

    def event_log(self) -> list[Any]:
        event = self.module.RobotEvent()
        event.level, event.description, event.id = (
            self.module.RobotEvent_Level.ERROR,
            "joint 4 overload",
            1234,
        )
        event.recommended_actions = "move it free"
        return [event]

    # flexivrdk.Tool

    def exist(self, name: str) -> bool:
        return name in self.tools

    def Add(self, name: str, parameters: Any) -> None:
        self._check("IDLE")
        self.tools[name] = parameters

    Update = Add

    def Switch(self, name: str) -> None:
        self._check("IDLE")
        self.tool = transform_from_flexiv_pose(self.tools[name].tcp_location)

    # flexivrdk.Model

    def reachable(self, pose: Any, q_near: Any, free: bool) -> tuple[bool, list[float]]:
        q = solve(transform_from_flexiv_pose(pose) @ np.linalg.inv(self.tool), np.array(q_near))
        return (False, []) if q is None else (True, q.tolist())

    def _check(self, mode: str | None = None) -> None:
        if self.unplugged:
            raise RuntimeError("disconnected")
        if not self.operational() or (mode is not None and self._mode != mode):
            raise RuntimeError(f"not allowed in mode {self._mode}, status {self.status}")

    def _advance(self) -> None:
        """Joints close in on their goal at 3 rad/s of the robot's time."""
        if self.silent:
            return
        now_s = (time.monotonic() - self._begin_s) * self._speed
        step, self._time_s = 3.0 * (now_s - self._time_s), now_s
        if self._goal is not None and not (self.blocked or self.estop):
            self.q = self.q + np.clip(self._goal - self.q, -step, step)


class Fingers:
    """Answers for flexivrdk.Gripper: even motion, and something between the fingers."""

    object_m: float | None = None
    stuck = False

    def __init__(self, rizon: Rizon) -> None:
        self.rizon = rizon
        self.width_m, self.goal_m, self.speed_m_s = 0.085, 0.085, 0.1
        self._seen_s = time.monotonic()

    def Enable(self, name: str) -> None:
        if name != "Robotiq-2F-85":
            raise RuntimeError(f"no gripper {name}")

    def Init(self) -> None:
        self.Move(0.0, 0.5, 1.0)

    def params(self) -> Any:
        params = self.rizon.module.GripperParams()
        params.min_width, params.max_width = 0.0, 0.085
        params.min_vel, params.max_vel = 0.02, 0.5
        params.min_force, params.max_force = 5.0, 85.0
        return params

    def Move(self, width: float, speed: float, force: float) -> None:
        self._advance()
        self.goal_m, self.speed_m_s = width, speed

    def Grasp(self, force: float) -> None:
        self.Move(0.0, 0.2, force)

    def Stop(self) -> None:
        self._advance()
        self.goal_m = self.width_m

    def states(self) -> Any:
        if self.rizon.unplugged:
            raise RuntimeError("disconnected")
        moving = self._advance()
        states = self.rizon.module.GripperStates()
        states.width, states.is_moving = float(self.width_m), moving
        return states

    def _advance(self) -> bool:
        now_s = time.monotonic()
        step, self._seen_s = self.speed_m_s * (now_s - self._seen_s), now_s
        goal_m = self.goal_m
        if self.object_m is not None and goal_m < self.object_m <= self.width_m:
            goal_m = self.object_m
        self.width_m += float(np.clip(goal_m - self.width_m, -step, step))
        return self.stuck or abs(self.width_m - goal_m) > 1e-9
