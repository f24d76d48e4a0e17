# SPDX-License-Identifier: Apache-2.0
"""Follows chosen grasps from frame to frame, whichever policy says what corresponds (paper IV-B.2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from anygrasp_perception.arrays import BoolArray, Float64Array
from anygrasp_perception.grasp import LABEL_MAX_WIDTH_M
from anygrasp_tracking.correspondence import ROTATION_WEIGHT, CorrespondencePolicy
from anygrasp_tracking.motion_prediction import MotionConfig
from anygrasp_tracking.pose_smoothing import SmoothingConfig
from anygrasp_tracking.selection import NoGrasps, Selection, spread_out
from anygrasp_tracking.switch_guard import SwitchGuardConfig, guard_switch
from anygrasp_tracking.target import Target, TrackedGrasp, TrackState, departures
from anygrasp_tracking.tracking_frame import TrackingFrame

__all__ = ["GraspTracker", "TrackerConfig", "TrackingResult", "UnknownTarget"]

_NEVER = -1e3  # below any correspondence


class UnknownTarget(ValueError):
    """No target of this id is followed; the message lists those that are."""


@dataclass(frozen=True)
class TrackerConfig:
    """When a grasp may be a target's, and when a target is lost. Raises ValueError on values out of range."""

    reach_m: float = 0.05  # a target may be found this far from where its motion leads (or it was) ...
    reach_speed_m_s: float = 0.15  # ... and so much further for each second that it was not seen
    reach_rad: float = 0.9  # it may have turned so far from what is expected
    min_correspondence: float = 0.3  # below it a target is not seen
    # Taken off the correspondence for a distance (Eq. 5) of 1 from where the motion leads, 0.1 m, when grasps
    # are compared; not, nor the scores, by policies that know nothing of motion.
    motion_weight: float = 0.0
    score_weight: float = 0.0  # added for a score of 1: of grasps that correspond alike the better is taken
    max_occluded_s: float = 1.0  # lost when not seen for longer
    apart_m: float = 0.06  # targets chosen together are at least so far from each other
    workspace_min: tuple[float, float, float] | None = None  # a target that leaves this box is lost
    workspace_max: tuple[float, float, float] | None = None
    guard: SwitchGuardConfig = field(default_factory=SwitchGuardConfig)
    motion: MotionConfig = field(default_factory=MotionConfig)
    smoothing: SmoothingConfig = field(default_factory=SmoothingConfig)

    def __post_init__(self) -> None:
        for name in ("reach_m", "reach_speed_m_s", "reach_rad", "max_occluded_s", "apart_m"):
            if not getattr(self, name) > 0:
                raise ValueError(f"TrackerConfig.{name} is {getattr(self, name)}; it must be positive")
        for name in ("motion_weight", "score_weight"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"TrackerConfig.{name} is {getattr(self, name)}; use 0 or more")
        if not -1 <= self.min_correspondence < 1:
            raise ValueError(
                f"TrackerConfig.min_correspondence is {self.min_correspondence}; use -1 up to below 1"
            )
        if (self.workspace_min is None) != (self.workspace_max is None):
            raise ValueError("TrackerConfig: give workspace_min and workspace_max together")
        if self.workspace_min is not None and self.workspace_max is not None:
            pairs = zip(self.workspace_min, self.workspace_max, strict=True)
            if not all(low < high for low, high in pairs):
                raise ValueError(
                    f"TrackerConfig: workspace {self.workspace_min} to {self.workspace_max} is empty"
                )


@dataclass(frozen=True)
class TrackingResult:
    """All targets after a frame; those that were lost in it appear a last time."""

    time_s: float
    targets: tuple[TrackedGrasp, ...]
    dropped: str = ""  # why the frame was not used, else empty


