# SPDX-License-Identifier: Apache-2.0
"""How well a policy follows grasps through films of which everything is known (paper IV-A, Eq. 5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from anygrasp_perception.arrays import BoolArray, Float64Array, IntpArray
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.nms import symmetric_rotation_angle
from anygrasp_perception.se3 import inverse
from anygrasp_tracking.correspondence import CorrespondencePolicy
from anygrasp_tracking.dense_detection import DENSE_TRACKING
from anygrasp_tracking.target import TrackedGrasp, TrackState
from anygrasp_tracking.tracker import GraspTracker, TrackerConfig
from anygrasp_tracking.tracking_frame import TrackingFrame
from anygrasp_training.association.distance import AssociationConfig, grasp_distances, in_object_frames
from anygrasp_training.association.seen_dataset import SeenScene
from anygrasp_training.association.seen_frame import SeenFrame

__all__ = ["FollowedRun", "TrackingFigures", "TrackingProtocol", "best_possible", "choose_targets", "follow"]

Choose = Callable[[TrackingFrame], IntpArray]


@dataclass(frozen=True)
class TrackingProtocol:
    """What is followed, and what counts. Raises ValueError on values out of range."""

    near_origin_m: float = 0.04  # targets are so near to their object's origin: a fish bends elsewhere
    min_pixels: int = 400  # of an object in a frame that counts: of less nothing can be found
    same: AssociationConfig = field(default_factory=AssociationConfig)
    tracker: TrackerConfig = field(default_factory=lambda: DENSE_TRACKING)

    def __post_init__(self) -> None:
        if not self.near_origin_m > 0 or self.min_pixels < 1:
            raise ValueError(
                "TrackingProtocol needs near_origin_m > 0 and min_pixels >= 1, got "
                f"{self.near_origin_m} and {self.min_pixels}"
            )


@dataclass(frozen=True, eq=False)
class FollowedRun:
    """One target through one film; T frames after the first in which its object is seen."""

    film: str
    object_id: int
    distance: Float64Array  # (T,) of Eq. 5 to the grasp that was selected; infinite on another object or lost
    on_object: Float64Array  # (T,) object its grasp is on, -1 none, NaN while not tracked
    step_m: Float64Array  # (T,) how far it moved over its object since the frame before; NaN where unknown
    step_rad: Float64Array  # (T,) likewise
    kept: BoolArray  # (T,) it is the grasp that was selected: the distance is that of a positive pair
    duration_s: float


@dataclass(frozen=True)
class TrackingFigures:
    """Figures over many runs."""

    runs: int
    frames: int
    kept: float  # share of the frames in which the tracked grasp is the selected one (Eq. 5)
    on_object: float  # share in which it is on the right object
    switches_per_min: float  # from one object to another
    jitter_mm: float  # median step over the object from frame to frame, while on it
    jitter_deg: float
    lost: float  # share of the time in which nothing is tracked

    @classmethod
    def of(cls, runs: Iterable[FollowedRun]) -> TrackingFigures:
        """Join runs; NaN where there are none."""
        runs = list(runs)
        if not runs:
            return cls(0, 0, *[float("nan")] * 6)
        kept = np.concatenate([run.kept for run in runs])
        right = np.concatenate([run.on_object == run.object_id for run in runs])
        lost = np.concatenate([np.isnan(run.on_object) for run in runs])
        steps_m = np.concatenate([run.step_m for run in runs])
        steps_rad = np.concatenate([run.step_rad for run in runs])
        minutes = sum(run.duration_s for run in runs) / 60
        return cls(
            runs=len(runs),
            frames=len(kept),
            kept=float(kept.mean()),
            on_object=float(right.mean()),
            switches_per_min=sum(_switches(run) for run in runs) / max(minutes, 1e-9),
            jitter_mm=1e3 * _median(steps_m),
            jitter_deg=float(np.rad2deg(_median(steps_rad))),
            lost=float(lost.mean()),
        )


def choose_targets(first: SeenFrame, protocol: TrackingProtocol) -> list[int]:
    """Indices of the grasps to follow: of each object that is seen the best near its origin."""
    placed, chosen = first.in_object_frames(), []
    near = np.linalg.norm(placed.translations, axis=1) <= protocol.near_origin_m
    for object_id, pixels in zip(first.object_ids, first.seen_pixels, strict=True):
        rows = np.flatnonzero(near & (placed.object_ids == object_id))
        if pixels >= protocol.min_pixels and len(rows):
            chosen.append(int(rows[placed.scores[rows].argmax()]))
    return chosen


def follow(
    scene: SeenScene, targets: Iterable[int], policy: CorrespondencePolicy, protocol: TrackingProtocol
) -> list[FollowedRun]:
    """Follow grasps of the film's first frame to its end, each on its own; what is lost stays lost."""
    once = _DescribedOnce(policy)
    return [_follow_one(scene, target, once, protocol) for target in targets]


