# SPDX-License-Identifier: Apache-2.0
"""Which fish each attempt was at, and whether it was caught or by which of the paper's causes it failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.se3 import inverse, transform_points
from robot_drivers.dynamic_grasping.catch_record import CatchRecord
from robot_drivers.report.ground_truth import CellSnapshot, ObjectState, Place, snapshot_at

__all__ = ["CatchCause", "CatchOutcome", "judge_catches"]

_BUFFER = 10  # poses that the prediction rests on (paper V-B): a switch among them spoils it
_ON_FISH_M = 0.03  # a followed grasp so near to a fish's box is on it
_ENDS = 0.12  # of the length at nose and tail: fingers that close there are past the fish


class CatchCause(str, Enum):
    """Why an attempt failed (paper, Fig. 12), and two causes that the paper does not have."""

    SLIP = "slip"  # both fingers had it and it got away
    AHEAD = "ahead"  # the fingers closed in front of it
    BEHIND = "behind"  # the fingers closed behind it
    BAD_GRASP = "bad_grasp"  # beside it, or one finger pushed it away
    SWITCH = "switch"  # the followed grasp went from one fish to another
    BLOCKED = "blocked"  # the arm did not get there
    INTERRUPTED = "interrupted"  # a stop, or a lost device


@dataclass(frozen=True, eq=False)
class CatchOutcome:
    """One attempt with what came of it."""

    record: CatchRecord
    fish: str  # name of the fish it was at
    kind: str
    success: bool  # it brought a fish into the bin
    cause: CatchCause | None  # None after success
    offset_m: float  # of the fingers along the fish when they had closed: positive towards the nose


def judge_catches(records: Sequence[CatchRecord], history: Sequence[CellSnapshot]) -> list[CatchOutcome]:
    """Outcome of each attempt by the true places of the fish over time; `history` is in the order of time.

    Raises:
        ValueError: no history.
    """
    if not history:
        raise ValueError("judging catches needs the true places of the fish: give their history")
    return [_judge(record, records[index + 1 :], history) for index, record in enumerate(records)]


def _judge(
    record: CatchRecord, later: Sequence[CatchRecord], history: Sequence[CellSnapshot]
) -> CatchOutcome:
    end_s = later[0].decided_s if later else np.inf
    target = _target(record, history)
    caught = _thrown(record.decided_s, end_s, history)
    closed = _state(history, record.closed_s or record.decided_s, target)
    at = transform_points(inverse(closed.T_world_object), record.T_base_target[:3, 3])
    if caught is not None:
        return CatchOutcome(record, caught.name, caught.category, True, None, float(at[0]))
    cause = _cause(record, closed, at, history)
    return CatchOutcome(record, target, closed.category, False, cause, float(at[0]))


def _cause(
    record: CatchRecord, closed: ObjectState, at: Float64Array, history: Sequence[CellSnapshot]
) -> CatchCause:
    if record.error_code is not None:
        return CatchCause.INTERRUPTED
    if len(set(_followed(record, history)[-_BUFFER:])) > 1:
        return CatchCause.SWITCH
    if record.error_msg:
        return CatchCause.BLOCKED
    during = [s for s in history if record.decided_s <= s.stamp_s <= (record.ended_s or np.inf)]
    if any(fish.name == closed.name and fish.place is Place.HELD for s in during for fish in s.objects):
        return CatchCause.SLIP
    reach = (0.5 - _ENDS) * closed.size_m[0]
    if at[0] > reach:
        return CatchCause.AHEAD
    return CatchCause.BEHIND if at[0] < -reach else CatchCause.BAD_GRASP


def _target(record: CatchRecord, history: Sequence[CellSnapshot]) -> str:
    """Name of the fish that was followed last."""
    return _followed(record, history)[-1]


def _followed(record: CatchRecord, history: Sequence[CellSnapshot]) -> list[str]:
    """Names of the fish that the followed grasp was on, frame by frame; a doubtful frame counts as before."""
    names: list[str] = []
    for pose in record.track:
        snapshot = snapshot_at(history, pose.time_s)
        fish = [state for state in snapshot.objects if state.place is not Place.IN_BIN] if snapshot else []
        point = pose.T_base_grasp[:3, 3]
        nearest = min(fish, key=lambda state: state.distance_m(point), default=None)
        if nearest is not None and (not names or nearest.distance_m(point) < _ON_FISH_M):
            names.append(nearest.name)
        elif names:
            names.append(names[-1])
    return names or [history[0].objects[0].name]


def _thrown(begin_s: float, end_s: float, history: Sequence[CellSnapshot]) -> ObjectState | None:
    """The fish that came into the bin in a time, None when there is none."""
    before = snapshot_at(history, begin_s)
    already = {fish.name for fish in before.objects if fish.place is Place.IN_BIN} if before else set()
    for snapshot in history:
        if begin_s <= snapshot.stamp_s < end_s:
            for fish in snapshot.objects:
                if fish.place is Place.IN_BIN and fish.name not in already:
                    return fish
    return None


def _state(history: Sequence[CellSnapshot], time_s: float, name: str) -> ObjectState:
    snapshot = snapshot_at(history, time_s) or history[0]
    return next(fish for fish in snapshot.objects if fish.name == name)
