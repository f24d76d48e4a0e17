# SPDX-License-Identifier: Apache-2.0
"""The bin picking node over real DDS and the real ur_rtde client, with faults injected."""

import os
import random
import signal
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
import rclpy
from geometry_msgs.msg import Quaternion
from rclpy.action import ActionClient
from std_msgs.msg import Bool, Header
from std_srvs.srv import Trigger

from anygrasp_bringup.nodes.executors import MultiThreadedExecutor
from anygrasp_msgs.action import ClearBin, Pick
from anygrasp_msgs.msg import Grasp
from anygrasp_sim.emulators.controller_process import UrControllerProcess
from robot_drivers.executors.pick_errors import PickError
from robot_drivers.nodes.bin_picking import BinPickingNode

HOST = f"127.{os.getpid() % 250 + 1}.{time.time_ns() // 1000 % 250 + 1}.17"
TIMEOUT_S = 60.0
DOWN = Quaternion(x=0.0, y=0.7071068, z=0.0, w=0.7071068)  # grasp x points straight down
OVER_PLATE = (0.05, -0.50, 0.05)


class Bench:
    """A bin picking node connected to an emulated controller, and a node that asks and disturbs."""

    def __init__(self, controller: UrControllerProcess) -> None:
        self.controller = controller
        parameters = {
            "arm.robot_ip": HOST,
            "gripper.robot_ip": HOST,
            "retry_s": 0.2,
            "arm.data_timeout_s": 1.0,
            "gripper.answer_timeout_s": 2.0,
            "watchdog.controller_s": 30.0,  # a busy machine is no fault
            "detection.answer_timeout_s": 0.3,
        }
        overrides = [part for name, value in parameters.items() for part in ("-p", f"{name}:={value}")]
        rclpy.init(args=["--ros-args", *overrides])
        self.picking = BinPickingNode()
        self.node = rclpy.create_node("bench")
        self.pick_client = ActionClient(self.node, Pick, "pick")
        self.clear_client = ActionClient(self.node, ClearBin, "clear_bin")
        self.emergency = self.node.create_publisher(Bool, "emergency_stop", 1)
        self.reset_client = self.node.create_client(Trigger, "emergency_stop/reset")
        self.trigger_client = self.node.create_client(Trigger, "emergency_stop/trigger")
        self.recover_client = self.node.create_client(Trigger, "robot/recover")
        self.executor = MultiThreadedExecutor(10)
        self.executor.add_node(self.picking)
        self.executor.add_node(self.node)
        self.thread = threading.Thread(target=self.executor.spin)
        self.thread.start()
        assert self.pick_client.wait_for_server(TIMEOUT_S)
        assert self.reset_client.wait_for_service(TIMEOUT_S)

    def close(self) -> None:
        self.picking.halt()
        self.executor.shutdown()
        self.thread.join(TIMEOUT_S)
        self.picking.destroy_node()
        self.node.destroy_node()
        rclpy.shutdown()

    def wait_connected(self) -> None:
        wait_until(lambda: self.picking._link.problem is None)

    def start(self, position=OVER_PLATE, orientation=DOWN, frame="base", width=0.04, on_stage=None):
        """Goal handle of a pick; `on_stage(stage)` is called with each feedback."""
        grasp = Grasp(width=width, height=0.02, depth=0.02, score=0.9)
        grasp.pose.position.x, grasp.pose.position.y, grasp.pose.position.z = position
        grasp.pose.orientation = orientation
        goal = Pick.Goal(header=Header(frame_id=frame), grasp=grasp)

        def feedback(message):
            if on_stage is not None:
                on_stage(message.feedback.stage)

        return wait(self.pick_client.send_goal_async(goal, feedback_callback=feedback))

    def pick(self, **grasp):
        return wait(self.start(**grasp).get_result_async()).result

    def reset(self):
        return wait(self.reset_client.call_async(Trigger.Request()))

    def trigger(self):
        return wait(self.trigger_client.call_async(Trigger.Request()))

    def recover(self):
        return wait(self.recover_client.call_async(Trigger.Request()))

    def worker(self) -> int:
        """Process id of what holds the connections to the arm."""
        return self.picking._robot._connection._session._client._process.pid

    def wait_for_rest(self) -> None:
        """Until the arm stands, and stands still."""
        wait_until(lambda: self.speed() == 0.0)
        joints = self.controller.ask("joint_positions")
        threading.Event().wait(0.1)
        np.testing.assert_array_equal(self.controller.ask("joint_positions"), joints)

    def speed(self) -> float:
        return float(np.abs(self.controller.ask("joint_velocities")).max())


