# SPDX-License-Identifier: Apache-2.0
"""Which object each attempt was at, and whether it got it into the bin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from anygrasp_perception.arrays import Float64Array
from robot_drivers.executors.pick_record import PickRecord
from robot_drivers.report.ground_truth import CellSnapshot, ObjectState, Place, bin_entries, snapshot_at

__all__ = ["ALL_OBJECTS", "NOT_IN_BIN", "AttemptOutcome", "judge_attempts"]

ALL_OBJECTS = "all"  # category of every attempt where nobody knows the objects
NOT_IN_BIN = "NOT_IN_BIN"  # failure of an attempt that ended without an error and without an object


@dataclass(frozen=True, eq=False)
class AttemptOutcome:
    """One attempt with what came of it."""

    record: PickRecord
    category: str
    success: bool
    brought: tuple[str, ...] = ()  # names of the objects that it brought into the bin

    @property
    def failure(self) -> str:
        """Why it failed: an error code, or NOT_IN_BIN; "" after success."""
        if self.success:
            return ""
        return self.record.error_code.value if self.record.error_code else NOT_IN_BIN

    @property
    def interrupted(self) -> bool:
        """Whether a stop or a lost device ended it, which says nothing about the grasp."""
        return not self.success and self.record.error_code is not None and self.record.error_code.ends_run


def judge_attempts(
    records: Sequence[PickRecord],
    history: Sequence[CellSnapshot] = (),
    T_world_camera: Float64Array | None = None,
) -> list[AttemptOutcome]:
    """Outcome of each attempt by the true places of the objects; without history, by the gripper's word.

    An object counts for the attempt whose fingers were the last to close before it came into the bin.
    `T_world_camera` (4, 4) maps the records' frame to that of the history, whose order is that of time.

    Raises:
        ValueError: a history without `T_world_camera`.
    """
    if not history:
        return [AttemptOutcome(record, ALL_OBJECTS, record.placed) for record in records]
    if T_world_camera is None:
        raise ValueError("judging by ground truth needs T_world_camera: pass the pose of the camera")
    entered_s = bin_entries(history)
    outcomes = []
    for index, record in enumerate(records):
        begin_s, end_s = _interval(records, index)
        brought = sorted((stamp_s, name) for name, stamp_s in entered_s.items() if begin_s <= stamp_s < end_s)
        names = tuple(name for _, name in brought)
        target = _target_of(record, names, (begin_s, end_s), history, T_world_camera)
        category = target.category if target else ALL_OBJECTS
        outcomes.append(AttemptOutcome(record, category, bool(names), names))
    return outcomes


def _interval(records: Sequence[PickRecord], index: int) -> tuple[float, float]:
    """From this attempt's closing to that of the next that closed; empty when this one never closed."""
    begin_s = records[index].closed_s
    if begin_s == 0.0:
        return 0.0, 0.0
    later = [record.closed_s for record in records[index + 1 :] if record.closed_s > 0.0]
    return begin_s, later[0] if later else float("inf")


def _target_of(
    record: PickRecord,
    brought: tuple[str, ...],
    interval_s: tuple[float, float],
    history: Sequence[CellSnapshot],
    T_world_camera: Float64Array,
) -> ObjectState | None:
    """The object brought, else the one held, else the one nearest to the grasp before the attempt."""
    begin_s, end_s = interval_s
    within = [state for shot in history if begin_s <= shot.stamp_s < end_s for state in shot.objects]
    for state in within:
        if state.name in brought[:1]:
            return state
    for state in within:
        if state.place is Place.HELD:
            return state
    before = snapshot_at(history, record.started_s)
    there = [state for state in before.objects if state.place is not Place.IN_BIN] if before else []
    grasp_point = record.grasp.transformed(T_world_camera).translations[0]
    return min(there, key=lambda state: state.distance_m(grasp_point), default=None)
