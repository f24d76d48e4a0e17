# SPDX-License-Identifier: Apache-2.0
"""Bin picking: camera, grasp detection and executor; with `sim:=true` the simulated cell as well."""

import os

from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    IncludeLaunchDescription,
    OpaqueFunction,
    RegisterEventHandler,
)
from launch.conditions import IfCondition, UnlessCondition
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution, ThisLaunchFileDir
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

HERE = os.path.dirname(os.path.realpath(__file__))


def generate_launch_description():
    sim = LaunchConfiguration("sim")
    namespace = LaunchConfiguration("namespace")
    params_file = LaunchConfiguration("params_file")
    use_sim_time = {"use_sim_time": ParameterValue(sim, value_type=bool)}

    def integer(name):
        return ParameterValue(LaunchConfiguration(name), value_type=int)

    def boolean(name):
        return ParameterValue(LaunchConfiguration(name), value_type=bool)

    def string(name):
        return ParameterValue(LaunchConfiguration(name), value_type=str)

    def host(context, name):
        """The robot's address as a parameter, if one was given; the simulated one has its own."""
        given = LaunchConfiguration("robot_ip").perform(context)
        if not given and is_simulated(context):
            given = "127.0.0.1"
        return {name: ParameterValue(given, value_type=str)} if given else {}

    def is_simulated(context):
        return IfCondition(sim).evaluate(context)

    def cell(context):
        return [
            Node(
                package="anygrasp_sim",
                executable="cell",
                namespace=namespace,
                output="screen",
                parameters=[
                    params_file,
                    {
                        "cell.object_count": integer("objects"),
                        "cell.seed": integer("seed"),
                        "viewer": boolean("viewer"),
                        **host(context, "controller_host"),
                    },
                ],
            )
        ]

    def executor(context):
        return [
            Node(
                package="robot_drivers",
                executable="bin_picking",
                namespace=namespace,
                output="screen",
                parameters=[
                    params_file,
                    {
                        **use_sim_time,
                        **host(context, "arm.robot_ip"),
                        **host(context, "gripper.robot_ip"),
                    },
                ],
            )
        ]

    clear_bin = Node(
        package="robot_drivers",
        executable="clear_bin",
        namespace=namespace,
        output="screen",
        parameters=[
            params_file,
            use_sim_time,
            {
                "report": string("report"),
                "contact_sheet": string("contact_sheet"),
                "max_attempts": integer("max_attempts"),
                "ground_truth": boolean("sim"),
                "seed": integer("seed"),
            },
        ],
        condition=IfCondition(LaunchConfiguration("auto_start")),
    )
    return LaunchDescription(
        [
            DeclareLaunchArgument("sim", default_value="true", description="run the simulated cell"),
            DeclareLaunchArgument(
                "params_file",
                default_value=os.path.join(HERE, "..", "config", "bin_picking.yaml"),
                description="parameters of all nodes",
            ),
            DeclareLaunchArgument(
                "calibration",
                default_value=os.path.join(HERE, "..", "config", "calibration.yaml"),
                description="pose of a real camera, written by ./run calibrate",
            ),
            DeclareLaunchArgument(
                "namespace", default_value="anygrasp", description="namespace of all nodes"
            ),
            DeclareLaunchArgument("rviz", default_value="false", description="open rviz"),
            DeclareLaunchArgument(
                "robot_ip", default_value="", description="UR controller; empty: as params_file says"
            ),
            DeclareLaunchArgument(
                "objects", default_value="8", description="how many objects the cell drops"
            ),
            DeclareLaunchArgument("seed", default_value="0", description="seed of the cell and the detector"),
            DeclareLaunchArgument(
                "detector", default_value="", description="network or geometric; empty: as params_file says"
            ),
            DeclareLaunchArgument(
                "weights", default_value="", description="file for the network; empty: as params_file says"
            ),
            DeclareLaunchArgument("viewer", default_value="false", description="show the cell in a window"),
            DeclareLaunchArgument("auto_start", default_value="true", description="clear the bin at once"),
            DeclareLaunchArgument("max_attempts", default_value="0", description="attempts; 0: no limit"),
            DeclareLaunchArgument("report", default_value="", description="JSON file for the report"),
            DeclareLaunchArgument("contact_sheet", default_value="", description="PNG file for the picks"),
            OpaqueFunction(function=cell, condition=IfCondition(sim)),
            Node(
                package="anygrasp_perception",
                executable="camera",
                output="screen",
                parameters=[params_file, LaunchConfiguration("calibration")],
                condition=UnlessCondition(sim),
            ),
            OpaqueFunction(function=executor),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(
                    PathJoinSubstitution([ThisLaunchFileDir(), "detection.launch.py"])
                ),
                launch_arguments={
                    "camera": "false",
                    "use_sim_time": sim,
                    "params_file": params_file,
                    "namespace": namespace,
                    "rviz": LaunchConfiguration("rviz"),
                    "seed": LaunchConfiguration("seed"),
                    "detector": LaunchConfiguration("detector"),
                    "weights": LaunchConfiguration("weights"),
                }.items(),
            ),
            clear_bin,
            RegisterEventHandler(
                OnProcessExit(
                    target_action=clear_bin, on_exit=[EmitEvent(event=Shutdown(reason="the run has ended"))]
                )
            ),
        ]
    )
