# SPDX-License-Identifier: Apache-2.0
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from anygrasp_bringup.ros_environment import ros_environment, shared_memory_problem


def test_plain_environment_gets_loopback_discovery_profile_and_prefix():
    added = ros_environment({})
    assert added["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"
    assert added["AMENT_PREFIX_PATH"] == sys.prefix
    profile = Path(added["FASTDDS_DEFAULT_PROFILES_FILE"])
    assert "<segment_size>33554432</segment_size>" in profile.read_text()


@pytest.mark.parametrize(
    ("distribution", "name"),
    [("jazzy", "FASTRTPS_DEFAULT_PROFILES_FILE"), ("kilted", "FASTDDS_DEFAULT_PROFILES_FILE")],
)
def test_profile_variable_has_the_name_of_the_distribution(distribution, name):
    added = ros_environment({"ROS_DISTRO": distribution})
    assert [key for key in added if key.endswith("PROFILES_FILE")] == [name]


@pytest.mark.parametrize("profile", ["FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE"])
def test_what_the_user_has_set_stays(profile):
    user = {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST", "AMENT_PREFIX_PATH": "/opt", profile: "my.xml"}
    assert ros_environment(user) == {}


def test_wider_discovery_goes_without_the_loopback_profile():
    assert set(ros_environment({"ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET"})) == {"AMENT_PREFIX_PATH"}


def test_enough_shared_memory_is_no_problem(tmp_path):
    assert shared_memory_problem(participants=1, directory=tmp_path) is None


def test_little_shared_memory_names_value_limit_and_fix(monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(64 << 20, 0, 64 << 20))
    problem = shared_memory_problem(participants=4)
    assert problem is not None
    assert "64 MiB free" in problem
    assert "need 128 MiB" in problem
    assert "--shm-size" in problem


def test_missing_shared_memory_is_a_problem(tmp_path):
    assert "cannot be used" in (shared_memory_problem(directory=tmp_path / "none") or "")


@pytest.mark.parametrize(
    ("name", "value"),
    [("RMW_IMPLEMENTATION", "rmw_cyclonedds_cpp"), ("FASTDDS_DEFAULT_PROFILES_FILE", None)],
)
def test_other_middleware_is_not_checked(monkeypatch, tmp_path, name, value):
    if value is None:
        monkeypatch.delenv(name)
    else:
        monkeypatch.setenv(name, value)
    assert shared_memory_problem(directory=tmp_path / "none") is None
