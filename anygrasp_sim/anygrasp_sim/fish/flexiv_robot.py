# SPDX-License-Identifier: Apache-2.0
"""The simulated Rizon behind the API of flexivrdk 1.9.1, so that the driver runs unchanged over it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.se3 import pose_to_transform, rotation_to_quat_xyzw
from anygrasp_sim.emulators.flexiv_module import FlexivModule
from anygrasp_sim.fish.fish_cell import FishCell
from anygrasp_sim.fish.long_gripper import MAX_FORCE_N, MAX_SPEED_M_S, MIN_FORCE_N, MIN_SPEED_M_S
from anygrasp_sim.fish.rizon_controller import CartesianLimits, RizonController

__all__ = ["SimulatedRizon"]


class SimulatedRizon:
    """Robot, tool, model and gripper of one fish cell; `module` stands in for `import flexivrdk`.

    Somebody has to let time pass: a thread that calls `advance`, or, in lock-step, the driver itself: with
    `lockstep_s` above 0 each question for the robot's or the gripper's state costs so much simulated time,
    as the driver asks once a command period. Calls may come from any thread; `on_advance` is called after
    each control period.
    """

    def __init__(
        self, cell: FishCell, lockstep_s: float = 0.0, on_advance: Callable[[], None] = lambda: None
    ) -> None:
        if not lockstep_s >= 0:
            raise ValueError(f"lockstep_s is {lockstep_s}; use 0 or more")
        self.cell = cell
        self.lock = threading.RLock()
        self.module = FlexivModule(
            {"Robot": lambda *_: self, "Tool": lambda _: self, "Model": lambda *_: self, "Gripper": _Gripper}
        )
        self._controller = RizonController(cell)
        self._lockstep_s = lockstep_s
        self._on_advance = on_advance
        self._owed_s = 0.0
        self._enabled = False
        self._estop = False
        self._mode = "IDLE"
        self._tools: dict[str, Any] = {}

    def advance(self, duration_s: float) -> None:
        """Let simulated time pass, in whole control periods; what is left over counts the next time."""
        period_s = self.cell.config.control_period_s
        self._owed_s += duration_s
        while self._owed_s >= period_s - 1e-9:
            with self.lock:
                self._controller.tick()
                self.cell.step()
                self._on_advance()
            self._owed_s -= period_s

    def press_emergency_stop(self, pressed: bool = True) -> None:
        """As the button beside the robot."""
        with self.lock:
            self._estop = pressed
            if pressed:
                self._controller.halt()
                self._enabled, self._mode = False, "IDLE"

    def passes_time(self) -> None:
        """What a question for the state costs in lock-step."""
        if self._lockstep_s > 0:
            self.advance(self._lockstep_s)

    # flexivrdk.Robot

    def connected(self) -> bool:
        return True

    def estop_released(self) -> bool:
        return not self._estop

    def fault(self) -> bool:
        return False

    def operational(self) -> bool:
        return self._enabled and not self._estop

    def operational_status(self) -> Any:
        name = "ESTOP_NOT_RELEASED" if self._estop else "READY" if self._enabled else "NOT_ENABLED"
        return self.module.OperationalStatus[name]

    def Enable(self) -> None:
        self._enabled = not self._estop

    def ClearFault(self, timeout_sec: int) -> bool:
        return True

    def mode(self) -> Any:
        return self.module.Mode[self._mode]

    def SwitchMode(self, mode: Any) -> None:
        self._check()
        with self.lock:
            self._controller.halt()
            self._mode = mode.name

    def SetMaxContactWrench(self, wrench: Any) -> None:
        self._check("NRT_CARTESIAN_MOTION_FORCE")

    def SendCartesianMotionForce(
        self,
        pose: Any,
        wrench: Any,
        velocity: Any,
        max_linear_vel: float,
        max_angular_vel: float,
        max_linear_acc: float,
        max_angular_acc: float,
    ) -> None:
        self._check("NRT_CARTESIAN_MOTION_FORCE")
        limits = CartesianLimits(max_linear_vel, max_angular_vel, max_linear_acc, max_angular_acc)
        with self.lock:
            self._controller.move_to_pose(_transform(pose), limits)

    def SendJointPosition(self, q: Any, dq: Any, speeds: Any, accelerations: Any) -> None:
        self._check("NRT_JOINT_POSITION")
        with self.lock:
            self._controller.move_to_joints(q, speeds, accelerations)

    def Stop(self) -> None:
        with self.lock:
            self._controller.halt()
            self._mode = "IDLE"

    def states(self) -> Any:
        self.passes_time()
        states = self.module.RobotStates()
        with self.lock:
            time_s = self.cell.time_s
            states.q = self.cell.joint_positions().tolist()
            states.dq = self.cell.joint_velocities().tolist()
            states.tcp_pose = _pose(self._controller.tcp_pose)
            states.flange_pose = _pose(self.cell.flange_pose())
        states.timestamp = (int(time_s), round(1e9 * (time_s % 1.0)))
        return states

    def event_log(self) -> list[Any]:
        return []

    # flexivrdk.Tool

    def exist(self, name: str) -> bool:
        return name in self._tools

    def Add(self, name: str, parameters: Any) -> None:
        self._check("IDLE")
        self._tools[name] = parameters

    def Update(self, name: str, parameters: Any) -> None:
        self.Add(name, parameters)

    def Switch(self, name: str) -> None:
        self._check("IDLE")
        with self.lock:
            self._controller.T_flange_tcp = _transform(self._tools[name].tcp_location)

    # flexivrdk.Model

    def reachable(self, pose: Any, q_near: Any, free_orientation: bool) -> tuple[bool, list[float]]:
        with self.lock:
            q = self._controller.solve(_transform(pose), q_near)
        return (False, []) if q is None else (True, q.tolist())

    def _check(self, mode: str | None = None) -> None:
        if not self.operational() or (mode is not None and self._mode != mode):
            status = self.operational_status().name
            raise RuntimeError(f"not allowed in mode {self._mode} with status {status}")


class _Gripper:
    """Answers for flexivrdk.Gripper."""

    NAME = "Robotiq-2F-85"

    def __init__(self, rizon: SimulatedRizon) -> None:
        self._rizon = rizon

    def Enable(self, name: str) -> None:
        if name != self.NAME:
            raise RuntimeError(f"no gripper {name!r}; this robot has {self.NAME}")

    def Init(self) -> None:
        self.Move(self._rizon.cell.gripper.max_width_m, MAX_SPEED_M_S, MIN_FORCE_N)

    def Move(self, width: float, velocity: float, force_limit: float) -> None:
        with self._rizon.lock:
            self._rizon.cell.gripper.command(width, velocity, force_limit)

    def Grasp(self, force: float) -> None:
        self.Move(0.0, MAX_SPEED_M_S, force)

    def Stop(self) -> None:
        with self._rizon.lock:
            self._rizon.cell.gripper.stop()

    def params(self) -> Any:
        params = self._rizon.module.GripperParams()
        params.name = self.NAME
        params.min_width, params.max_width = 0.0, self._rizon.cell.gripper.max_width_m
        params.min_vel, params.max_vel = MIN_SPEED_M_S, MAX_SPEED_M_S
        params.min_force, params.max_force = MIN_FORCE_N, MAX_FORCE_N
        return params

    def states(self) -> Any:
        self._rizon.passes_time()
        states = self._rizon.module.GripperStates()
        with self._rizon.lock:
            gripper = self._rizon.cell.gripper
            states.width, states.force, states.is_moving = gripper.width_m, gripper.force_n, gripper.moving
        return states


def _pose(T: Float64Array) -> list[float]:
    """x y z in metres, quaternion w x y z."""
    x, y, z, w = rotation_to_quat_xyzw(T[:3, :3]).tolist()
    return [*T[:3, 3].tolist(), w, x, y, z]


def _transform(pose: Any) -> Float64Array:
    position, (w, x, y, z) = np.array(pose[:3]), pose[3:7]
    return pose_to_transform(position, [x, y, z, w])
