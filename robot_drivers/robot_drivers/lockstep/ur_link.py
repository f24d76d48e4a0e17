# SPDX-License-Identifier: Apache-2.0
"""What `UrArm` asks of a UR controller, answered by an emulated one in the same process."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anygrasp_sim.emulators.rotation_vector import pose_to_transform, transform_to_pose
from anygrasp_sim.emulators.ur_safety import SafetyMode
from robot_drivers.arms.arm import ArmStopped, UnreachablePose
from robot_drivers.arms.ur import UrArm
from robot_drivers.arms.ur_checks import check_joints, check_running
from robot_drivers.arms.ur_config import UrArmConfig
from robot_drivers.arms.ur_link import UrLink
from robot_drivers.arms.ur_snapshot import UrSnapshot, braking_rad_s2
from robot_drivers.lockstep.robot import LockstepRobot

__all__ = ["LockstepUrLink", "lockstep_arm"]

# The control program takes a command in one period and is ready for the next one period later: no client is
# faster. Fingers that have just met an object get a firm grip in the meantime.
_COMMAND_PERIODS = 2

_REST_TIMEOUT_S = 0.3
_REST_RAD_S = 1e-3

_SERVO_DECELERATION_M_S2 = 10.0


def lockstep_arm(robot: LockstepRobot, config: UrArmConfig | None = None) -> UrArm:
    """The UR driver on a robot in lock-step; its moves advance the simulation."""

    def open_link(config: UrArmConfig) -> UrLink:
        return LockstepUrLink(robot, config)

    def recover(config: UrArmConfig) -> str:
        return _recover(robot)

    return UrArm(config, open_link, recover, robot)


class LockstepUrLink(UrLink):
    """The commands of the control program that ur_rtde uploads, without registers and network.

    Whatever the configured transport: it can do what "rtde" can.
    """

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
        """See UrLink."""
        self.brake()

    def abandon(self) -> None:
        """See UrLink; whatever moves is ended."""
        self.end_program()

    def snapshot(self) -> UrSnapshot:
        """See UrLink; as of the latest tick."""
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
        """See UrLink."""
        snapshot = self.snapshot()
        check_running(snapshot)
        return snapshot

    def check_control(self) -> None:
        """See UrLink; there is no pendant."""

    def forward(self, q_rad: Sequence[float]) -> Sequence[float]:
        """See UrLink."""
        self.prepare()
        self._pass_command()
        motion = self._robot.motion
        pose: list[float] = transform_to_pose(motion.kinematics.forward(q_rad) @ motion.T_flange_tcp).tolist()
        return pose

    def inverse(self, pose: Sequence[float]) -> list[float]:
        """See UrLink."""
        q_now_rad = self.prepare().q_rad
        self._pass_command()  # is there a solution?
        where = f"position {np.round(pose[:3], 3)} m"
        with self._robot.lock:
            q_rad = self._robot.motion.inverse(pose)
        if q_rad is None:
            raise UnreachablePose(f"{where} is out of the arm's reach: choose another pose")
        self._pass_command()
        return check_joints(q_rad.tolist(), q_now_rad, where, self._config)

    def begin(self, method: str, target: Sequence[float], speed: float, acceleration: float) -> bool:
        """See UrLink; False while the safety holds the arm."""
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

    def servo(self, poses: list[list[float]]) -> UrSnapshot:
        """See UrLink; the time of the poses passes meanwhile. One out of reach ends the program."""
        period_s = 1.0 / self._config.frequency_hz
        for pose in poses:
            with self._robot.lock:
                if not self._robot.safety.can_move:
                    break
                q_rad = self._robot.motion.inverse(pose)
                if q_rad is None:
                    self._robot.stop_program()
                    return self.snapshot()._replace(program_running=False)
                self._robot.motion.servoj(q_rad, self._config.servo_lookahead_s)
            self._lockstep.wait_until(self._lockstep.now_s() + period_s)
        return self.snapshot()

    def end_servo(self) -> None:
        """See UrLink."""
        with self._robot.lock:
            if self._robot.motion.moving:
                self._robot.motion.stopl(_SERVO_DECELERATION_M_S2)
        self._rest()

    def brake(self) -> None:
        """See UrLink."""
        with self._robot.lock:
            if self._robot.motion.moving:
                self._robot.motion.stopj(braking_rad_s2(self._robot.motion.qd))
        self._rest()

    def end_program(self) -> None:
        """See UrLink."""
        with self._robot.lock:
            self._robot.stop_program()

    def _rest(self) -> None:
        """Let time pass until the commanded joints rest, and a moment for the measured ones."""
        while self._robot.motion.moving:
            self._lockstep.tick()
        deadline_s = self._lockstep.now_s() + _REST_TIMEOUT_S
        while np.abs(self._robot.actual.qd).max() > _REST_RAD_S and self._lockstep.now_s() < deadline_s:
            self._lockstep.tick()

    def _pass_command(self) -> None:
        for _ in range(_COMMAND_PERIODS):
            self._lockstep.tick()


def _recover(lockstep: LockstepRobot) -> str:
    """Unlock a protective stop; another stop stays, as `recover_ur` leaves it to the person at the robot."""
    done = "nothing held it"
    with lockstep.robot.lock:
        safety = lockstep.robot.safety
        if safety.mode is SafetyMode.PROTECTIVE_STOP:
            if not safety.unlock_protective_stop(lockstep.now_s()):
                raise ArmStopped("the UR stays locked: look at the cause, then try again after 5 s")
            done = "unlocked its protective stop"
        if not safety.can_move:
            raise ArmStopped(f"the UR is not running ({safety.mode.name}, {safety.robot_mode.name})")
    return f"the UR is ready: {done}"
