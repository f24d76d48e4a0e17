# SPDX-License-Identifier: Apache-2.0
"""Everything that a fault can be injected into, up and running."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import rclpy
import yaml

from anygrasp_bringup.ros_domain import reserved_ros_domain
from anygrasp_bringup.ros_environment import apply_ros_environment
from faults.motion import Motion
from faults.operator_node import Goal, Operator, wait_until
from faults.relay import Relay
from faults.stack import CellProcess, NodeProcess

__all__ = ["OVERRIDES", "Bench", "bench"]

# Where the campaign departs from config/bin_picking.yaml: two failed perceptions end a run, to wait less, and
# longer limits, to bear a busy machine.
OVERRIDES = {
    "retry_s": 1.0,
    "arm": {"data_timeout_s": 5.0, "request_timeout_s": 15.0, "watchdog_hz": 0.25},
    "gripper": {"answer_timeout_s": 4.0, "move_timeout_s": 20.0},
    "picking": {"max_failed_perceptions": 2},
    "detection": {"answer_timeout_s": 30.0},
    "watchdog": {"perception_s": 20.0, "controller_s": 15.0},
}
_CELL = {"speed": 2.0, "camera_rate_hz": 2.0, "objects_rate_hz": 1.0, "cell": {"object_count": 6, "seed": 4}}
_UP_S = 240.0  # for what is started on a busy machine
_MIN_OBJECTS = 3


class Bench:
    """The cell, the relay, the two nodes and the operator."""

    def __init__(self, cell: CellProcess, relay: Relay, nodes: dict[str, NodeProcess], folder: Path) -> None:
        self.cell = cell
        self.relay = relay
        self.executor = nodes["bin_picking"]
        self.detection = nodes["grasp_detection"]
        self.nodes = nodes
        self.folder = folder
        self.operator = Operator()

    def motion(self, since_s: float = 0.0) -> Motion:
        """What the arm does, by the emulator."""
        motion: Motion = self.cell.ask("motion", since_s)
        return motion

    def log_since(self, wall_s: float) -> list[str]:
        """Warnings and errors of all nodes under test since a moment of the monotonic clock."""
        return [
            f"{node.name}: {tidy(text)}"
            for node in self.nodes.values()
            for text in node.log.since(wall_s)
            if re.search(r"WARN|ERROR|FATAL", text)
        ]

    def begin_run(self, attempts: int) -> Goal:
        """A run that has found a connected robot; refills the plate before."""
        if self.cell.ask("on_plate") < _MIN_OBJECTS:
            self.cell.ask("refill")
        return self._begin(lambda: self.operator.clear_bin(attempts, _UP_S))

    def begin_move(self) -> Goal:
        """The pick of a grasp high over the plate, for which nothing has to be seen."""
        return self._begin(lambda: self.operator.pick(_UP_S))

    def _begin(self, start: Callable[[], Goal]) -> Goal:
        """Start until the executor has its robot again."""
        deadline_s = time.monotonic() + _UP_S
        while True:
            goal = start()
            wait_until(lambda goal=goal: goal.stages or goal.result, 60.0)
            if goal.stages or goal.result is None or goal.result.error_code != "ROBOT_LOST":
                return goal
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"no robot: {goal.result.error_msg}")
            time.sleep(0.5)

    def wait_still(self, for_s: float, timeout_s: float) -> bool:
        """Wait until the arm has stood still for so long of its own time."""
        return wait_until(lambda: self.motion().still_for_s >= for_s, timeout_s)


def tidy(text: str) -> str:
    """A log line without its stamps and the name of its process."""
    text = re.sub(r"^\[\S+-\d+\] ", "", text)
    return re.sub(r"\[\d+\.\d+\] ?", "", text)


@contextmanager
def bench(folder: Path) -> Iterator[Bench]:
    """Start everything; end everything."""
    apply_ros_environment()
    with ExitStack() as stack:
        stack.enter_context(reserved_ros_domain())
        rclpy.init()
        stack.callback(rclpy.try_shutdown)
        folder.mkdir(parents=True, exist_ok=True)
        network = f"127.{os.getpid() % 250 + 1}.{time.time_ns() // 1000 % 250 + 1}"
        robot_host, relay_host = f"{network}.10", f"{network}.20"
        log_file = folder / "log.txt"
        cell_file = _parameters(folder / "cell.yaml", "cell", {**_CELL, "controller_host": robot_host})
        cell = CellProcess(cell_file, log_file)
        stack.callback(cell.close)
        relay = Relay(relay_host, robot_host)
        stack.callback(relay.close)
        overrides = {
            **OVERRIDES,
            "arm": {**OVERRIDES["arm"], "robot_ip": relay_host},  # type: ignore[dict-item]
            "gripper": {**OVERRIDES["gripper"], "robot_ip": relay_host},  # type: ignore[dict-item]
        }
        nodes = {
            "bin_picking": NodeProcess(
                "robot_drivers",
                "bin_picking",
                _parameters(folder / "bin_picking.yaml", "bin_picking", overrides),
                log_file,
            ),
            "grasp_detection": NodeProcess(
                "anygrasp_perception",
                "grasp_detection",
                _parameters(folder / "grasp_detection.yaml", "grasp_detection", {"image_timeout_s": 5.0}),
                log_file,
            ),
        }
        cell.ask("on_plate", timeout_s=_UP_S)  # answers once the objects are at rest
        for node in nodes.values():
            node.start()
            stack.callback(node.close)
        made = Bench(cell, relay, nodes, folder)
        stack.callback(made.operator.close)
        yield made


def _parameters(path: Path, node: str, values: dict[str, object]) -> Path:
    path.write_text(yaml.safe_dump({f"/**/{node}": {"ros__parameters": values}}), encoding="utf-8")
    return path
