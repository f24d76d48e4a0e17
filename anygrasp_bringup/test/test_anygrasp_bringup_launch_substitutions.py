# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from anygrasp_bringup.launch_runner import conditions, substitutions
from anygrasp_bringup.launch_runner.context import LaunchContext, LaunchError
from anygrasp_bringup.launch_runner.runner import LaunchRunner
from anygrasp_bringup.launch_runner.substitutions import LaunchConfiguration, TextSubstitution, perform


@pytest.fixture
def context(tmp_path):
    return LaunchContext(
        LaunchRunner(),
        tmp_path,
        launch_configurations={"sim": "true", "count": "3"},
        environment={"ROBOT": "ur5", "PATH": "/usr/bin:/bin"},
        files=[Path("/ws/launch/a.launch.py")],
    )


def test_text_is_joined_without_a_gap(context):
    assert perform(["n", LaunchConfiguration("count"), TextSubstitution(text="!")], context) == "n3!"
    assert perform(Path("/a/b"), context) == "/a/b"
    assert context.perform_substitution(LaunchConfiguration("none", default="x")) == "x"


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("PathJoinSubstitution", (["/a", LaunchConfiguration("count"), "b.yaml"],), "/a/3/b.yaml"),
        ("EnvironmentVariable", ("ROBOT",), "ur5"),
        ("PythonExpression", (["2 * ", LaunchConfiguration("count"), " + floor(0.5)"],), "6"),
        ("ThisLaunchFile", (), "/ws/launch/a.launch.py"),
        ("ThisLaunchFileDir", (), "/ws/launch"),
        ("EqualsSubstitution", (LaunchConfiguration("count"), "3.0"), "true"),
        ("EqualsSubstitution", (LaunchConfiguration("sim"), "True"), "true"),
        ("NotEqualsSubstitution", ("ur5", "ur10"), "true"),
        ("AndSubstitution", (LaunchConfiguration("sim"), "0"), "false"),
        ("OrSubstitution", (LaunchConfiguration("sim"), "0"), "true"),
        ("NotSubstitution", (LaunchConfiguration("sim"),), "false"),
        ("IfElseSubstitution", (LaunchConfiguration("sim"), "cell", "arm"), "cell"),
        ("FindPackagePrefix", ("robot_pkg",), "{prefix}"),
        ("FindPackageShare", ("robot_pkg",), "{prefix}/share/robot_pkg"),
        ("ExecutableInPackage", ("drive", "robot_pkg"), "{prefix}/lib/robot_pkg/drive"),
    ],
)
def test_substitution(context, tmp_path, monkeypatch, name, arguments, expected):
    index = tmp_path / "share/ament_index/resource_index/packages"
    index.mkdir(parents=True)
    (index / "robot_pkg").touch()
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    assert getattr(substitutions, name)(*arguments).perform(context) == expected.format(prefix=tmp_path)


def test_find_executable(context):
    assert substitutions.FindExecutable(name="sh").perform(context).endswith("bin/sh")


@pytest.mark.parametrize(
    ("substitution", "message"),
    [
        (LaunchConfiguration("object"), "'object' does not exist here; known: count, sim"),
        (substitutions.EnvironmentVariable("NOT_SET"), "'NOT_SET' is not set"),
        (substitutions.PythonExpression(["1 /", " 0"]), "failed: division by zero"),
        (substitutions.FindExecutable(name="no_such_program"), "'no_such_program' is not on PATH"),
        (substitutions.NotSubstitution("maybe"), "'maybe' is no truth value"),
    ],
)
def test_error_says_what_is_wrong(context, substitution, message):
    with pytest.raises(LaunchError, match=message):
        substitution.perform(context)


def test_number_is_no_text(context):
    with pytest.raises(LaunchError, match="3 is of type int, but a text or substitution is needed"):
        perform(3, context)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (conditions.IfCondition(LaunchConfiguration("sim")), True),
        (conditions.UnlessCondition("1"), False),
        (conditions.LaunchConfigurationEquals("count", "3"), True),
        (conditions.LaunchConfigurationEquals("none", None), True),
        (conditions.LaunchConfigurationNotEquals("count", "3"), False),
    ],
)
def test_condition(context, condition, expected):
    assert condition.evaluate(context) is expected
