# SPDX-License-Identifier: Apache-2.0
"""Hands a launch file to ROS 2's own launch service, and keeps the exit code of a process that failed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

__all__ = ["run_with_launch_service"]


def run_with_launch_service(path: Path, arguments: Mapping[str, str]) -> int:
    """Run `path` as `ros2 launch` does; return its code, or else that of the first process that failed."""
    from launch import LaunchContext, LaunchDescription, LaunchService
    from launch.actions import IncludeLaunchDescription, RegisterEventHandler
    from launch.event_handlers import OnProcessExit
    from launch.events.process import ProcessExited
    from launch.launch_description_sources import AnyLaunchDescriptionSource

    failures: list[int] = []

    def remember(event: ProcessExited, context: LaunchContext) -> None:
        if event.returncode and not context.is_shutdown:
            failures.append(event.returncode)

    include = IncludeLaunchDescription(
        AnyLaunchDescriptionSource(str(path)), launch_arguments=list(arguments.items())
    )
    service = LaunchService(argv=[f"{name}:={value}" for name, value in arguments.items()])
    service.include_launch_description(
        LaunchDescription([RegisterEventHandler(OnProcessExit(on_exit=remember)), include])
    )
    code: int = service.run()
    return code or (failures[0] if failures else 0)
