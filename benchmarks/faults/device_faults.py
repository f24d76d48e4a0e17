# SPDX-License-Identifier: Apache-2.0
"""Faults of the robot's controller, the gripper and the network."""

from __future__ import annotations

import socket
import time

from faults.bench import Bench
from faults.fault import GOES_ON, Fault
from faults.relay import PORTS

__all__ = ["CONTROLLER", "GRIPPER", "NETWORK"]

_RESET, _RECOVER = "emergency_stop/reset", "robot/recover"
_GRIPPER = 63352


def _robot(method: str, *arguments: object):  # type: ignore[no-untyped-def]
    return lambda bench: bench.cell.robot(method, *arguments)


def _dashboard(bench: Bench, command: str) -> None:
    """Press a button of the pendant."""
    with socket.create_connection((bench.relay.host, 29999), timeout=10.0) as connection:
        connection.recv(1024)
        connection.sendall(f"{command}\n".encode())
        connection.recv(1024)


def _foreign_program(bench: Bench) -> None:
    with socket.create_connection((bench.relay.host, 30002), timeout=10.0) as connection:
        connection.sendall(b"def other():\n  stopj(2.0)\nend\n")


def _reboot(bench: Bench) -> None:
    bench.relay.refuse(*PORTS)
    bench.relay.drop(*PORTS)
    bench.cell.ask("power_off")


def _refuse_programs(bench: Bench) -> None:
    """The controller takes states but no programs: the way back to us is shut."""
    bench.relay.refuse(30002, 30003)
    bench.relay.drop(30003, 30004)


def _deaf(bench: Bench) -> None:
    bench.cell.robot("deafen_scripts", True)
    bench.cell.robot("drop_connections")


def _hold_cell(bench: Bench) -> None:
    bench.cell.hold()
    time.sleep(10.0)
    bench.cell.go_on()


CONTROLLER = [
    Fault(
        *("controller", "protective stop", "approach"),
        inject=_robot("protective_stop"),
        log="protective stop",
        codes=("ROBOT_STOPPED",),
        requests=(_RECOVER,),
    ),
    Fault(
        *("controller", "protective stop with an object", "place"),
        inject=_robot("protective_stop"),
        log="protective stop",
        codes=("ROBOT_STOPPED",),
        requests=(_RECOVER,),
    ),
    Fault(
        *("controller", "emergency stop button", "approach"),
        inject=_robot("emergency_stop"),
        log="emergency stop",
        codes=("EMERGENCY_STOP",),
        undo=_robot("release_emergency_stop"),
        requests=(_RECOVER,),
    ),
    Fault(
        *("controller", "safeguard opened", "lift"),
        inject=_robot("safeguard_stop", True),
        log="safeguard",
        codes=("ROBOT_STOPPED",),
        undo=_robot("safeguard_stop", False),
    ),
    Fault(
        *("controller", "program stopped on the pendant", "approach"),
        inject=lambda bench: _dashboard(bench, "stop"),
        log="control program on the UR ended|pendant",
        codes=("ROBOT_STOPPED",),
    ),
    Fault(
        *("controller", "another program sent by somebody else", "approach"),
        inject=_foreign_program,
        log="control program on the UR ended|pendant",
        codes=("ROBOT_STOPPED",),
    ),
    Fault(
        *("controller", "speed slider turned to 0", "approach"),
        inject=_robot("set_speed_slider", 0.0),
        log="speed slider",
        codes=("ROBOT_STOPPED",),
        undo=_robot("set_speed_slider", 1.0),
    ),
    Fault(
        *("controller", "switched to local control", "perceive"),
        inject=lambda bench: (bench.cell.robot("remote_control", False), _dashboard(bench, "quit")),
        log="Local Control|local control|pendant",
        codes=("ROBOT_STOPPED", "ROBOT_LOST", GOES_ON),
        undo=_robot("remote_control", True),
    ),
    Fault(
        *("controller", "connections dropped", "approach"),
        inject=lambda bench: bench.relay.drop(*PORTS),
        log="broke|lost|connect",
        codes=("ROBOT_LOST",),
    ),
    Fault(
        *("controller", "states go stale, all else answers", "approach"),
        inject=lambda bench: bench.relay.silent.add(30004),
        log="silent|did not answer",
        codes=("ROBOT_LOST", "EMERGENCY_STOP"),
        undo=lambda bench: (bench.relay.restore(), bench.relay.drop(30004)),
        requests=(_RESET,),
    ),
    Fault(
        *("controller", "programs refused after a lost connection", "approach"),
        inject=_refuse_programs,
        log="broke|lost|3000[23]",
        codes=("ROBOT_LOST",),
        undo=lambda bench: bench.relay.restore(),
    ),
    Fault(
        *("controller", "takes programs but starts none", "approach"),
        inject=_deaf,
        log="broke|lost|does not run our control program",
        codes=("ROBOT_LOST",),
        undo=_robot("deafen_scripts", False),
    ),
    Fault(
        *("controller", "reboots, comes back without power", "approach"),
        inject=_reboot,
        log="broke|lost|no UR controller",
        codes=("ROBOT_LOST", "EMERGENCY_STOP"),
        undo=lambda bench: bench.relay.restore(),
        requests=(_RECOVER, _RESET),
    ),
    Fault(
        *("controller", "hangs for 10 s with everything open", "approach"),
        inject=_hold_cell,
        log="silent|quiet|did not answer",
        codes=("ROBOT_LOST", "EMERGENCY_STOP"),
        requests=(_RESET,),
    ),
]

