# SPDX-License-Identifier: Apache-2.0
"""The detection launch file: what it is told on its command line reaches the node, whose end ends it."""

import subprocess
import sys
from pathlib import Path

LAUNCH_FILE = Path(__file__).parents[1] / "launch" / "detection.launch.py"


def test_missing_weights_end_the_launch_with_the_reason():
    command = [sys.executable, "-m", "anygrasp_bringup.launch_runner.cli", str(LAUNCH_FILE), "camera:=false"]
    done = subprocess.run(
        [*command, "detector:=network", "weights:=/nowhere/w.safetensors"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 2, done.stdout
    assert "/nowhere/w.safetensors: no such weights" in done.stdout + done.stderr
