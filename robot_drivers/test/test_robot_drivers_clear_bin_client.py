# SPDX-License-Identifier: Apache-2.0
"""The client of `clear_bin` tells of the end of an executor that ends under it, with what was done."""

import contextlib
import json
import threading

import pytest
import rclpy
from rclpy._rclpy_pybind11 import InvalidHandle
from rclpy.action import ActionServer
from rclpy.task import Future

from anygrasp_bringup.nodes.executors import MultiThreadedExecutor, SingleThreadedExecutor
from anygrasp_msgs.action import ClearBin
from anygrasp_msgs.msg import PickRecord
from robot_drivers.nodes import clear_bin

TIMEOUT_S = 60.0


class Executor:
    """A server that makes one attempt and then works on until it is let go."""

    def __init__(self, node):
        self.working, self.let_go = threading.Event(), threading.Event()
        self.server = ActionServer(node, ClearBin, "clear_bin", self._work)

    def _work(self, goal):
        record = PickRecord(attempt=1, placed=True)
        goal.publish_feedback(ClearBin.Feedback(stage="done", attempt_finished=True, record=record))
        self.working.set()
        self.let_go.wait(TIMEOUT_S)
        return ClearBin.Result()


def work_until(end, node):
    """Spin in one thread, which the goal blocks: nobody waits on the server while it is destroyed."""
    spinner = SingleThreadedExecutor()
    spinner.add_node(node)
    with contextlib.suppress(InvalidHandle):  # of the server, when the goal is let go
        spinner.spin_until_future_complete(end)


@pytest.fixture
def executor_node():
    rclpy.init()
    node = rclpy.create_node("executor")
    yield node
    node.destroy_node()
    rclpy.shutdown()


def test_an_executor_that_ends_during_the_run_ends_the_run(executor_node, tmp_path, monkeypatch):
    monkeypatch.setattr(clear_bin, "_GONE_S", 0.3)
    file = tmp_path / "report.json"
    executor = Executor(executor_node)
    client = clear_bin.ClearBinClient()
    monkeypatch.setattr(client, "_config", clear_bin.ClearBinConfig(report=str(file)))
    spinner = MultiThreadedExecutor(2)
    spinner.add_node(client)
    spin = threading.Thread(target=spinner.spin)
    spin.start()
    end = Future()
    work = threading.Thread(target=work_until, args=(end, executor_node))
    work.start()
    codes = []
    run = threading.Thread(target=lambda: codes.append(client.run()))
    run.start()
    try:
        assert executor.working.wait(TIMEOUT_S)
        executor.server.destroy()
        run.join(TIMEOUT_S)
        assert codes == [1]
        report = json.loads(file.read_text())
        assert report["run"]["error_code"] == "EXECUTOR_LOST"
        assert "start it again" in report["run"]["error_msg"]
        assert report["total"]["attempts"] == 1
    finally:
        end.set_result(None)
        executor.let_go.set()
        work.join(TIMEOUT_S)
        client.interrupt()
        run.join(TIMEOUT_S)
        spinner.shutdown()
        spin.join(TIMEOUT_S)
        client.destroy_node()