GRIPPER = [
    Fault(
        *("gripper", "answers nothing", "close"),
        inject=_robot("mute_gripper", True),
        log="gripper.*(answer|did not)",
        codes=("GRIPPER_LOST",),
        undo=_robot("mute_gripper", False),
        afterwards="pick",
    ),
    Fault(
        *("gripper", "answers nonsense", "close"),
        inject=lambda bench: bench.relay.garble.update({_GRIPPER: b"\xff\x00 POS 9999\n"}),
        log="gripper answered",
        codes=("GRIPPER_LOST",),
        undo=lambda bench: bench.relay.restore(),
    ),
    Fault(
        *("gripper", "answers to another question", "lift"),
        inject=lambda bench: bench.relay.garble.update({_GRIPPER: b"ACT 1\n"}),
        log="gripper answered",
        codes=("GRIPPER_LOST",),
        undo=lambda bench: bench.relay.restore(),
    ),
    Fault(
        *("gripper", "each answer takes 1 s", "close"),
        inject=lambda bench: bench.relay.delay_s.update({_GRIPPER: 1.0}),
        log="",
        codes=(GOES_ON,),
        undo=lambda bench: bench.relay.restore(),
    ),
    Fault(
        *("gripper", "each answer takes 6 s", "close"),
        inject=lambda bench: bench.relay.delay_s.update({_GRIPPER: 6.0}),
        log="gripper.*answer",
        codes=("GRIPPER_LOST",),
        undo=lambda bench: bench.relay.restore(),
    ),
    Fault(
        *("gripper", "connection lost", "close"),
        inject=lambda bench: (bench.relay.refuse(_GRIPPER), bench.relay.drop(_GRIPPER)),
        log="gripper",
        codes=("GRIPPER_LOST",),
        undo=lambda bench: bench.relay.restore(),
    ),
    Fault(
        *("gripper", "connection lost with an object", "place"),
        inject=lambda bench: (bench.relay.refuse(_GRIPPER), bench.relay.drop(_GRIPPER)),
        log="gripper",
        codes=("GRIPPER_LOST",),
        undo=lambda bench: bench.relay.restore(),
    ),
    Fault(
        *("gripper", "overheats (fault 8)", "close"),
        inject=_robot("gripper_fault", 8),
        log="fault 8.*too hot",
        codes=("GRIPPER_LOST",),
        afterwards="pick",
    ),
    Fault(
        *("gripper", "overcurrent (fault 14) with an object", "place"),
        inject=_robot("gripper_fault", 14),
        log="fault 14.*overcurrent",
        codes=("GRIPPER_LOST",),
    ),
    Fault(
        *("gripper", "fingers jam", "close"),
        inject=lambda bench: bench.cell.ask("jam_gripper", True),
        log="did not move|without meeting|gripper",
        codes=("GRIPPER_LOST", GOES_ON),
        undo=lambda bench: bench.cell.ask("jam_gripper", False),
    ),
    Fault(
        *("gripper", "lets the object go", "lift"),
        inject=lambda bench: bench.cell.ask("open_fingers"),
        log="slipped",
        codes=(GOES_ON,),
        attempts=2,
    ),
]

NETWORK = [
    Fault(
        *("network", "cable to the robot pulled for 8 s", "lift"),
        inject=lambda bench: (
            bench.relay.silent.update(PORTS),
            time.sleep(8.0),
            bench.relay.restore(),
            bench.relay.drop(*PORTS),
        ),
        log="silent|did not answer|broke|quiet",
        codes=("ROBOT_LOST", "EMERGENCY_STOP"),
        requests=(_RESET,),
    ),
    Fault(
        *("network", "every answer of the robot 0.3 s late", "approach"),
        inject=lambda bench: bench.relay.delay_s.update({30004: 0.3, 29999: 0.3}),
        log="",
        codes=("ROBOT_LOST", "ROBOT_STOPPED", GOES_ON),
        undo=lambda bench: bench.relay.restore(),
    ),
    Fault(
        *("network", "emergency stop by topic", "approach"),
        inject=lambda bench: bench.operator.press_stop(),
        log="emergency stop by topic",
        codes=("EMERGENCY_STOP",),
        requests=(_RESET,),
    ),
    Fault(
        *("network", "detection node hangs", "perceive"),
        inject=lambda bench: bench.detection.hold(),
        log="no answer from",
        codes=("NO_PERCEPTION",),
        undo=lambda bench: bench.detection.go_on(),
        afterwards="look",
    ),
]
