# SPDX-License-Identifier: Apache-2.0
"""Programs made with run_node, started as processes of their own and stopped by signals."""

import signal
import subprocess
import sys

import pytest

NODE = """
import sys
from rclpy.node import Node
from anygrasp_bringup.nodes.spinning import run_node
from anygrasp_bringup.nodes.parameters import ConfigError

class Program(Node):
    def __init__(self):
        super().__init__("program")
        self.create_timer(0.05, self.tick)

    def tick(self):
        print("running", flush=True)
        {on_tick}

    def destroy_node(self):
        print("destroyed", flush=True)
        super().destroy_node()

def refuse():
    raise ConfigError("unknown parameter 'x'")

sys.exit(run_node({make}, threads={threads}))
"""


def start(on_tick="pass", make="Program", threads=1):
    code = NODE.format(on_tick=on_tick, make=make, threads=threads)
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_the_node_cleanly(number, threads):
    with start(threads=threads) as process:
        assert process.stdout.readline() == "running\n"
        process.send_signal(number)
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert output.endswith("destroyed\n")
    assert "Traceback" not in output


def test_error_in_a_callback_ends_the_program():
    with start(on_tick="raise RuntimeError('no camera')") as process:
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "RuntimeError: no camera" in output
    assert "destroyed" in output


def test_refused_parameters_are_one_line_and_code_2():
    with start(make="refuse") as process:
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "unknown parameter 'x'" in output
    assert "Traceback" not in output


def test_collections_leave_alone_what_was_loaded_before_spinning():
    with start(on_tick="import gc; print(gc.get_freeze_count(), flush=True)") as process:
        assert process.stdout.readline() == "running\n"
        assert int(process.stdout.readline()) > 10_000
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
