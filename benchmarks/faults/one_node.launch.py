# SPDX-License-Identifier: Apache-2.0
"""One node of the stack, so that the campaign can end and start each by itself."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node


def generate_launch_description():
    return LaunchDescription(
        [
            DeclareLaunchArgument("package"),
            DeclareLaunchArgument("executable"),
            DeclareLaunchArgument("params_file"),
            DeclareLaunchArgument("overrides", description="parameters beside those of the stack"),
            Node(
                package=LaunchConfiguration("package"),
                executable=LaunchConfiguration("executable"),
                namespace="anygrasp",
                output="screen",
                parameters=[
                    LaunchConfiguration("params_file"),
                    LaunchConfiguration("overrides"),
                    {"use_sim_time": True},
                ],
            ),
        ]
    )