def wait(future):
    done = threading.Event()
    future.add_done_callback(lambda _: done.set())
    assert done.wait(TIMEOUT_S), "no answer"
    return future.result()


def wait_until(condition) -> None:
    deadline_s = time.monotonic() + TIMEOUT_S
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline_s, "the condition did not come about"
        pause.wait(0.005)


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with UrControllerProcess("ur5e", HOST) as controller:
        bench = Bench(controller)
        bench.wait_connected()
        yield bench
        bench.close()


@pytest.fixture
def lives_on(bench) -> Iterator[None]:
    """After the fault that a test made, the same node picks again."""
    yield
    bench.controller.place_object(0.6)
    bench.wait_connected()
    result = bench.pick()
    assert result.error_code == "", result.error_msg
    assert result.record.placed


def test_pick_moves_over_a_real_connection_and_records_its_stages(bench):
    before = bench.controller.ask("rtde_commands")
    bench.controller.place_object(0.6)
    stages = []
    result = wait(bench.start(on_stage=stages.append).get_result_async()).result
    after = bench.controller.ask("rtde_commands")
    assert result.error_code == "", result.error_msg
    assert result.record.gripper_holds
    assert {"approach", "close", "lift", "place"} <= {stage.stage for stage in result.record.stages}
    assert stages[:2] == ["check", "approach"]
    assert bench.controller.ask("connections")[30004] >= 2  # state and control
    assert after[1] > before.get(1, 0)  # moveJ
    assert after[3] > before.get(3, 0)  # moveL


def test_fingers_that_meet_nothing_end_the_attempt_at_home(bench):
    bench.controller.place_object(None)
    result = bench.pick()
    assert result.error_code == "NOTHING_GRASPED"
    assert not result.record.placed
    bench.wait_for_rest()


@pytest.mark.parametrize(
    ("grasp", "code"),
    [
        pytest.param({"position": (0.05, -0.95, 0.05)}, "OUTSIDE_WORKSPACE", id="beside the plate"),
        pytest.param({"position": (0.05, -0.50, -0.20)}, "OUTSIDE_WORKSPACE", id="under the plate"),
        pytest.param({"orientation": Quaternion(w=1.0)}, "TILT_TOO_LARGE", id="sideways"),
        pytest.param({"width": 0.2}, "TOO_WIDE", id="too wide"),
        pytest.param({"frame": "atlantis"}, "TF_UNAVAILABLE", id="unknown frame"),
        pytest.param({"orientation": Quaternion(w=0.0)}, "UNREACHABLE", id="no rotation"),
        pytest.param({"position": (np.nan, 0.0, 0.0)}, "UNREACHABLE", id="NaN"),
    ],
)
def test_a_grasp_beyond_the_limits_moves_nothing(bench, grasp, code):
    joints = bench.controller.ask("joint_positions")
    result = bench.pick(**grasp)
    assert result.error_code == code
    assert result.error_msg
    np.testing.assert_array_equal(bench.controller.ask("joint_positions"), joints)


def test_goals_of_nonsense_end_with_a_code_and_move_nothing(bench, lives_on):
    chance = random.Random(0)
    joints = bench.controller.ask("joint_positions")

    def number():
        return chance.choice([0.0, -0.0, 1.0, -1e-300, 1e308, -np.inf, np.nan])

    for _ in range(25):
        grasp = Grasp(score=1.0)
        grasp.width, grasp.height, grasp.depth = (
            chance.choice([-1.0, 0.0, 0.05, np.inf, np.nan]) for _ in "whd"
        )
        grasp.pose.position.x, grasp.pose.position.y, grasp.pose.position.z = (number() for _ in "xyz")
        turn = grasp.pose.orientation
        turn.x, turn.y, turn.z, turn.w = (number() for _ in "xyzw")
        frame = chance.choice(["base", "base", "base", "tool0", ""])
        goal = wait(bench.pick_client.send_goal_async(Pick.Goal(header=Header(frame_id=frame), grasp=grasp)))
        result = wait(goal.get_result_async()).result
        assert result.error_code in PickError.__members__
        assert result.error_msg
    np.testing.assert_array_equal(bench.controller.ask("joint_positions"), joints)