def _follow_one(
    scene: SeenScene, target: int, policy: CorrespondencePolicy, protocol: TrackingProtocol
) -> FollowedRun:
    tracker = GraspTracker(policy, protocol.tracker)
    tracker.update(scene.frames[0].tracking_frame())
    tracker.select(_Row(target))

    def track(seen: SeenFrame) -> TrackedGrasp | None:
        result = tracker.update(seen.tracking_frame())
        return result.targets[0] if result.targets else None

    return _judge(scene, target, track, protocol)


def best_possible(scene: SeenScene, target: int, protocol: TrackingProtocol) -> FollowedRun:
    """The run of who knows all poses and takes the grasp nearest to the selected one in each frame."""
    selected = scene.frames[0].in_object_frames()[target]

    def track(seen: SeenFrame) -> TrackedGrasp | None:
        distances = grasp_distances(selected, seen.in_object_frames(), protocol.same)[0]
        if len(distances) == 0 or not np.isfinite(distances.min()):
            return None
        grasp = seen.grasps[int(distances.argmin())].transformed(seen.T_table_camera)
        return TrackedGrasp(1, TrackState.TRACKED, grasp, 1.0)

    return _judge(scene, target, track, protocol)


class _DescribedOnce:
    """A policy that describes each frame of one film once, however many targets it follows there."""

    def __init__(self, policy: CorrespondencePolicy) -> None:
        self._policy, self._described = policy, dict[float, Float64Array]()
        self.name, self.guarded = policy.name, policy.guarded

    def describe(self, frame: TrackingFrame) -> Float64Array:
        if frame.time_s not in self._described:
            self._described[frame.time_s] = self._policy.describe(frame)
        return self._described[frame.time_s]

    def correspond(self, remembered: Float64Array, described: Float64Array) -> Float64Array:
        return self._policy.correspond(remembered, described)

    def remember(self, remembered: Float64Array, found: Float64Array) -> Float64Array:
        return self._policy.remember(remembered, found)


@dataclass(frozen=True)
class _Row:
    """Selection of one grasp by its index."""

    row: int
    count: int = 1

    def rank(self, frame: TrackingFrame) -> IntpArray:
        return np.array([self.row])


def _judge(
    scene: SeenScene,
    target: int,
    track: Callable[[SeenFrame], TrackedGrasp | None],
    protocol: TrackingProtocol,
) -> FollowedRun:
    first = scene.frames[0]
    selected = first.in_object_frames()[target]
    object_id = int(selected.object_ids[0])
    distance, on_object, step_m, step_rad = [], [], [], []
    before: GraspGroup | None = selected
    for seen in scene.frames[1:]:
        told = track(seen)
        now = None
        if told is not None and told.state is TrackState.TRACKED:
            now = _on_its_object(told.grasp, seen)
        index = int(np.flatnonzero(seen.object_ids == object_id)[0])
        if seen.seen_pixels[index] >= protocol.min_pixels:
            distance.append(np.inf if now is None else grasp_distances(selected, now, protocol.same)[0, 0])
            on_object.append(np.nan if now is None else now.object_ids[0])
            both = before is not None and now is not None and now.object_ids[0] == before.object_ids[0] >= 0
            step_m.append(_shift(before, now) if both else np.nan)
            step_rad.append(_turn(before, now) if both else np.nan)
        before = now
    return FollowedRun(
        film=scene.name,
        object_id=object_id,
        distance=np.array(distance),
        on_object=np.array(on_object, dtype=np.float64),
        step_m=np.array(step_m),
        step_rad=np.array(step_rad),
        kept=np.array(distance) <= protocol.same.max_distance,
        duration_s=scene.frames[-1].time_s - first.time_s,
    )


def _on_its_object(grasp: GraspGroup, seen: SeenFrame) -> GraspGroup:
    """A tracked grasp (group of one, table frame) in the frame of the object it is on."""
    in_camera = grasp.transformed(inverse(seen.T_table_camera))
    return in_object_frames(in_camera, seen.object_ids.tolist(), seen.T_camera_objects)


def _shift(before: GraspGroup | None, now: GraspGroup | None) -> float:
    assert before is not None
    assert now is not None
    return float(np.linalg.norm(now.translations - before.translations))


def _turn(before: GraspGroup | None, now: GraspGroup | None) -> float:
    assert before is not None
    assert now is not None
    return float(symmetric_rotation_angle(before.rotation_matrices, now.rotation_matrices)[0])


def _switches(run: FollowedRun) -> int:
    """How often the grasp came to be on another object than before."""
    objects = run.on_object[~np.isnan(run.on_object) & (run.on_object >= 0)]
    return int(np.count_nonzero(np.diff(np.concatenate([[run.object_id], objects]))))


def _median(values: Float64Array) -> float:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else float("nan")