class GraspTracker:
    """Follows any number of grasps; give it frames as they come, in order. Not thread-safe."""

    def __init__(self, policy: CorrespondencePolicy, config: TrackerConfig | None = None) -> None:
        self.policy = policy
        self.config = config or TrackerConfig()
        self.counts: Counter[str] = Counter()  # frames, dropped ones by reason, guarded, reacquired, lost
        self._targets: dict[int, Target] = {}
        self._next_id = 1
        self._frame: TrackingFrame | None = None
        self._described: Float64Array = np.zeros((0, 0))
        self._early_s: float | None = None  # stamp of a dropped frame that was far too early

    @property
    def target_ids(self) -> tuple[int, ...]:
        """Ids of the targets that are followed."""
        return tuple(self._targets)

    def update(self, frame: TrackingFrame) -> TrackingResult:
        """Find the targets again in a new frame.

        A frame that is not later than the last one is dropped and counted. After a pause longer than the
        motion's `max_gap_s` nothing can be told about the targets: they are lost. So they are when time has
        jumped back by more than that and two frames in a row say so, as when a recording starts again.

        Raises:
            ValueError: the policy gave no features; the frame is as if it had never come.
        """
        self.counts["frames"] += 1
        before = self._frame
        restarted = before is not None and self._restarts(before.time_s, frame.time_s)
        if before is not None and frame.time_s <= before.time_s and not restarted:
            self.counts["out_of_order"] += 1
            reason = f"frame at {frame.time_s:.3f} s is not later than the last one, {before.time_s:.3f} s"
            return TrackingResult(frame.time_s, self._told(), reason)
        described = self.policy.describe(frame)
        if before is not None and restarted:
            self.counts["restarts"] += 1
            self._lose_all(f"time jumped back by {before.time_s - frame.time_s:.2f} s")
        elif before is not None and frame.time_s - before.time_s > self.config.motion.max_gap_s:
            self.counts["gaps"] += 1
            self._lose_all(f"no frame for {frame.time_s - before.time_s:.2f} s")
        self._frame, self._described, self._early_s = frame, described, None
        self._match(frame, described)
        self._give_up(frame.time_s)
        told = self._told()
        self._forget_lost()
        return TrackingResult(frame.time_s, told)

    def select(self, selection: Selection) -> tuple[TrackedGrasp, ...]:
        """Follow the selected grasps of the last frame, under new ids, instead of what was followed.

        Raises:
            NoGrasps: none fits; what was followed still is.
        """
        if self._frame is None or len(self._frame.grasps) == 0:
            raise NoGrasps("no grasps to select from: the last frame had none, or there was no frame yet")
        grasps = self._frame.grasps
        chosen = spread_out(grasps, selection.rank(self._frame), selection.count, self.config.apart_m)
        if not chosen:
            raise NoGrasps(f"none of {len(grasps)} grasps fits {type(selection).__name__}: widen it")
        self._targets = {}
        for index in chosen:
            target = Target(
                self._next_id,
                self._frame.time_s,
                grasps[index],
                self._described[index],
                self.config.motion,
                self.config.smoothing,
            )
            self._targets[self._next_id] = target
            self._next_id += 1
        return self._told()

    def keep(self, track_ids: Iterable[int]) -> tuple[TrackedGrasp, ...]:
        """Follow only these of the present targets.

        Raises:
            UnknownTarget: one of them is not followed; nothing has changed.
        """
        wanted = list(track_ids)
        for track_id in wanted:
            self._target(track_id)
        self._targets = {track_id: self._targets[track_id] for track_id in wanted}
        return self._told()

    def predict(self, track_id: int, time_s: float) -> Float64Array:
        """T_fixed_grasp (4, 4) of a target at a time to come, by its momentum (paper V-B).

        Raises:
            UnknownTarget: no such target.
            ValueError: `time_s` lies before the target was last seen.
        """
        return self._target(track_id).expected(time_s)

    def velocity(self, track_id: int) -> Float64Array:
        """(3,) of a target, m/s; raises UnknownTarget."""
        return self._target(track_id).motion.velocity_m_s

    def reset(self) -> None:
        """Forget targets, motion and the last frame; ids go on."""
        self._targets.clear()
        self._frame = self._early_s = None

    def _restarts(self, last_s: float, time_s: float) -> bool:
        """Whether this is the second frame in a row from long before the last one: time has begun anew."""
        early_s, gap_s = self._early_s, self.config.motion.max_gap_s
        self._early_s = time_s if last_s - time_s > gap_s else None
        return early_s is not None and self._early_s is not None and 0 < time_s - early_s <= gap_s

    def _lose_all(self, reason: str) -> None:
        for target in self._targets.values():
            target.lose(reason)

    def _target(self, track_id: int) -> Target:
        if track_id not in self._targets:
            known = ", ".join(map(str, self._targets)) or "none"
            raise UnknownTarget(f"no target {track_id} is followed; followed: {known}")
        return self._targets[track_id]

    def _match(self, frame: TrackingFrame, described: Float64Array) -> None:
        """Give each target a grasp of its own, best correspondence in all."""
        targets = [target for target in self._targets.values() if target.state is not TrackState.LOST]
        scores = np.full((len(targets), len(frame.grasps)), _NEVER)
        correspondences = np.zeros_like(scores)
        for row, target in enumerate(targets):
            correspondences[row] = self.policy.correspond(target.description, described)
            preference, allowed = self._weigh(target, frame, correspondences[row])
            scores[row, allowed] = preference[allowed]
        rows, columns = linear_sum_assignment(scores, maximize=True)
        matches = dict(zip(rows.tolist(), columns.tolist(), strict=True))
        for row, target in enumerate(targets):
            column = matches.get(row)
            if column is None or scores[row, column] <= _NEVER:
                target.missed(frame.time_s)
                continue
            if target.state is TrackState.OCCLUDED:
                self.counts["reacquired"] += 1
            target.found(
                frame.time_s,
                frame.grasps[column],
                self.policy.remember(target.description, described[column]),
                float(correspondences[row, column]),
            )

    def _weigh(
        self, target: Target, frame: TrackingFrame, correspondence: Float64Array
    ) -> tuple[Float64Array, BoolArray]:
        """How much each grasp (N,) is preferred, and which may be the target: near enough, alike enough, and
        past the guard."""
        config = self.config
        unseen_s = frame.time_s - target.seen_s
        # The heuristic without a guard knows nothing of motion: it looks about where the target was.
        T_expected = target.expected(frame.time_s) if self.policy.guarded else target.motion.last_pose
        shift, turn = departures(T_expected, frame.grasps)
        feasible = (shift <= config.reach_m + config.reach_speed_m_s * unseen_s) & (turn <= config.reach_rad)
        feasible &= correspondence >= config.min_correspondence
        if not self.policy.guarded:
            return correspondence, np.asarray(feasible)
        if len(target.motion) >= config.guard.min_poses:
            feasible &= shift <= config.guard.reach_m + config.guard.reach_speed_m_s * unseen_s
        off = shift / LABEL_MAX_WIDTH_M + ROTATION_WEIGHT * turn / np.pi
        preference = correspondence - config.motion_weight * off + config.score_weight * frame.grasps.scores
        guarded = guard_switch(
            feasible, preference, shift, frame.grasps.translations, len(target.motion), config.guard
        )
        best = np.argmax(np.where(feasible, preference, _NEVER)) if feasible.any() else None
        if best is not None and not guarded[best]:
            self.counts["guarded"] += 1
        return preference, guarded

    def _give_up(self, time_s: float) -> None:
        config = self.config
        for target in self._targets.values():
            if target.state is TrackState.LOST:
                continue
            unseen_s = time_s - target.seen_s
            if unseen_s > config.max_occluded_s:
                target.lose(f"not seen for {unseen_s:.2f} s")
            elif not target.inside(config.workspace_min, config.workspace_max):
                where = np.round(target.grasp.translations[0], 3).tolist()
                target.lose(f"left the workspace at {where} m")

    def _forget_lost(self) -> None:
        for track_id in [i for i, target in self._targets.items() if target.state is TrackState.LOST]:
            self.counts["lost"] += 1
            del self._targets[track_id]

    def _told(self) -> tuple[TrackedGrasp, ...]:
        return tuple(target.told() for target in self._targets.values())