def test_emergency_stop_halts_and_latches_until_reset(bench, lives_on):
    goal = bench.start()
    wait_until(lambda: bench.speed() > 0.1)
    bench.emergency.publish(Bool(data=True))
    result = wait(goal.get_result_async()).result
    assert result.error_code == "EMERGENCY_STOP"
    bench.wait_for_rest()
    assert bench.pick().error_code == "EMERGENCY_STOP"
    bench.wait_for_rest()
    assert bench.reset().success


def test_the_emergency_stop_service_halts_too_and_says_how_to_go_on(bench, lives_on):
    goal = bench.start()
    wait_until(lambda: bench.speed() > 0.1)
    assert not bench.recover().success  # not while a goal is under way
    answer = bench.trigger()
    assert answer.success
    assert "emergency_stop/reset" in answer.message
    assert wait(goal.get_result_async()).result.error_code == "EMERGENCY_STOP"
    bench.wait_for_rest()
    assert bench.reset().success


def test_a_connection_that_hangs_trips_the_watchdog(bench, lives_on):
    goal = bench.start()
    wait_until(lambda: bench.speed() > 0.1)
    worker = bench.worker()
    limits_s = bench.picking._safety._watchdog._limits_s
    os.kill(worker, signal.SIGSTOP)
    try:
        limits_s["controller"] = 1.0
        wait_until(lambda: bench.picking._picker.stop_reason is PickError.EMERGENCY_STOP)
    finally:
        limits_s["controller"] = 30.0
        os.kill(worker, signal.SIGCONT)
    result = wait(goal.get_result_async()).result
    assert result.error_code == "EMERGENCY_STOP"
    assert "watchdog: the controller has been quiet" in result.error_msg
    bench.wait_for_rest()
    bench.wait_connected()
    assert bench.reset().success


def test_cancel_halts_and_the_next_goal_runs(bench, lives_on):
    goal = bench.start()
    wait_until(lambda: bench.speed() > 0.1)
    wait(goal.cancel_goal_async())
    assert wait(goal.get_result_async()).result.error_code == "CANCELED"
    bench.wait_for_rest()


def test_a_second_goal_is_refused_while_one_runs(bench):
    bench.controller.place_object(0.6)
    goal = bench.start()
    wait_until(lambda: bench.speed() > 0.1)
    assert bench.pick().error_code == "BUSY"
    assert wait(goal.get_result_async()).result.error_code == ""


def test_a_lost_controller_ends_the_goal_and_is_found_again(bench, lives_on):
    goal = bench.start()
    wait_until(lambda: bench.speed() > 0.1)
    bench.controller.ask("drop_connections")
    result = wait(goal.get_result_async()).result
    assert result.error_code == "ROBOT_LOST"
    wait_until(lambda: bench.speed() == 0.0)


def test_an_arm_lost_while_the_fingers_close_is_no_lost_gripper(bench, lives_on):
    bench.controller.place_object(0.6)
    closing = threading.Event()
    goal = bench.start(on_stage=lambda stage: closing.set() if stage == "close" else None)
    assert closing.wait(TIMEOUT_S)
    os.kill(bench.worker(), signal.SIGKILL)
    result = wait(goal.get_result_async()).result
    assert result.error_code == "ROBOT_LOST"
    assert "connection to the UR" in result.error_msg
    assert result.record.stages[-1].stage == "lift"  # the fingers were left to close
    bench.wait_for_rest()


def test_a_gripper_that_does_not_answer_ends_the_goal(bench, lives_on):
    bench.controller.ask("mute_gripper", True)
    result = bench.pick()
    assert result.error_code == "GRIPPER_LOST"
    bench.wait_for_rest()
    bench.controller.ask("mute_gripper", False)


def test_a_protective_stop_is_explained_and_nothing_moves(bench, lives_on):
    goal = bench.start()
    wait_until(lambda: bench.speed() > 0.1)
    bench.controller.ask("protective_stop")
    result = wait(goal.get_result_async()).result
    assert result.error_code == "ROBOT_STOPPED"
    assert "protective stop" in result.error_msg
    bench.controller.ask("tick", 6.0)  # it can be unlocked after five seconds
    wait_until(lambda: bench.speed() == 0.0)
    answer = bench.recover()
    assert answer.success, answer.message
    assert answer.message == "the UR is ready: unlocked its protective stop"
    bench.controller.place_object(0.6)
    assert bench.pick().error_code == ""


def test_a_run_without_a_detector_says_so(bench):
    goal = wait(bench.clear_client.send_goal_async(ClearBin.Goal()))
    result = wait(goal.get_result_async()).result
    assert result.error_code == "NO_PERCEPTION"
    assert "detect" in result.error_msg
