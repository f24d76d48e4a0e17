# SPDX-License-Identifier: Apache-2.0
"""For the tests of all packages: the ROS environment, and a ROS domain of its own for each test file."""

from collections.abc import Iterator

import pytest

from anygrasp_bringup.ros_domain import reserved_ros_domain
from anygrasp_bringup.ros_environment import apply_ros_environment

apply_ros_environment()  # before a test imports rclpy


@pytest.fixture(scope="module", autouse=True)
def ros_domain() -> Iterator[int]:
    with reserved_ros_domain() as domain:
        yield domain
