# SPDX-License-Identifier: Apache-2.0
"""The tracking launch file: what it is told on its command line reaches the node, whose end ends it."""

import subprocess
import sys
from pathlib import Path

LAUNCH_FILE = Path(__file__).parents[1] / "launch" / "tracking.launch.py"


def test_an_unknown_policy_ends_the_launch_with_those_there_are():
    command = [sys.executable, "-m", "anygrasp_bringup.launch_runner.cli", str(LAUNCH_FILE), "camera:=false"]
    done = subprocess.run(
        [*command, "source:=grasps", "policy:=furthest"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 2, done.stdout
    assert "no policy 'furthest'; choose one of association, appearance, nearest" in done.stdout + done.stderr
