# SPDX-License-Identifier: Apache-2.0
"""The fish catching node over real DDS: cell, driver, perception and executor behind `catch_fish`."""

import threading
from pathlib import Path

import pytest
import rclpy
from rclpy.action import ActionClient
from std_msgs.msg import Bool
from std_srvs.srv import Trigger

from anygrasp_bringup.nodes.executors import MultiThreadedExecutor
from anygrasp_msgs.action import CatchFish
from robot_drivers.nodes.fish_catching import FishCatchingNode

TIMEOUT_S = 120.0
PARAMETERS = Path(__file__).parents[2] / "config" / "fish_catching.yaml"


class Bench:
    """The node with a cell of one fish, and a client of it."""

    def __init__(self):
        given = ("simulation.cell.fish.count:=1", "simulation.camera_rate_hz:=5.0", "use_sim_time:=true")
        words = [word for parameter in given for word in ("-p", parameter)]
        rclpy.init(args=["--ros-args", "--params-file", str(PARAMETERS), *words])
        self.catching = FishCatchingNode()
        self.node = rclpy.create_node("bench")
        self.client = ActionClient(self.node, CatchFish, "catch_fish")
        self.stop = self.node.create_publisher(Bool, "emergency_stop", 10)
        self.reset = self.node.create_client(Trigger, "emergency_stop/reset")
        self.trigger = self.node.create_client(Trigger, "emergency_stop/trigger")
        self.stages = []
        self.staged = threading.Event()
        self.executor = MultiThreadedExecutor(8)
        self.executor.add_node(self.catching)
        self.executor.add_node(self.node)
        self.thread = threading.Thread(target=self.executor.spin)
        self.thread.start()
        assert self.client.wait_for_server(TIMEOUT_S)
        assert self.reset.wait_for_service(TIMEOUT_S)

    def close(self):
        self.catching.halt()
        self.executor.shutdown()
        self.thread.join(TIMEOUT_S)
        self.catching.destroy_node()
        self.node.destroy_node()
        rclpy.shutdown()

    def wait(self, future):
        done = threading.Event()
        future.add_done_callback(lambda _: done.set())
        assert done.wait(TIMEOUT_S)
        return future.result()

    def send(self, **goal):
        self.staged.clear()
        return self.wait(self.client.send_goal_async(CatchFish.Goal(**goal), self._on_feedback))

    def begin(self):
        """A goal that is under way."""
        handle = self.send(timeout_s=60.0)
        assert self.staged.wait(TIMEOUT_S)
        return handle

    def release(self):
        """Reset the emergency stop; the run that was stopped may not have ended yet."""
        while not self.wait(self.reset.call_async(Trigger.Request())).success:
            threading.Event().wait(0.2)

    def result(self, handle):
        return self.wait(handle.get_result_async()).result

    def run(self, **goal):
        """Result of a goal, once the simulated robot is connected."""
        while (result := self.result(self.send(**goal))).error_code == "ROBOT_LOST":
            threading.Event().wait(0.2)
        return result

    def _on_feedback(self, message):
        self.stages.append(message.feedback.stage)
        self.staged.set()


@pytest.fixture(scope="module")
def bench():
    bench = Bench()
    yield bench
    bench.close()


def test_a_goal_ends_when_its_simulated_time_is_up(bench):
    result = bench.run(timeout_s=2.0)
    assert (result.error_code, result.error_msg) == ("", "")
    assert result.duration_s >= 2.0
    assert bench.stages[0] == "ready"


def test_a_canceled_goal_and_an_emergency_stop_end_the_run_and_say_so(bench):
    handle = bench.begin()
    bench.wait(handle.cancel_goal_async())
    assert bench.result(handle).error_code == "CANCELED"
    handle = bench.begin()
    bench.stop.publish(Bool(data=True))
    assert bench.result(handle).error_code == "EMERGENCY_STOP"
    held = bench.run(timeout_s=1.0)
    assert held.error_code == "EMERGENCY_STOP"
    assert "emergency_stop/reset" in held.error_msg
    bench.release()
    assert bench.run(timeout_s=0.5).error_code == ""


def test_the_service_and_the_watchdog_stop_a_run_too(bench):
    handle = bench.begin()
    assert bench.wait(bench.trigger.call_async(Trigger.Request())).success
    assert bench.result(handle).error_code == "EMERGENCY_STOP"
    bench.release()
    limits_s = bench.catching._safety._watchdog._limits_s
    limits_s["heartbeat"] = 0.2  # of a program that is not there
    try:
        result = bench.run(timeout_s=60.0)
    finally:
        limits_s["heartbeat"] = 0.0
    assert result.error_code == "EMERGENCY_STOP"
    assert "watchdog: the heartbeat has been quiet" in result.error_msg
    bench.release()
    assert bench.run(timeout_s=0.5).error_code == ""
