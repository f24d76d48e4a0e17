# SPDX-License-Identifier: Apache-2.0
"""Clears a simulated bin in lock-step: the executor, its limits and its report, as behind the ROS nodes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from anygrasp_perception.detector import Detector
from anygrasp_sim.cell_config import CellConfig
from robot_drivers.bin_picking_config import BinPickingNodeConfig
from robot_drivers.executors.bin_picking import BinPickingExecutor, BinPickingResult
from robot_drivers.executors.pick import OnEvent
from robot_drivers.lockstep.cell import LockstepCell
from robot_drivers.lockstep.eyes import EyesConfig, LockstepEyes
from robot_drivers.lockstep.gripper import lockstep_gripper
from robot_drivers.lockstep.ur_link import lockstep_arm
from robot_drivers.report.attribution import AttemptOutcome, judge_attempts
from robot_drivers.report.contact_sheet import PickPicture
from robot_drivers.report.statistics import RunReport, build_report
from robot_drivers.safety import SafeArm
from robot_drivers.safety.safe_gripper import SafeGripper

__all__ = ["LockstepRun", "clear_bin_in_lockstep", "lockstep_picker"]


@dataclass(frozen=True, eq=False)
class LockstepRun:
    """A finished run."""

    report: RunReport
    result: BinPickingResult
    outcomes: tuple[AttemptOutcome, ...]
    pictures: tuple[PickPicture, ...]  # of each attempt; empty unless images were kept


@contextmanager
def lockstep_picker(
    world: LockstepCell,
    detector: Detector,
    robot: BinPickingNodeConfig,
    eyes: EyesConfig,
    on_event: OnEvent = lambda stage, record: None,
) -> Iterator[tuple[BinPickingExecutor, LockstepEyes]]:
    """The executor of `world`, connected and with its gripper activated, and its eyes."""
    target = robot.picking.target
    look = LockstepEyes(world, detector, robot.detection, (target.region_min_m, target.region_max_m), eyes)
    arm = SafeArm(lockstep_arm(world.robot, robot.arm), robot.limits, world.robot)
    gripper = SafeGripper(lockstep_gripper(world.robot, robot.gripper), robot.limits)
    with arm, gripper:
        gripper.activate()
        yield (
            BinPickingExecutor(robot.picking, arm, gripper, look, world.robot.now_s, robot.limits, on_event),
            look,
        )


def clear_bin_in_lockstep(
    cell: CellConfig,
    detector: Detector,
    robot: BinPickingNodeConfig | None = None,
    eyes: EyesConfig | None = None,
    max_attempts: int = 0,
    on_event: OnEvent = lambda stage, record: None,
) -> LockstepRun:
    """Clear the bin of `cell`, or make `max_attempts` (0: no limit), judged by where the objects truly went.

    `on_event` hears of each stage, see BinPickingExecutor.

    The same arguments give the same run, to the last pose, with a detector that is deterministic.

    Raises:
        ValueError, SettleError: as of BinPickingCell.
        RenderingUnavailable: no OpenGL on this machine.
    """
    robot, eyes = robot or BinPickingNodeConfig(), eyes or EyesConfig(seed=cell.seed)
    began_s = time.perf_counter()
    with LockstepCell(cell) as world:
        settled_s = time.perf_counter() - began_s
        with lockstep_picker(world, detector, robot, eyes, on_event) as (picker, look):
            result = picker.clear_bin(max_attempts)
        world.note_objects()
        outcomes = judge_attempts(result.records, world.history, world.cell.T_base_camera)
        run = {
            "seed": cell.seed,
            "split": cell.split,
            "detector": detector.name,
            "empty_perceptions": result.empty_perceptions,
            "why_no_grasp": result.why_no_grasp,
            "error_code": result.error_code.value if result.error_code else "",
            "error_msg": result.error_msg,
            "decision_charged_s": eyes.decision_s,
            "simulated_s": world.robot.now_s(),
            "wall_s": time.perf_counter() - began_s - settled_s,
            "attempts": [_row(outcome) for outcome in outcomes],
        }
        report = build_report(outcomes, result.duration_s, world.history, run)
        pictures = [
            PickPicture(outcome, look.images[outcome.record.stamp_s], look.intrinsics)
            for outcome in outcomes
            if outcome.record.stamp_s in look.images
        ]
    return LockstepRun(report, result, tuple(outcomes), tuple(pictures))


def _row(outcome: AttemptOutcome) -> dict[str, object]:
    """One attempt for the JSON of a run."""
    record = outcome.record
    return {
        "category": outcome.category,
        "brought": list(outcome.brought),
        "failure": outcome.failure,
        "error_msg": record.error_msg,
        "score": float(record.grasp.scores[0]),
        "width_m": float(record.grasp.widths[0]),
        "decision_ms": 1000.0 * record.decision_s,
    }
