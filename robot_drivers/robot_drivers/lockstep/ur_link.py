# SPDX-License-Identifier: Apache-2.0
"""What `UrArm` asks of a UR controller, answered by an emulated one in the same process."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anygrasp_sim.emulators.rotation_vector import pose_to_transform, transform_to_pose
from robot_drivers.arms.arm import ArmStopped, UnreachablePose
from robot_drivers.arms.ur import UrArm
from robot_drivers.arms.ur_checks import check_joints, check_running
from robot_drivers.arms.ur_config import UrArmConfig
from robot_drivers.arms.ur_snapshot import UrSnapshot, braking_rad_s2
from robot_drivers.lockstep.robot import LockstepRobot

__all__ = ["LockstepUrLink", "lockstep_arm"]

# The control program takes a command in one period and is ready for the next one period later: no client is
# faster. Fingers that have just met an object get a firm grip in the meantime.
_COMMAND_PERIODS = 2

_REST_TIMEOUT_S = 0.3
_REST_RAD_S = 1e-3


def lockstep_arm(robot: LockstepRobot, config: UrArmConfig | None = None) -> UrArm:
    """The UR driver on a robot in lock-step; its moves advance the simulation."""
    return UrArm(config, lambda config: LockstepUrLink(robot, config), robot)


class LockstepUrLink:
    """A `UrLink`: the commands of the control program that ur_rtde uploads, without registers and network."""

    def __init__(self, lockstep: LockstepRobot, config: UrArmConfig) -> None:
        self._lockstep = lockstep
        self._robot = lockstep.robot
        self._config = config
        self._operation_id = 0
        check_running(self.snapshot())
        with self._robot.lock:
            self._robot.motion.T_flange_tcp = config.T_tool0_tcp
            self._robot.payload_kg = config.payload_kg

    def close(self) -> None:
        """Bring the arm to rest."""
        self.brake()

    def abandon(self) -> None:
        """End whatever moves."""
        self.end_program()

    def snapshot(self) -> UrSnapshot:
        """State as of the latest tick."""
        with self._robot.lock:
            actual, safety, motion = self._robot.actual, self._robot.safety, self._robot.motion
            T_base_tcp = motion.kinematics.forward(actual.q) @ motion.T_flange_tcp
            return UrSnapshot(
                q_rad=actual.q.tolist(),
                qd_rad_s=actual.qd.tolist(),
                tcp_pose=transform_to_pose(T_base_tcp).tolist(),
                robot_mode=int(safety.robot_mode),
                safety_mode=int(safety.mode),
                age_s=0.0,
                connected=True,
                program_running=safety.can_move,
                operation_id=self._operation_id,
                operation_running=motion.moving,
            )

    def prepare(self) -> UrSnapshot:
        """State of an arm that takes commands; raises ArmError or ArmStopped when it does not."""
        snapshot = self.snapshot()
        check_running(snapshot)
        return snapshot

    def forward(self, q_rad: Sequence[float]) -> Sequence[float]:
        """UR pose of the TCP at joint angles (6,) rad."""
        self._pass_command()
        motion = self._robot.motion
        pose: list[float] = transform_to_pose(motion.kinematics.forward(q_rad) @ motion.T_flange_tcp).tolist()
        return pose

    def inverse(self, pose: Sequence[float]) -> list[float]:
        """Joint angles (6,) rad near the present ones for a UR pose; raises UnreachablePose."""
        q_now = np.array(self.prepare().q_rad)
        self._pass_command()  # is there a solution?
        where = f"position {np.round(pose[:3], 3)} m"
        with self._robot.lock:
            q_rad = self._robot.motion.inverse(pose)
        if q_rad is None:
            raise UnreachablePose(f"{where} is out of the arm's reach: choose another pose")
        self._pass_command()
        check_joints(q_rad, q_now, where, self._config)
        return [float(angle) for angle in q_rad]

    def begin(self, method: str, target: Sequence[float], speed: float, acceleration: float) -> bool:
        """Begin a moveL or moveJ; False while the safety holds the arm."""
        with self._robot.lock:
            if not self._robot.safety.can_move:
                return False
            if method == "moveL":
                self._robot.motion.movel(pose_to_transform(target), speed, acceleration)
            elif method == "moveJ":
                self._robot.motion.movej(target, speed, acceleration)
            else:
                raise ValueError(f"no motion {method!r}; use moveL or moveJ")
            self._operation_id += 1
        self._pass_command()
        return True

    def brake(self) -> None:
        """Bring the joints to rest; returns when they are."""
        with self._robot.lock:
            if self._robot.motion.moving:
                self._robot.motion.stopj(braking_rad_s2(self._robot.motion.qd))
        while self._robot.motion.moving:
            self._lockstep.tick()
        deadline_s = self._lockstep.now_s() + _REST_TIMEOUT_S
        while np.abs(self._robot.actual.qd).max() > _REST_RAD_S and self._lockstep.now_s() < deadline_s:
            self._lockstep.tick()

    def end_program(self) -> None:
        """Let nothing go on when the safety releases the arm."""
        with self._robot.lock:
            self._robot.stop_program()

    def unlock(self) -> None:
        """Release a protective stop; raises ArmStopped within the first five seconds."""
        with self._robot.lock:
            unlocked = self._robot.safety.unlock_protective_stop(self._robot.time_s)
        if not unlocked:
            raise ArmStopped("the UR is not unlocked: look at the cause, then try again after 5 s")

    def _pass_command(self) -> None:
        for _ in range(_COMMAND_PERIODS):
            self._lockstep.tick()
