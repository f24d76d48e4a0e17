# SPDX-License-Identifier: Apache-2.0
"""Grasp detection on a depth camera: publishes grasps, markers and diagnostics, moves nothing."""

import os

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, EmitEvent, OpaqueFunction
from launch.conditions import IfCondition
from launch.events import Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

HERE = os.path.dirname(os.path.realpath(__file__))


def generate_launch_description():
    namespace = LaunchConfiguration("namespace")
    params_file = LaunchConfiguration("params_file")

    def given(context, arguments):
        """Values by parameter of the launch arguments that are not empty; else params_file has the word."""
        texts = {name: LaunchConfiguration(argument).perform(context) for name, argument in arguments.items()}
        return {name: ParameterValue(text, value_type=str) for name, text in texts.items() if text}

    def camera(context):
        shown = given(
            context, {"folder": "folder", "realsense.serial": "serial", "realsense.recording": "recording"}
        )
        return [
            Node(
                package="anygrasp_perception",
                executable="camera",
                output="screen",
                parameters=[params_file, LaunchConfiguration("calibration"), *([shown] if shown else [])],
            )
        ]

    def detection(context):
        return [
            Node(
                package="anygrasp_perception",
                executable="grasp_detection",
                namespace=namespace,
                output="screen",
                parameters=[
                    params_file,
                    {
                        "seed": ParameterValue(LaunchConfiguration("seed"), value_type=int),
                        "use_sim_time": ParameterValue(LaunchConfiguration("use_sim_time"), value_type=bool),
                        **given(context, {"detector": "detector", "weights": "weights"}),
                    },
                ],
                on_exit=EmitEvent(event=Shutdown(reason="no grasp detection")),
            )
        ]

    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "params_file",
                default_value=os.path.join(HERE, "..", "config", "detection.yaml"),
                description="parameters of all nodes",
            ),
            DeclareLaunchArgument(
                "namespace", default_value="anygrasp", description="namespace of the detector"
            ),
            DeclareLaunchArgument(
                "camera", default_value="true", description="start our camera node; false: realsense-ros runs"
            ),
            DeclareLaunchArgument(
                "serial", default_value="", description="of the RealSense; empty: as params_file says"
            ),
            DeclareLaunchArgument("recording", default_value="", description=".bag or .db3 file to play"),
            DeclareLaunchArgument("folder", default_value="", description="folder of RGB-D images to show"),
            DeclareLaunchArgument(
                "calibration",
                default_value=params_file,
                description="YAML with the camera's pose, written by ./run calibrate; without it no pose",
            ),
            DeclareLaunchArgument("rviz", default_value="false", description="open rviz"),
            DeclareLaunchArgument(
                "detector", default_value="", description="network or geometric; empty: as params_file says"
            ),
            DeclareLaunchArgument(
                "weights", default_value="", description="file for the network; empty: as params_file says"
            ),
            DeclareLaunchArgument("seed", default_value="0", description="seed of the detector"),
            DeclareLaunchArgument("use_sim_time", default_value="false", description="take time from /clock"),
            OpaqueFunction(function=camera, condition=IfCondition(LaunchConfiguration("camera"))),
            OpaqueFunction(function=detection),
            Node(
                package="rviz2",
                executable="rviz2",
                arguments=["-d", os.path.join(HERE, "..", "config", "anygrasp.rviz")],
                condition=IfCondition(LaunchConfiguration("rviz")),
            ),
        ]
    )
