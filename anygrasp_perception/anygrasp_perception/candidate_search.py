# SPDX-License-Identifier: Apache-2.0
"""Tries every in-plane angle and depth at every seed and approach, on height profiles, and keeps the best."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np

from anygrasp_perception.arrays import BoolArray, Float32Array, Float64Array, IntpArray
from anygrasp_perception.closing_profile import ProfileGrid, rasterise
from anygrasp_perception.grasp import ANGLE_COUNT, DEPTHS_M, rotation_from_approach
from anygrasp_perception.grasp_sampling import SeedApproaches
from anygrasp_perception.grasp_score import GraspScoreConfig
from anygrasp_perception.gripper import GripperGeometry
from anygrasp_perception.object_surface import ObjectSurface
from anygrasp_perception.profile_runs import edge_friction, find_runs, outlines, run_tops
from anygrasp_perception.reject_reason import RejectCounts, RejectReason
from anygrasp_perception.support_clearance import SupportClearance

__all__ = ["CELLS_PER_APPROACH", "CandidateSearch", "CandidateSearchConfig", "Candidates"]

CELLS_PER_APPROACH = ANGLE_COUNT * len(DEPTHS_M)
_ANGLES_RAD = np.arange(ANGLE_COUNT) * (np.pi / ANGLE_COUNT)
_BATCH = 128  # seeds and approaches at a time: the working set stays in the processor's cache


@dataclass(frozen=True)
class CandidateSearchConfig:
    """Resolution of the search and the space that a grasp must leave. Raises ValueError out of range."""

    cell_m: float = 0.003
    max_shift_m: float = 0.02  # from the seed to the middle of the grasp, along the closing direction
    margin_m: float = 0.005  # between object and finger, on each side, before closing
    tip_clearance_m: float = 0.006  # below the fingertips, to whatever else stands there
    support_clearance_m: float = 0.003  # between fingertips and support, which is known better
    finger_taper: float = 0.5  # the fingers' thickness grows by this with the distance from their tips
    taper_length_m: float = 0.02  # ... up to here; the figures are a 2F-85's
    min_insertion_m: float = 0.004  # of the fingertips below the object's top
    palm_clearance_m: float = 0.005  # between the object's top and the gripper's base
    angles_kept: int = 3  # in-plane angles at one seed and approach that are looked at closely
    max_candidates: int = 1000  # best ones that go on

    def __post_init__(self) -> None:
        for name in ("cell_m", "min_insertion_m"):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"CandidateSearchConfig.{name} must be positive, got {getattr(self, name)}")
        if self.max_candidates < 1:
            raise ValueError(
                f"CandidateSearchConfig.max_candidates must be at least 1, got {self.max_candidates}"
            )
        if not 1 <= self.angles_kept <= ANGLE_COUNT:
            raise ValueError(
                f"CandidateSearchConfig.angles_kept must be 1 to {ANGLE_COUNT}, got {self.angles_kept}"
            )


@dataclass(frozen=True, eq=False)
class Candidates:
    """N grasps that the profiles speak for, at most one for a seed and approach."""

    seeds: IntpArray  # (N,) index into the surface
    views: IntpArray  # (N,) index into the approaches
    angle_ids: IntpArray  # (N,)
    rotations: Float64Array  # (N, 3, 3)
    tips_m: Float64Array  # (N,) fingertips below the seed, along the approach
    insertion_m: Float64Array  # (N,) fingertips below the object's top, along the approach
    edges_m: Float64Array  # (N, 2) y of both edges of the object, from the seed
    slopes: Float64Array  # (N, 2) of the object's outline at both edges
    friction: Float64Array  # (N, 2) asked for by the steepness of both edges alone
    contact_share: Float64Array  # (N,)
    stable_scores: Float64Array  # (N,)

    def __len__(self) -> int:
        return len(self.seeds)

    def __getitem__(self, selection: BoolArray | IntpArray) -> Candidates:
        return Candidates(**{f.name: getattr(self, f.name)[selection] for f in fields(self)})

    @classmethod
    def concatenate(cls, parts: list[Candidates]) -> Candidates:
        """Join one part or more, in the order given."""
        return cls(**{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)})

    @property
    def total_friction(self) -> Float64Array:
        """(N, 2) friction asked for by steepness and outline together: the tangents are perpendicular."""
        return np.hypot(self.friction, self.slopes)


@dataclass(frozen=True, eq=False)
class CandidateSearch:
    """One search over a surface; `run` may be called for many sets of seeds."""

    surface: ObjectSurface
    support: SupportClearance
    gripper: GripperGeometry
    config: CandidateSearchConfig
    score: GraspScoreConfig
    rejected: RejectCounts = field(default_factory=RejectCounts)  # cells dropped so far, by reason

    def run(self, sampled: SeedApproaches) -> Candidates:
        """Evaluate all cells of F > 0 seed approaches; those that do not come back are in `rejected`."""
        grid = self._grid()
        rotations = rotation_from_approach(sampled.approaches)
        found, frames, rows = [], [], []
        for view in np.unique(sampled.views):
            frames.append(np.flatnonzero(sampled.views == view))
            seeds = self.surface.points[sampled.seeds[frames[-1]]]
            height_map = rasterise(self.surface.points, rotations[view], grid)
            rows.append(height_map.profiles(seeds, rotations[view], grid))
            if sum(map(len, rows)) >= _BATCH or view == sampled.views.max():
                found.append(self._search(sampled, np.concatenate(frames), np.concatenate(rows), grid))
                frames, rows = [], []
        return self._best(Candidates.concatenate(found))

    def _grid(self) -> ProfileGrid:
        c, g = self.config, self.gripper
        finger = c.margin_m + g.finger_thickness_m + c.finger_taper * c.taper_length_m
        return ProfileGrid.covering(
            g.max_width_m / 2 + c.max_shift_m + finger, g.finger_height_m / 2, c.cell_m
        )

    def _search(
        self, sampled: SeedApproaches, frames: IntpArray, rows: Float32Array, grid: ProfileGrid
    ) -> Candidates:
        """Best candidate of each of some frames (F,), by their profile rows (F, 12, Z, B)."""
        seeds, views = sampled.seeds[frames], sampled.views[frames]
        points, profiles = self.surface.points[seeds], _highest(rows)
        rotations = rotation_from_approach(sampled.approaches[views][:, None], _ANGLES_RAD)  # (F, 12, 3, 3)
        tips, repeated = self.support.cut_depths(np.asarray(DEPTHS_M, dtype=np.float32), points, rotations)
        runs = find_runs(profiles, tips, self._finger_stairs())
        left, right = runs.edges_m(grid.cell_m)
        insertion = tips - run_tops(profiles, runs)
        friction = edge_friction(profiles, runs, tips, grid.cell_m)
        stable = self._stable_scores(seeds, rotations)  # (F, 12)

        too_wide = right - left > self.gripper.max_width_m - self.config.margin_m
        too_deep = insertion > self.gripper.finger_length_m - self.config.palm_clearance_m
        touching = ~runs.fingers_free | self.support.touches(points, rotations, tips, left, right)
        good = self._reject(
            (repeated, RejectReason.DUPLICATE),
            (~runs.bounded | too_wide, RejectReason.TOO_WIDE),
            (insertion < self.config.min_insertion_m, RejectReason.NO_CONTACT),
            (friction.max(axis=-1) >= self.score.worst_friction, RejectReason.NOT_ANTIPODAL),
            (touching | too_deep, RejectReason.COLLISION),
        )
        scores = self.score.score(friction.max(axis=-1), insertion, stable[..., None])
        cell = self._best_cells(np.where(good, scores, 0.0))
        frame, angle, _ = cell
        lines = outlines(rows[frame, angle], tips[cell], runs.left[cell], runs.right[cell], grid)
        found = Candidates(
            seeds=seeds[frame],
            views=views[frame],
            angle_ids=angle,
            rotations=rotations[frame, angle],
            tips_m=tips[cell].astype(np.float64),
            insertion_m=insertion[cell].astype(np.float64),
            edges_m=np.stack([left[cell], right[cell]], axis=-1),
            slopes=lines.slopes,
            friction=friction[cell].astype(np.float64),
            contact_share=lines.contact_share,
            stable_scores=stable[frame, angle],
        )
        best = self._best_of_frame(found, frame)
        self.rejected.add(RejectReason.RANKED_OUT, int(np.count_nonzero(good)) - len(best))
        return found[best]

    def _reject(self, *limits: tuple[BoolArray, RejectReason]) -> BoolArray:
        """Count each cell (F, 12, D) under the first reason that applies to it; return those with none."""
        good = np.ones(limits[0][0].shape, dtype=bool)
        for bad, reason in limits:
            self.rejected.add(reason, int(np.count_nonzero(good & bad)))
            good &= ~bad
        return good

    def _finger_stairs(self) -> tuple[tuple[int, int, float], ...]:
        """The tapered finger as (start bin, end bin, rise above the tips); its foot asks for space below."""
        c = self.config
        start = int(c.margin_m / c.cell_m)
        stairs = []
        for rise_m in (0.0, c.taper_length_m):
            width = c.margin_m + self.gripper.finger_thickness_m + c.finger_taper * rise_m
            end = int(np.ceil(width / c.cell_m))
            stairs.append((start, end, rise_m if rise_m > 0.0 else -c.tip_clearance_m))
        return tuple(stairs)

    def _stable_scores(self, seeds: IntpArray, rotations: Float64Array) -> Float64Array:
        """Distance (F, 12) of the object's centre from the gripper plane over its radius (paper IV-A)."""
        segment = self.surface.segment_ids[seeds]
        offset = self.surface.centres[segment] - self.surface.points[seeds]
        distance = np.abs(np.einsum("fi,fki->fk", offset, rotations[..., 2]))
        radius = np.maximum(self.surface.radii_m[segment], 2 * self.config.cell_m)
        return np.asarray(np.minimum(distance / radius[:, None], 1.0))

    def _best_cells(self, scores: Float64Array) -> tuple[IntpArray, IntpArray, IntpArray]:
        """Frame, angle and depth index of the best depth at the best angles; scores (F, 12, D), 0: none."""
        depth = np.argmax(scores, axis=-1)
        best = np.take_along_axis(scores, depth[..., None], axis=-1)[..., 0]
        angle = np.argsort(-best, axis=1, kind="stable")[:, : self.config.angles_kept]
        frame, column = np.nonzero(np.take_along_axis(best, angle, axis=1) > 0.0)
        angle = angle[frame, column]
        return frame, angle, depth[frame, angle]

    def _best_of_frame(self, found: Candidates, frame: IntpArray) -> IntpArray:
        """Index of the best candidate of each frame (N,), once outlines count too."""
        order = np.lexsort((-self._scores(found), frame))
        return np.asarray(order[np.diff(frame[order], prepend=-1) != 0])

    def _best(self, found: Candidates) -> Candidates:
        """The best max_candidates, best first."""
        order = np.argsort(-self._scores(found), kind="stable")[: self.config.max_candidates]
        self.rejected.add(RejectReason.RANKED_OUT, len(found) - len(order))
        return found[order]

    def _scores(self, found: Candidates) -> Float64Array:
        return self.score.score(
            found.total_friction.max(axis=1), found.insertion_m, found.stable_scores, found.contact_share
        )


def _highest(rows: Float32Array) -> Float32Array:
    """Profiles (F, 12, B): the highest of rows (F, 12, Z, B). A loop: numpy is slow along a middle axis."""
    highest = rows[:, :, 0].copy()
    for z in range(1, rows.shape[2]):
        np.minimum(highest, rows[:, :, z], out=highest)
    return highest
