# SPDX-License-Identifier: Apache-2.0
"""Bin picking node: the executor behind the `clear_bin` and `pick` actions, and the emergency stop."""

from __future__ import annotations

import threading

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node

from anygrasp_bringup.nodes.diagnostics import status_message
from anygrasp_bringup.nodes.parameters import declare_parameters
from anygrasp_bringup.nodes.qos import RESULTS
from anygrasp_bringup.nodes.spinning import run_node
from anygrasp_bringup.nodes.tf import TransformBroadcaster, TransformBuffer, TransformListener
from anygrasp_bringup.nodes.transform_conversions import transform_to_stamped_msg
from robot_drivers.arms.arm import ArmError
from robot_drivers.arms.ur import UrArm
from robot_drivers.bin_picking_config import BinPickingNodeConfig
from robot_drivers.executors.bin_picking import BinPickingExecutor
from robot_drivers.executors.perception import Perception
from robot_drivers.executors.pick_errors import PickError, PickFailed
from robot_drivers.executors.pick_record import PickRecord, PickStage
from robot_drivers.grippers.robotiq_modbus import make_robotiq
from robot_drivers.nodes.grasp_client import GraspClient
from robot_drivers.nodes.log_bridge import bridge_logs
from robot_drivers.nodes.pick_actions import PickActions
from robot_drivers.nodes.robot_link import RobotLink
from robot_drivers.nodes.safety_services import SafetyServices
from robot_drivers.safety import SafeArm
from robot_drivers.safety.dry_run import DryRunArm, DryRunGripper
from robot_drivers.safety.safe_gripper import SafeGripper
from robot_drivers.safety.watchdog import Watchdog

__all__ = ["BinPickingNode", "BinPickingNodeConfig", "main"]


class BinPickingNode(Node):
    """Goals run in their action's callback, one at a time; stops come through groups of their own."""

    def __init__(self) -> None:
        super().__init__("bin_picking")
        bridge_logs(self)
        self._config = config = declare_parameters(self, BinPickingNodeConfig)
        self._robot = UrArm(config.arm)
        robotiq = make_robotiq(config.gripper)
        arm = SafeArm(DryRunArm(self._robot) if config.dry_run else self._robot, config.limits)
        gripper = SafeGripper(DryRunGripper(robotiq) if config.dry_run else robotiq, config.limits)
        self._picker = BinPickingExecutor(
            config.picking,
            arm,
            gripper,
            self._perceive,
            self._now_s,
            config.limits,
            self._on_event,
            in_use=lambda: self._link.in_use(),
        )
        self._halting = threading.Lock()
        self._buffer = TransformBuffer(node=self)
        self._listener = TransformListener(self._buffer, self)
        self._broadcaster = TransformBroadcaster(self)
        target = config.picking.target
        region_m = (target.region_min_m, target.region_max_m)
        self._eyes = GraspClient(
            self, config.detection, self._buffer, config.base_frame, region_m, self._is_stopped
        )
        watchdog = Watchdog(config.watchdog)
        # The tool is where the real arm is, whatever a dry run believes.
        self._link = RobotLink(
            self,
            self._robot,
            gripper,
            config.arm.T_tool0_tcp,
            config.base_frame,
            config.retry_s,
            config.tool_rate_hz,
            on_alive=lambda: watchdog.beat("controller"),
        )
        self._actions = PickActions(self, self._picker, self._eyes, self._link)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", RESULTS)
        self._safety = SafetyServices(
            self,
            arm,
            watchdog,
            stop=lambda text: self._stop(PickError.EMERGENCY_STOP, text),
            release=self._release,
            busy=lambda: self._actions.busy,
        )
        if config.dry_run:
            self.get_logger().warning("dry run: goals are logged, nothing moves")
        self.create_timer(1.0, self._publish_diagnostics)

    def halt(self) -> None:
        """Stop the robot, which also ends a goal under way; a second call waits for the first."""
        with self._halting:
            if self._picker.stop_reason is None:
                self._stop(PickError.CANCELED, "the node is shutting down")

    def destroy_node(self) -> None:
        """Halt and disconnect the robot, then end the node."""
        self.halt()
        self._link.close()
        super().destroy_node()

    def _on_event(self, stage: PickStage, record: PickRecord) -> None:
        if stage is PickStage.APPROACH:
            self._publish_target(record)
        self._actions.feedback(stage, record)

    def _publish_target(self, record: PickRecord) -> None:
        stamp = self.get_clock().now().to_msg()
        self._broadcaster.sendTransform(
            transform_to_stamped_msg(record.frame_id, "grasp_target", record.grasp.poses[0], stamp)
        )

    def _release(self) -> str | None:
        try:
            self._picker.clear_stop(PickError.EMERGENCY_STOP)
        except (PickFailed, ArmError) as error:
            return str(error)
        return None

    def _stop(self, reason: PickError, text: str) -> None:
        try:
            self._picker.stop(reason, text)
        except ArmError as error:
            self.get_logger().error(f"the arm did not take the stop: {error}")

    def _is_stopped(self) -> bool:
        return self._picker.stopped.is_set()

    def _perceive(self, newer_than_s: float) -> Perception:
        return self._eyes(newer_than_s)

    def _now_s(self) -> float:
        return self.get_clock().now().nanoseconds * 1e-9

    def _publish_diagnostics(self) -> None:
        problem = self._link.problem
        stop = self._picker.stop_reason
        text = problem or (f"stopped: {stop.value}" if stop is not None else "ready")
        details = self._robot.details() if problem is None else {}
        values = {"robot_ip": self._config.arm.robot_ip, "dry_run": str(self._config.dry_run), **details}
        self._diagnostics.publish(status_message(self, "bin picking", text == "ready", text, values))


def main() -> int:
    """Entry point `bin_picking`."""
    return run_node(BinPickingNode, threads=8)
