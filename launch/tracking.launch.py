# SPDX-License-Identifier: Apache-2.0
"""Grasp tracking on a depth camera: publishes followed and predicted grasps and TF, moves nothing."""

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

    def string(name):
        return ParameterValue(LaunchConfiguration(name), value_type=str)

    def tracking(context):
        given = {}
        for name, parameter in (
            ("detector", "detection.detector"),
            ("weights", "detection.weights"),
            ("policy", "policy"),
            ("source", "source"),
        ):
            if text := LaunchConfiguration(name).perform(context):
                given[parameter] = ParameterValue(text, value_type=str)
        return [
            Node(
                package="anygrasp_tracking",
                executable="grasp_tracking",
                namespace=namespace,
                output="screen",
                parameters=[
                    params_file,
                    {
                        "fixed_frame": string("fixed_frame"),
                        "use_sim_time": ParameterValue(LaunchConfiguration("use_sim_time"), value_type=bool),
                        **given,
                    },
                ],
                on_exit=EmitEvent(event=Shutdown(reason="no grasp tracking")),
            )
        ]

    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "params_file",
                default_value=os.path.join(HERE, "..", "config", "tracking.yaml"),
                description="parameters of all nodes",
            ),
            DeclareLaunchArgument(
                "namespace", default_value="anygrasp", description="namespace of the tracker"
            ),
            DeclareLaunchArgument(
                "camera", default_value="true", description="start our camera node; false: realsense-ros runs"
            ),
            DeclareLaunchArgument("serial", default_value="", description="serial number of the RealSense"),
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
            DeclareLaunchArgument(
                "policy",
                default_value="",
                description="association, appearance or nearest; empty: as params_file says",
            ),
            DeclareLaunchArgument(
                "source",
                default_value="",
                description="images: detect here; grasps: follow a detection node; empty: by params_file",
            ),
            DeclareLaunchArgument(
                "fixed_frame",
                default_value="",
                description="frame that stands still, such as base; empty: the camera does",
            ),
            DeclareLaunchArgument("use_sim_time", default_value="false", description="take time from /clock"),
            Node(
                package="anygrasp_perception",
                executable="camera",
                output="screen",
                parameters=[
                    params_file,
                    LaunchConfiguration("calibration"),
                    {
                        "folder": string("folder"),
                        "realsense.serial": string("serial"),
                        "realsense.recording": string("recording"),
                    },
                ],
                condition=IfCondition(LaunchConfiguration("camera")),
            ),
            OpaqueFunction(function=tracking),
            Node(
                package="rviz2",
                executable="rviz2",
                arguments=["-d", os.path.join(HERE, "..", "config", "anygrasp.rviz")],
                condition=IfCondition(LaunchConfiguration("rviz")),
            ),
        ]
    )
