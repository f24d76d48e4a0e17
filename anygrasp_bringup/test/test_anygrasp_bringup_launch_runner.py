# SPDX-License-Identifier: Apache-2.0
"""Launch files run with real processes, through the command line as a user runs them."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import yaml

PREAMBLE = """
import sys
from launch import LaunchContext, LaunchDescription
from launch.actions import *
from launch.conditions import IfCondition, UnlessCondition
from launch.event_handlers import OnProcessExit, OnProcessStart, OnShutdown
from launch.events import Shutdown as ShutdownEvent
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution, ThisLaunchFileDir
from launch_ros.actions import Node, PushRosNamespace, SetParameter
from launch_ros.parameter_descriptions import ParameterValue

def python(code, **kwargs):
    return ExecuteProcess(cmd=[sys.executable, "-c", code], **kwargs)

def generate_launch_description():
    return LaunchDescription([
"""

# Says when it is ready, then waits for the end; `on_signal` is what it does about SIGINT.
WAITER = """
import signal, sys
def end(*_): {on_signal}
signal.signal(signal.SIGINT, end)
print("ready", flush=True)
signal.pause()
"""


@pytest.fixture
def write(tmp_path):
    def write_launch_file(entities: str, name: str = "a.launch.py") -> Path:
        file = tmp_path / name
        file.write_text(PREAMBLE + textwrap.indent(textwrap.dedent(entities), "        ") + "\n    ])\n")
        return file

    return write_launch_file


def command(*words):
    return [sys.executable, "-m", "anygrasp_bringup.launch_runner.cli", *map(str, words)]


def run(*words, **environment):
    return subprocess.run(
        command(*words),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
    )


def wait_for_line(process, text):
    for line in process.stdout:
        if text in line:
            return line
    raise AssertionError(f"the launch ended without a line with {text!r}")


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_arguments_conditions_and_prefixed_output(write):
    file = write("""
        DeclareLaunchArgument("word", default_value="hello", description="a word to say"),
        DeclareLaunchArgument("loud", default_value="false", choices=["true", "false"]),
        ExecuteProcess(cmd=["echo", LaunchConfiguration("word"), "!"], name="quiet", output="screen",
                       condition=UnlessCondition(LaunchConfiguration("loud"))),
        ExecuteProcess(cmd=["echo", [LaunchConfiguration("word"), "!"]], name="loud",
                       condition=IfCondition(LaunchConfiguration("loud"))),
    """)
    quiet = run(file)
    assert quiet.returncode == 0
    assert "[quiet-1] hello !\n" in quiet.stdout
    assert "[quiet-1]: process has finished cleanly" in quiet.stdout
    assert "[loud-1] moin!\n" in run(file, "word:=moin", "loud:=true").stdout


def test_show_args_lists_them_and_starts_nothing(write, tmp_path):
    write(
        'DeclareLaunchArgument("ip", description="of the arm"), DeclareLaunchArgument("speed"),',
        "b.launch.py",
    )
    file = write("""
        DeclareLaunchArgument("mode", default_value="sim", description="what runs", choices=["sim", "real"]),
        ExecuteProcess(cmd=["echo", "started"]),
        IncludeLaunchDescription(PythonLaunchDescriptionSource([ThisLaunchFileDir(), "/b.launch.py"]),
                                 launch_arguments={"speed": "1"}.items()),
    """)
    listing = run(file, "--show-args").stdout
    assert "'mode':\n        what runs\n        choices: sim, real\n        (default: 'sim')" in listing
    assert "'ip':\n        of the arm\n        (has to be given)" in listing
    assert "speed" not in listing  # set by the include
    assert "started" not in listing


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["wrod:=x", "ip:=y"], "unknown launch argument 'wrod'; did you mean 'word'"),
        ([], "launch argument 'ip' (of the arm) has to be given"),
        (["ip:=y", "word:=no"], "word:=no is not one of hello, moin"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_starts(write, arguments, message):
    file = write("""
        DeclareLaunchArgument("word", default_value="hello", choices=["hello", "moin"]),
        DeclareLaunchArgument("ip", description="of the arm"),
        ExecuteProcess(cmd=["echo", "started"]),
    """)
    ended = run(file, *arguments)
    assert ended.returncode == 1
    assert message in ended.stdout
    assert "started" not in ended.stdout


def test_name_outside_the_api_is_named(tmp_path):
    file = tmp_path / "a.launch.py"
    file.write_text("from launch.actions import ReadRobotMind\n")
    ended = run(file)
    assert ended.returncode != 0
    assert "'launch.actions.ReadRobotMind' is not in this launch runner, which offers" in ended.stdout


@pytest.mark.parametrize(
    "target", [["no_package", "a.launch.py"], ["anygrasp_bringup", "no.launch.py"], ["x.py"]]
)
def test_missing_target_is_named(target):
    ended = run(*target)
    assert ended.returncode == 1
    assert target[-1] in ended.stdout or target[0] in ended.stdout
    assert "Traceback" not in ended.stdout


def test_exit_code_is_that_of_the_process_that_failed(write):
    ended = run(write('python("raise SystemExit(0)"), python("raise SystemExit(5)"),'))
    assert ended.returncode == 5
    assert "process has died with exit code 5" in ended.stdout


def test_program_that_is_not_there_is_an_exit_code_127(write):
    ended = run(write('ExecuteProcess(cmd=["/no/such/program"]),'))
    assert ended.returncode == 127
    assert "cannot start /no/such/program" in ended.stdout


def test_end_of_one_process_ends_the_others(write, tmp_path):
    waiter = WAITER.format(on_signal="print('bye', flush=True); sys.exit(0)")
    file = write(f"""
        waiter := python({waiter!r}, name="waiter"),
        RegisterEventHandler(OnProcessStart(target_action=waiter, on_start=[LogInfo(msg="it runs")])),
        RegisterEventHandler(OnShutdown(on_shutdown=[LogInfo(msg="the end")])),
        main := python("import sys; sys.stdin.read(); print('done'); sys.exit(3)", name="main"),
        RegisterEventHandler(OnProcessExit(
            target_action=main, on_exit=[EmitEvent(event=ShutdownEvent(reason="main is done"))])),
    """)
    ended = run(file)
    assert ended.returncode == 3
    lines = ended.stdout.splitlines()
    order = ["process started", "[main-2] done", "shutting down: main is done", "the end"]
    places = [next(i for i, line in enumerate(lines) if text in line) for text in order]
    assert places == sorted(places)


def test_ctrl_c_ends_every_process_and_removes_temporary_files(write, tmp_path):
    waiter = WAITER.format(on_signal="print('bye', flush=True); sys.exit(0)")
    file = write(f'python({waiter!r}, name="a"), python({waiter!r}, name="b"),')
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        command(file), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        wait_for_line(process, "ready")
        wait_for_line(process, "ready")
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert output.count("] bye\n") == 2
    assert [path for path in tmp_path.iterdir() if path != file] == []


def test_process_that_ignores_sigint_is_terminated_and_its_children_with_it(write, tmp_path):
    child_pid = tmp_path / "pid"
    stubborn = f"""
import pathlib, signal, subprocess, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
pathlib.Path({str(child_pid)!r}).write_text(str(child.pid))
print("ready", flush=True)
signal.pause()
"""
    file = write(f'python({stubborn!r}, name="stubborn", sigterm_timeout="0.2"),')
    with subprocess.Popen(
        command(file), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        wait_for_line(process, "ready")
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
    assert "did not end on SIGINT; ended by SIGTERM" in output
    assert not is_running(child_pid.read_text())


def test_second_ctrl_c_does_not_wait(write):
    file = write(f'python({WAITER.format(on_signal="print(1, flush=True)")!r}, sigterm_timeout="1000"),')
    with subprocess.Popen(
        command(file), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        wait_for_line(process, "ready")
        process.send_signal(signal.SIGINT)
        wait_for_line(process, "] 1")
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
    assert "ended by SIGTERM" in output


def test_respawn_starts_a_process_again_until_its_retries_are_used_up(write):
    ended = run(write("python(\"print('run')\", respawn=True, respawn_max_retries=2),"))
    assert ended.stdout.count("] run\n") == 3


def test_timer_runs_later_and_not_after_the_end(write):
    file = write("""
        TimerAction(period=0.2, actions=[LogInfo(msg="later"), Shutdown(reason="enough")]),
        TimerAction(period=1000.0, actions=[LogInfo(msg="never")]),
        LogInfo(msg="now"),
    """)
    begin = time.monotonic()
    output = run(file).stdout
    assert output.index("now") < output.index("later") < output.index("shutting down: enough")
    assert "never" not in output
    assert time.monotonic() - begin < 30.0


def test_group_is_a_scope(write):
    file = write("""
        DeclareLaunchArgument("a", default_value="outer"),
        SetEnvironmentVariable("WHERE", "outside"),
        GroupAction([
            SetLaunchConfiguration("a", "inner"),
            SetEnvironmentVariable("WHERE", "inside"),
            ExecuteProcess(cmd=["sh", "-c", ["echo ", LaunchConfiguration("a"), " $WHERE"]], name="in"),
        ]),
        ExecuteProcess(cmd=["sh", "-c", ["echo ", LaunchConfiguration("a"), " $WHERE"]], name="out"),
        OpaqueFunction(
            function=lambda context: [LogInfo(msg="a is " + LaunchConfiguration("a").perform(context))]),
    """)
    output = run(file).stdout
    assert "[in-1] inner inside\n" in output
    assert "[out-2] outer outside\n" in output
    assert "a is outer" in output


NODE = """#!{python}
import rclpy, yaml
from rclpy.node import Node
rclpy.init()
node = Node("plain", automatically_declare_parameters_from_overrides=True)
names = sorted(node._parameters)
values = {{name: node.get_parameter(name).value for name in names}}
values = {{name: list(v) if hasattr(v, "tolist") else v for name, v in values.items()}}  # arrays
values.update(name=node.get_fully_qualified_name(), topic=node.resolve_topic_name("image"))
print("node:", values, flush=True)
node.destroy_node()
rclpy.shutdown()
"""


@pytest.fixture
def prefix(tmp_path):
    """A prefix with the package `cams`, whose executable prints what it was started with."""
    executable = tmp_path / "prefix/lib/cams/camera"
    executable.parent.mkdir(parents=True)
    executable.write_text(NODE.format(python=sys.executable))
    executable.chmod(0o755)
    return str(tmp_path / "prefix")


def printed_values(output):
    (line,) = [line for line in output.splitlines() if "] node: " in line]
    return yaml.safe_load(line.partition("node: ")[2].replace("'", '"').replace("True", "true"))


def test_node_gets_parameters_remappings_name_and_namespace(write, prefix, tmp_path):
    (tmp_path / "p.yaml").write_text("/**: {ros__parameters: {rate: 5.0, label: from_file}}")
    file = write("""
        DeclareLaunchArgument("count", default_value="3"),
        SetParameter("use_sim_time", True),
        GroupAction([
            PushRosNamespace("cell"),
            PushRosNamespace("left"),
            Node(
                package="cams", executable="camera", name="eye", namespace="top",
                parameters=[
                    PathJoinSubstitution([ThisLaunchFileDir(), "p.yaml"]),
                    {"label": "from_dict", "count": LaunchConfiguration("count"),
                     "text": ParameterValue(LaunchConfiguration("count"), value_type=str),
                     "lens": {"corner": (0.0, 1.5), "tiny": 1e-7}},
                ],
                remappings=[("image", "/shared/image")],
            ),
        ]),
    """)
    values = printed_values(run(file, "count:=8", AMENT_PREFIX_PATH=prefix).stdout)
    assert values["name"] == "/cell/left/top/eye"
    assert values["topic"] == "/shared/image"
    assert values["use_sim_time"] is True
    assert values["rate"] == 5.0
    assert values["label"] == "from_dict"
    assert values["count"] == 8
    assert values["text"] == "8"
    assert values["lens.corner"] == [0.0, 1.5]
    assert float(values["lens.tiny"]) == 1e-7


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ('executable="camra"', "package 'cams' has no executable 'camra'; did you mean 'camera'"),
        ('executable="camera", parameters=["no.yaml"]', "parameter file no.yaml does not exist"),
        ('executable="camera", parameters=[{"a": [1, "b"]}]', "parameter 'a' is [1, 'b'], but must be"),
        (
            'executable="camera", parameters=[{"a": ParameterValue("x", value_type=int)}]',
            "'x' is given where a parameter needs an int",
        ),
    ],
)
def test_node_that_cannot_start_is_explained(write, prefix, node, message):
    ended = run(write(f'Node(package="cams", {node}),'), AMENT_PREFIX_PATH=prefix)
    assert ended.returncode == 1
    assert message in ended.stdout
    assert "Traceback" not in ended.stdout


def test_console_script_of_pip_is_found_as_an_executable(write):
    output = run(
        write('Node(package="anygrasp_bringup", executable="launch_runner", arguments=["--help"]),')
    ).stdout
    assert "usage: launch_runner" in output
