# SPDX-License-Identifier: Apache-2.0
"""Faults of the camera and of TF, and nodes that are killed at each stage of a pick."""

from __future__ import annotations

from collections.abc import Callable

from faults.bench import Bench
from faults.fault import GOES_ON, Fault
from faults.operator_node import wait_until
from faults.stack import kill_arm_workers

__all__ = ["CAMERA", "PROCESSES", "TF"]

_RESET = "emergency_stop/reset"
_BLIND = ("NO_PERCEPTION", "EMERGENCY_STOP")  # the watchdog may be faster


def _camera(fault: str) -> Callable[[Bench], object]:
    return lambda bench: bench.cell.ask("camera", fault)


def _tf(kind: str) -> Callable[[Bench], object]:
    return lambda bench: bench.cell.ask("camera_tf", kind)


def _moving_then(kind: str) -> Callable[[Bench], object]:
    """The camera's pose comes with each image, and then as `kind` says."""

    def inject(bench: Bench) -> None:
        bench.cell.ask("camera_tf", "moving")
        since_s = bench.motion().now_s
        wait_until(lambda: bench.motion().now_s > since_s + 1.0, 60.0)
        bench.cell.ask("camera_tf", kind)

    return inject


def _unplug_and_back(bench: Bench) -> None:
    """Unplugged until a perception has failed, then plugged in again."""
    bench.cell.ask("camera", "silent")
    begun = len(bench.executor.log.lines)
    wait_until(lambda: any("in a row failed" in text for _, text in bench.executor.log.lines[begun:]), 60.0)
    bench.cell.ask("camera", "")


def _broken(name: str, fault: str, log: str, codes: tuple[str, ...] = ("NO_PERCEPTION",)) -> Fault:
    return Fault(
        *("camera", name, "perceive"),
        inject=_camera(fault),
        log=log,
        codes=codes,
        undo=_camera(""),
        requests=(_RESET,) if "EMERGENCY_STOP" in codes else (),
        afterwards="look",
    )


TF = [
    Fault(
        *("TF", "no transform of the camera", "start"),
        inject=lambda bench: None,
        log="TF_UNAVAILABLE",
        codes=("NO_PERCEPTION",),
        undo=_tf("moving"),
        afterwards="look",
    ),
    Fault(
        *("TF", "the camera's transform is no longer renewed", "start"),
        inject=_moving_then("stopped"),
        log="TF_UNAVAILABLE",
        codes=("NO_PERCEPTION",),
        undo=_tf("moving"),
        afterwards="look",
    ),
    Fault(
        *("TF", "NaN in a transform", "start"),
        inject=_moving_then("nan"),
        log="transform ignored",
        codes=(GOES_ON,),
        undo=_tf("static"),
        afterwards="look",
    ),
    Fault(
        *("TF", "images in a frame that nobody knows", "start"),
        inject=_camera("wrong frame"),
        log="TF_UNAVAILABLE.*atlantis",
        codes=("NO_PERCEPTION",),
        undo=_camera(""),
        afterwards="look",
    ),
    Fault(
        *("TF", "the camera's transform is 0.5 m off", "start"),
        inject=_tf("off by 0.5 m"),
        log="0 perceived.*outside_region",
        codes=(GOES_ON,),
        undo=_tf("static"),
        afterwards="look",
    ),
]

CAMERA = [
    _broken("no images", "silent", "NO_IMAGE|has been quiet", _BLIND),
    Fault(
        *("camera", "unplugged, plugged in again", "perceive"),
        inject=_unplug_and_back,
        log="perception 1 in a row failed",
        codes=(GOES_ON,),
        undo=_camera(""),
        afterwards="look",
    ),
    Fault(
        *("camera", "unplugged during the pick", "approach"),
        inject=_camera("silent"),
        log="NO_IMAGE|has been quiet",
        codes=_BLIND,
        undo=_camera(""),
        requests=(_RESET,),
        attempts=2,
        afterwards="look",
    ),
    _broken("stamps frozen", "frozen", "NO_IMAGE"),
    _broken("stamps far behind", "old", "NO_IMAGE"),
    _broken("stamps 5 minutes ahead", "future", "", (GOES_ON, "NO_PERCEPTION")),
    _broken("depth is NaN", "NaN", "BAD_IMAGE.*no valid depth"),
    _broken("depth is 0", "black", "BAD_IMAGE.*no valid depth"),
    _broken("depth is noise", "noise", "perceived", (GOES_ON,)),
    _broken("depth of another size", "wrong size", "BAD_IMAGE"),
    _broken("depth in a wrong encoding", "wrong encoding", "BAD_IMAGE.*encoding"),
    _broken("depth with too few bytes", "truncated", "BAD_IMAGE"),
    _broken("colour without depth", "no depth", "NO_IMAGE"),
    _broken("intrinsics are 0", "zero intrinsics", "bad_camera_info|camera_info"),
]


def _killed_at(stage: str) -> list[Fault]:
    later = stage != "perceive"
    return [
        Fault(
            *("process", "detection node killed", stage),
            inject=lambda bench: bench.detection.kill(),
            log="process has died",
            codes=("NO_PERCEPTION",),
            undo=lambda bench: bench.detection.restart(),
            attempts=2 if later else 1,  # this pick needs no eyes any more
            afterwards="look",
        ),
        Fault(
            *("process", "arm worker killed", stage),
            inject=lambda bench: kill_arm_workers(bench.relay.host),
            log="connection to the UR.*broke",
            # While it only looks, the arm may be back before it is needed.
            codes=("ROBOT_LOST",) if later else ("ROBOT_LOST", GOES_ON),
        ),
        Fault(
            *("process", "executor killed", stage),
            inject=lambda bench: bench.executor.kill(),
            log="process has died",
            codes=None,
            undo=lambda bench: bench.executor.restart(),
        ),
    ]


PROCESSES = [
    fault for stage in ("perceive", "approach", "close", "lift", "place") for fault in _killed_at(stage)
]
