# SPDX-License-Identifier: Apache-2.0
"""The whole cell by its launch file: seen from another process, picks, reports, and leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import rclpy
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo
from visualization_msgs.msg import MarkerArray

from anygrasp_bringup.nodes.executors import SingleThreadedExecutor
from anygrasp_bringup.nodes.qos import RESULTS, SENSOR_DATA
from anygrasp_bringup.nodes.tf import TransformBuffer, TransformListener
from anygrasp_msgs.msg import GraspArray

LAUNCH_FILE = Path(__file__).parents[1] / "launch" / "bin_picking.launch.py"
RUN_TIMEOUT_S = 400


class Listener:
    """A node of this process, which is not the launched one, that waits for what the stack publishes."""

    def __init__(self):
        rclpy.init()
        self.node = rclpy.create_node("listener")
        self.events = {name: threading.Event() for name in ("grasps", "markers", "camera_info")}
        self.grasps = []
        self.node.create_subscription(GraspArray, "/anygrasp/grasps", self._on_grasps, RESULTS)
        self.node.create_subscription(MarkerArray, "/anygrasp/markers", self._on("markers"), RESULTS)
        info_topic = "/camera/camera/color/camera_info"
        self.node.create_subscription(CameraInfo, info_topic, self._on("camera_info"), SENSOR_DATA)
        self.buffer = TransformBuffer(node=self.node)
        self.listener = TransformListener(self.buffer, self.node)
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.node)
        self.thread = threading.Thread(target=self.executor.spin)
        self.thread.start()

    def close(self):
        self.executor.shutdown()
        self.thread.join(10)
        self.node.destroy_node()
        rclpy.shutdown()

    def _on(self, name):
        return lambda _: self.events[name].set()

    def _on_grasps(self, message):
        self.grasps.append(message)
        if message.grasps:
            self.events["grasps"].set()


@pytest.fixture
def listener():
    listener = Listener()
    yield listener
    listener.close()


def start(*arguments):
    command = [sys.executable, "-m", "anygrasp_bringup.launch_runner.cli", str(LAUNCH_FILE), *arguments]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


def processes_of_session(session_id):
    """Command lines of the processes that descend from a session leader and still run."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.getsid(int(entry.name)) == session_id:
                found.append((entry / "cmdline").read_text())
        except (ProcessLookupError, FileNotFoundError, PermissionError):
            continue
    return found


def test_cell_comes_up_picks_reports_and_shuts_down(listener, tmp_path):
    report_file, sheet_file = tmp_path / "report.json", tmp_path / "picks.png"
    launched = start(
        "detector:=geometric",
        "objects:=3",
        "seed:=1",
        "max_attempts:=3",
        f"report:={report_file}",
        f"contact_sheet:={sheet_file}",
    )
    try:
        output, _ = launched.communicate(timeout=RUN_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        os.killpg(launched.pid, signal.SIGINT)
        output, _ = launched.communicate(timeout=60)
        pytest.fail(f"no end within {RUN_TIMEOUT_S} s:\n{output}")
    assert launched.returncode == 0, output
    for name, event in listener.events.items():
        assert event.is_set(), f"no {name} seen from this process:\n{output}"
    assert listener.grasps[-1].header.frame_id == "camera_color_optical_frame"
    T_base_camera = listener.buffer.lookup_matrix("base", "camera_color_optical_frame", Time())
    assert T_base_camera[2, 2] < -0.9  # the camera looks down
    assert listener.buffer.lookup_matrix("base", "tool0", Time())[2, 3] > 0.05
    total = json.loads(report_file.read_text())["total"]
    assert total["objects"] == 3
    assert 1 <= total["successes"] <= total["attempts"] <= 3, output
    assert sheet_file.stat().st_size > 10_000
    assert processes_of_session(launched.pid) == []


def test_interrupt_during_a_run_ends_everything(listener):
    launched = start("detector:=geometric", "objects:=2", "seed:=2")
    assert listener.events["grasps"].wait(120)
    os.killpg(launched.pid, signal.SIGINT)
    output, _ = launched.communicate(timeout=60)
    assert processes_of_session(launched.pid) == [], output


def test_the_robot_s_address_of_the_parameters_file_stands(tmp_path):
    nowhere = f"127.{os.getpid() % 250 + 1}.9.9"
    parameters = tmp_path / "cell.yaml"
    parameters.write_text(f"/**/bin_picking: {{ros__parameters: {{arm: {{robot_ip: {nowhere}}}}}}}\n")
    launched = start("sim:=false", "auto_start:=false", "detector:=geometric", f"params_file:={parameters}")
    assert launched.stdout is not None
    deadline = threading.Timer(RUN_TIMEOUT_S, launched.kill)
    deadline.start()
    assert any(f"no UR controller answers at {nowhere}" in line for line in launched.stdout)
    deadline.cancel()
    os.killpg(launched.pid, signal.SIGINT)
    launched.communicate(timeout=60)
