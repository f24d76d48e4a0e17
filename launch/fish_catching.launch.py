# SPDX-License-Identifier: Apache-2.0
"""Fish catching: the executor with the simulated cell, or over a Flexiv arm."""

import os

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, EmitEvent, OpaqueFunction, RegisterEventHandler
from launch.conditions import IfCondition, UnlessCondition
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

HERE = os.path.dirname(os.path.realpath(__file__))


def generate_launch_description():
    sim = LaunchConfiguration("sim")
    namespace = LaunchConfiguration("namespace")
    params_file = LaunchConfiguration("params_file")

    def typed(name, kind):
        return ParameterValue(LaunchConfiguration(name), value_type=kind)

    use_sim_time = {"use_sim_time": typed("sim", bool)}

    def executor(context):
        serial = LaunchConfiguration("serial_number").perform(context)
        robot = {"arm.serial_number": ParameterValue(serial, value_type=str)} if serial else {}
        return [
            Node(
                package="robot_drivers",
                executable="fish_catching",
                namespace=namespace,
                output="screen",
                parameters=[
                    params_file,
                    use_sim_time,
                    {
                        "sim": typed("sim", bool),
                        "policy": typed("policy", str),
                        "detector": typed("detector", str),
                        "simulation.cell.seed": typed("seed", int),
                        **robot,
                    },
                ],
            )
        ]

    catch_fish = Node(
        package="robot_drivers",
        executable="catch_fish",
        namespace=namespace,
        output="screen",
        parameters=[
            params_file,
            use_sim_time,
            {"max_catches": typed("max_catches", int), "timeout_s": typed("timeout_s", float)},
        ],
        condition=IfCondition(LaunchConfiguration("auto_start")),
    )
    return LaunchDescription(
        [
            DeclareLaunchArgument("sim", default_value="true", description="run the simulated cell"),
            DeclareLaunchArgument(
                "params_file",
                default_value=os.path.join(HERE, "..", "config", "fish_catching.yaml"),
                description="parameters of all nodes",
            ),
            DeclareLaunchArgument(
                "namespace", default_value="anygrasp", description="namespace of all nodes"
            ),
            DeclareLaunchArgument(
                "policy",
                default_value="association",
                description="or appearance, or nearest",
            ),
            DeclareLaunchArgument(
                "detector",
                default_value="network",
                description="or geometric, which the policy association cannot do with",
            ),
            DeclareLaunchArgument("seed", default_value="0", description="seed of the fish"),
            DeclareLaunchArgument(
                "serial_number", default_value="", description="of the Flexiv arm; empty: as params_file says"
            ),
            DeclareLaunchArgument("auto_start", default_value="true", description="catch at once"),
            DeclareLaunchArgument("max_catches", default_value="0", description="stop then; 0: no limit"),
            DeclareLaunchArgument("timeout_s", default_value="120.0", description="stop then; 0: no limit"),
            Node(
                package="anygrasp_perception",
                executable="camera",
                output="screen",
                parameters=[params_file],
                condition=UnlessCondition(sim),
            ),
            OpaqueFunction(function=executor),
            catch_fish,
            RegisterEventHandler(
                OnProcessExit(
                    target_action=catch_fish, on_exit=[EmitEvent(event=Shutdown(reason="done catching"))]
                )
            ),
        ]
    )
