# SPDX-License-Identifier: Apache-2.0
"""Averages of frame results: over frames, scenes and the splits seen, similar and novel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anygrasp_perception.arrays import Float64Array
from anygrasp_training.evaluation.frame_evaluation import FrameResult

__all__ = ["ApSummary", "SceneResult", "SplitSummary", "summarise"]


@dataclass(frozen=True, eq=False)
class SceneResult:
    """The frames of one scene. Raises ValueError when there are none."""

    name: str
    split: str  # "seen", "similar", "novel", or any other name
    frames: Sequence[FrameResult]

    def __post_init__(self) -> None:
        if not self.frames:
            raise ValueError(f"scene {self.name} has no evaluated frames")

    @property
    def precision(self) -> Float64Array:
        """(top, L) mean over the frames."""
        return np.asarray(np.mean([frame.precision for frame in self.frames], axis=0))

    @property
    def coverage(self) -> float:
        """Share of graspable objects, over all frames, with a good free grasp; NaN without any."""
        graspable = sum(int(frame.graspable.sum()) for frame in self.frames)
        covered = sum(int((frame.graspable & frame.covered).sum()) for frame in self.frames)
        return covered / graspable if graspable else float("nan")


@dataclass(frozen=True, eq=False)
class SplitSummary:
    """Means over the scenes of a split; every scene weighs the same. All in [0, 1]."""

    ap: float  # mean over the friction coefficients
    ap_at: dict[float, float]  # by friction coefficient; the papers print 0.4 and 0.8
    coverage: float  # NaN where no object counted
    scenes: int
    frames: int


@dataclass(frozen=True, eq=False)
class ApSummary:
    """The benchmark's figures."""

    overall: SplitSummary
    splits: dict[str, SplitSummary]  # in the order in which they first came

    def as_table(self) -> str:
        """Return a Markdown table in percent, a row for each split and one for all."""
        shown = [mu for mu in (0.8, 0.4) if mu in self.overall.ap_at]
        head = ["split", "AP", *(f"AP{mu:g}" for mu in shown), "coverage", "scenes", "frames"]
        rows = [head, ["---"] * len(head)]
        for name, split in (*self.splits.items(), ("all", self.overall)):
            shares = [split.ap, *(split.ap_at[mu] for mu in shown), split.coverage]
            percent = ["-" if np.isnan(share) else f"{100 * share:.2f}" for share in shares]
            rows.append([name, *percent, str(split.scenes), str(split.frames)])
        return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def summarise(scenes: Sequence[SceneResult]) -> ApSummary:
    """Average scenes, overall and by split.

    Raises ValueError without scenes, or when they were evaluated at different friction coefficients.
    """
    if not scenes:
        raise ValueError("no scenes to summarise")
    if len({frame.frictions for scene in scenes for frame in scene.frames}) > 1:
        raise ValueError("scenes were evaluated at different friction coefficients; use one config")
    splits = dict.fromkeys(scene.split for scene in scenes)
    return ApSummary(
        overall=_mean(scenes),
        splits={split: _mean([scene for scene in scenes if scene.split == split]) for split in splits},
    )


def _mean(scenes: Sequence[SceneResult]) -> SplitSummary:
    precision = np.mean([scene.precision.mean(axis=0) for scene in scenes], axis=0)  # (L,)
    coverage = [scene.coverage for scene in scenes if not np.isnan(scene.coverage)]
    return SplitSummary(
        ap=float(precision.mean()),
        ap_at={mu: float(p) for mu, p in zip(scenes[0].frames[0].frictions, precision, strict=True)},
        coverage=float(np.mean(coverage)) if coverage else float("nan"),
        scenes=len(scenes),
        frames=sum(len(scene.frames) for scene in scenes),
    )
