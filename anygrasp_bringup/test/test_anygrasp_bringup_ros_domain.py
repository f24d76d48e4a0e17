# SPDX-License-Identifier: Apache-2.0
import os
import subprocess
import sys

from anygrasp_bringup.ros_domain import reserved_ros_domain

TRY_ALL = """
from anygrasp_bringup.ros_domain import reserved_ros_domain
for _ in range(101):
    with reserved_ros_domain() as domain:
        print(domain)
"""


def test_domain_is_set_and_restored(ros_domain):
    assert os.environ["ROS_DOMAIN_ID"] == str(ros_domain)
    with reserved_ros_domain() as inner:
        assert inner != ros_domain
        assert os.environ["ROS_DOMAIN_ID"] == str(inner)
    assert os.environ["ROS_DOMAIN_ID"] == str(ros_domain)


def test_another_process_does_not_get_a_reserved_domain(ros_domain):
    answer = subprocess.run([sys.executable, "-c", TRY_ALL], capture_output=True, text=True, check=True)
    domains = set(map(int, answer.stdout.split()))
    assert ros_domain not in domains
    assert domains <= set(range(1, 102))
