# SPDX-License-Identifier: Apache-2.0
"""The bin picking node in a dry run: a whole pick over real DDS and ur_rtde, logged, and nothing moves."""

import os
import threading
import time

import numpy as np
import rclpy
from geometry_msgs.msg import Quaternion
from rcl_interfaces.msg import Log
from rclpy.action import ActionClient
from std_msgs.msg import Header

from anygrasp_bringup.nodes.executors import MultiThreadedExecutor
from anygrasp_msgs.action import Pick
from anygrasp_msgs.msg import Grasp
from anygrasp_sim.emulators.controller_process import UrControllerProcess
from robot_drivers.nodes.bin_picking import BinPickingNode

HOST = f"127.{os.getpid() % 250 + 1}.{time.time_ns() // 1000 % 250 + 1}.21"
TIMEOUT_S = 60.0


def wait_until(condition) -> None:
    deadline_s = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline_s, "the condition did not come about"
        threading.Event().wait(0.01)


def test_a_pick_is_logged_move_by_move_and_nothing_moves():
    parameters = {"arm.robot_ip": HOST, "gripper.robot_ip": HOST, "dry_run": "true"}
    overrides = [part for name, value in parameters.items() for part in ("-p", f"{name}:={value}")]
    with UrControllerProcess("ur5e", HOST) as controller:
        rclpy.init(args=["--ros-args", *overrides])
        picking, node = BinPickingNode(), rclpy.create_node("person")
        lines: list[str] = []
        node.create_subscription(Log, "/rosout", lambda message: lines.append(message.msg), 100)
        client = ActionClient(node, Pick, "pick")
        executor = MultiThreadedExecutor(10)
        for each in (picking, node):
            executor.add_node(each)
        thread = threading.Thread(target=executor.spin)
        thread.start()
        try:
            wait_until(lambda: picking._link.problem is None)
            assert client.wait_for_server(TIMEOUT_S)
            joints, before = controller.ask("joint_positions"), controller.ask("rtde_commands")
            grasp = Grasp(width=0.04, height=0.02, depth=0.02, score=0.9)
            grasp.pose.position.x, grasp.pose.position.y, grasp.pose.position.z = 0.05, -0.50, 0.05
            grasp.pose.orientation = Quaternion(x=0.0, y=0.7071068, z=0.0, w=0.7071068)
            goal = client.send_goal_async(Pick.Goal(header=Header(frame_id="base"), grasp=grasp))
            wait_until(goal.done)
            result = goal.result().get_result_async()
            wait_until(result.done)
            assert result.result().result.error_code == "", result.result().result.error_msg
            wait_until(lambda: sum(line.startswith("dry run: would") for line in lines) >= 6)
            after = controller.ask("rtde_commands")
            assert [after.get(move, 0) - before.get(move, 0) for move in (1, 3, 24)] == [0, 0, 0]
            np.testing.assert_array_equal(controller.ask("joint_positions"), joints)
            assert any("would move the fingers to 0.000 m" in line for line in lines)
        finally:
            picking.halt()
            executor.shutdown()
            thread.join(TIMEOUT_S)
            picking.destroy_node()
            node.destroy_node()
            rclpy.shutdown()
