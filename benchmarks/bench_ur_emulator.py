# SPDX-License-Identifier: Apache-2.0
"""Time the emulated UR controller and the UR driver on it.

    python benchmarks/bench_ur_emulator.py

Goals: a tick well under its 8 ms, inverse kinematics under 150 us, a stop within 100 ms of controller time.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy: 3x3 products only lose by threads
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import contextlib
import threading
import time
import timeit
from collections.abc import Callable

import numpy as np

from anygrasp_sim.emulators.controller_process import UrControllerProcess
from anygrasp_sim.emulators.robot_backend import HOME_JOINTS_RAD, KinematicBackend
from anygrasp_sim.emulators.ur_kinematics import UrKinematics
from anygrasp_sim.emulators.ur_robot import UrRobot
from robot_drivers.arms.arm import ArmStopped
from robot_drivers.arms.ur import UrArm, UrArmConfig

HOST = "127.0.0.99"
PERIOD_S = 0.008
POLL_S = 0.002
FAR_JOINTS_RAD = np.add(HOME_JOINTS_RAD, [2.0, 0.0, 0.0, 0.0, 0.0, 0.0])
REPEATS = 5


def best_us(function: Callable[[], object], number: int = 1000) -> float:
    """Fastest mean of several runs, microseconds."""
    return min(timeit.repeat(function, number=number, repeat=REPEATS)) / number * 1e6


def time_controller() -> None:
    kinematics, q = UrKinematics("ur5e"), np.array(HOME_JOINTS_RAD)
    T_base_flange = kinematics.forward(q)
    print(
        f"inverse kinematics, all solutions   {best_us(lambda: kinematics.inverse(T_base_flange, q)):7.0f} us"
    )
    print(f"forward kinematics                  {best_us(lambda: kinematics.forward(q)):7.0f} us")
    robot = UrRobot("ur5e", KinematicBackend())
    print(f"tick at rest                        {best_us(lambda: robot.tick(PERIOD_S)):7.0f} us")
    T_base_goal = robot.motion.T_base_tcp
    T_base_goal[2, 3] -= 0.2
    robot.motion.movel(T_base_goal, speed=0.001, acceleration=1.0)
    print(f"tick in a linear move               {best_us(lambda: robot.tick(PERIOD_S)):7.0f} us")


def time_stop(arm: UrArm, controller: UrControllerProcess) -> tuple[float, float]:
    """Controller time and wall time from `stop` to the last motion, seconds; from 1 rad/s."""

    def move() -> None:
        with contextlib.suppress(ArmStopped):
            arm.move_joints(FAR_JOINTS_RAD, speed_rad_s=1.0, acceleration_rad_s2=8.0)

    mover = threading.Thread(target=move)
    mover.start()
    pause = threading.Event()
    while np.abs(controller.ask("joint_velocities")).max() < 0.99:
        pause.wait(POLL_S)
    begin_s, wall_s = controller.ask("time_s"), time.monotonic()
    arm.stop()
    while np.abs(controller.ask("joint_velocities")).max() > 0:
        pause.wait(POLL_S)
    taken = controller.ask("time_s") - begin_s, time.monotonic() - wall_s
    mover.join()
    arm.clear_stop()
    arm.move_joints(np.array(HOME_JOINTS_RAD), speed_rad_s=3.0, acceleration_rad_s2=20.0)
    return taken


def time_driver() -> None:
    with UrControllerProcess("ur5e", HOST, PERIOD_S) as controller:
        begin_s = time.monotonic()
        arm = UrArm(UrArmConfig(robot_ip=HOST))
        with arm:
            print(f"connect                             {(time.monotonic() - begin_s) * 1e3:7.0f} ms")
            print(f"tcp_pose                            {best_us(arm.tcp_pose, 100) / 1e3:7.2f} ms")
            T_base_tcp = arm.tcp_pose()
            reachable_ms = best_us(lambda: arm.is_reachable(T_base_tcp), 10) / 1e3
            print(f"is_reachable                        {reachable_ms:7.0f} ms")
            stops = np.array([time_stop(arm, controller) for _ in range(REPEATS)]) * 1e3
            (controller_ms, wall_ms), (slowest_ms, _) = np.median(stops, axis=0), stops.max(axis=0)
            print(f"stop from 1 rad/s, controller time  {controller_ms:7.0f} ms (slowest {slowest_ms:.0f})")
            print(f"stop from 1 rad/s, wall time        {wall_ms:7.0f} ms")


if __name__ == "__main__":
    time_controller()
    time_driver()
