# SPDX-License-Identifier: Apache-2.0
"""Judges the candidates one by one and tries to better the best: a short random search about each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from anygrasp_perception.approach_steering import steer_into_cone
from anygrasp_perception.detector import DetectionRequest
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.network.further_look import FurtherLook
from anygrasp_perception.network.grasp_crops import SurfacePoints
from anygrasp_perception.network.verifier import GraspVerifier
from anygrasp_perception.nms import grasp_nms
from anygrasp_perception.seen_objects import SeenObjects

__all__ = ["GraspRefiner", "RefinementConfig", "vary_grasps"]


@dataclass(frozen=True)
class RefinementConfig:
    """How much is judged and tried. Raises ValueError on values out of range.

    The network offers approaches 11 deg apart and in-plane angles 15 deg apart; contacts that are to
    hold at a friction of 0.2 must be met within 11 deg.
    """

    rounds: int = 2  # of trying; 0: the candidates are judged as they are
    varied: int = 45  # of the best so far, spread out, in each round
    variations: int = 5  # of each
    # Where no grasp of `sure_score` or better is so near, more points are looked at along more views
    # (`FurtherLook`). The network thought little of these, and of many that are judged some are judged too
    # well, so what comes of it loses a share of its score.
    uncovered_m: float = 0.02
    sure_score: float = 0.05
    turns: int = 2  # of trying the best of each such place; 0: places without a grasp stay so
    retried: int = 300  # in a turn, at most
    retried_loss: float = 0.5
    spread_m: float = 0.01  # two grasps that are nearer to each other than both of these are not both varied
    spread_rad: float = 0.3
    turn_rad: float = 0.14  # standard deviation of the in-plane angle in the first round, less in later ones
    tilt_rad: float = 0.17  # of the turns about the other two axes, which half of the variations get
    shift_m: tuple[float, float, float] = (0.006, 0.003, 0.004)  # of the fingertips, along the grasp's axes
    # Where an approach is asked for, this share of the variations comes exactly along it, and a grasp at the
    # rim of its cone loses that much of its score: in simulated bins oblique grasps let go more often.
    straight_share: float = 0.2
    oblique_loss: float = 0.3
    # Share of the score that a grasp at the end of its object loses. Fingers at an end let go more often.
    off_centre_loss: float = 0.7

    def __post_init__(self) -> None:
        for name in ("rounds", "varied", "variations", "turns", "retried"):
            if getattr(self, name) < 0:
                raise ValueError(f"RefinementConfig.{name} must be 0 or more, got {getattr(self, name)}")
        for name in ("spread_m", "spread_rad", "turn_rad", "tilt_rad", "uncovered_m"):
            if not 0 <= getattr(self, name) < np.inf:
                raise ValueError(f"RefinementConfig.{name} must be 0 or more, got {getattr(self, name)}")
        for name in ("straight_share", "oblique_loss", "off_centre_loss", "retried_loss", "sure_score"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"RefinementConfig.{name} must be in [0, 1], got {getattr(self, name)}")
        if len(self.shift_m) != 3 or not all(0 <= shift < np.inf for shift in self.shift_m):
            raise ValueError(f"RefinementConfig.shift_m must be three lengths, got {self.shift_m}")


class GraspRefiner:
    """Refines the candidates of one scene; `post_process` calls it."""

    def __init__(
        self,
        verifier: GraspVerifier,
        surface: SurfacePoints,
        rng: np.random.Generator,
        config: RefinementConfig | None = None,
        use_stable_score: bool = True,
        request: DetectionRequest | None = None,
        objects: SeenObjects | None = None,
        further: FurtherLook | None = None,
    ) -> None:
        """`surface`, `request`, `objects` and `further` in the grasps' frame.

        With the stable score what is off its object's centre counts less (IV-B.1): by what is seen of the
        `objects`, without these by the grasps' own stable scores. Without `further` places without a grasp
        stay so.
        """
        self.verifier, self.surface, self._rng = verifier, surface, rng
        self.config = config or RefinementConfig()
        self.use_stable_score, self.request, self.objects = use_stable_score, request, objects
        self._further = further

    def refine(self, grasps: GraspGroup, clear: Callable[[GraspGroup], GraspGroup]) -> GraspGroup:
        """Return the grasps, judged, those found near the best of them, and some where there are none yet.

        `clear` drops of new grasps what collides or is not asked for, and centres the rest.
        """
        config = self.config
        judged = self._judge(grasps)
        for round_ in range(config.rounds if config.varied and config.variations else 0):
            best = judged[grasp_nms(judged, config.spread_m, config.spread_rad, config.varied)]
            if len(best) == 0:
                break
            tried = best[np.repeat(np.arange(len(best)), config.variations)]
            tried = self._straighten(vary_grasps(tried, self._rng, config, 1.0 / (round_ + 1)))
            tried = clear(tried)
            judged = GraspGroup.concatenate([judged, self._judge(tried)])
        if self._further is None:
            return judged
        for _ in range(config.turns):
            sure = judged[judged.scores >= config.sure_score]
            more = self._further.away_from(sure, config.uncovered_m, config.retried, self._judge)
            if len(more) == 0:
                break
            more = self._judge(clear(more))
            more = more.replace(scores=(1.0 - config.retried_loss) * more.scores)
            judged = GraspGroup.concatenate([judged, more])
        return judged

    def _straighten(self, grasps: GraspGroup) -> GraspGroup:
        """Turn some of the grasps onto the approach asked for, if one is."""
        if self.request is None or self.request.approach is None:
            return grasps
        chosen = np.flatnonzero(self._rng.random(len(grasps)) < self.config.straight_share)
        straight = steer_into_cone(grasps[chosen], self.request.approach, 0.0)
        R = grasps.rotation_matrices.copy()
        R[chosen] = straight.rotation_matrices
        reach = grasps.depths[:, None]
        return grasps.replace(rotation_matrices=R, translations=grasps.fingertips - reach * R[:, :, 0])

    def _judge(self, grasps: GraspGroup) -> GraspGroup:
        config, request = self.config, self.request
        scores = self.verifier.judge(grasps, self.surface).astype(np.float64)
        if self.use_stable_score:
            if self.objects is not None:
                grasps = grasps.replace(stable_scores=self.objects.off_centre(grasps))
            scores *= 1.0 - config.off_centre_loss * np.nan_to_num(grasps.stable_scores)
        if request is not None and request.approach is not None:
            axis = request.approach / np.linalg.norm(request.approach)
            angle = np.arccos(np.clip(grasps.approaches @ axis, -1.0, 1.0))
            scores *= 1.0 - config.oblique_loss * np.minimum(angle / request.approach_cone_rad, 1.0)
        return grasps.replace(scores=scores)


def vary_grasps(
    grasps: GraspGroup, rng: np.random.Generator, config: RefinementConfig, scale: float = 1.0
) -> GraspGroup:
    """Turn and shift each grasp at random, its fingertips being where it turns about."""
    count = len(grasps)
    angles = np.column_stack([np.full(count, config.turn_rad), np.full((count, 2), config.tilt_rad)])
    angles[rng.random(count) < 0.5, 1:] = 0.0
    turns = Rotation.from_rotvec(scale * angles * rng.standard_normal((count, 3))).as_matrix()
    R = grasps.rotation_matrices @ turns
    shifts = scale * np.asarray(config.shift_m) * rng.standard_normal((count, 3))
    fingertips = grasps.fingertips + np.einsum("gij,gj->gi", R, shifts)
    return grasps.replace(rotation_matrices=R, translations=fingertips - grasps.depths[:, None] * R[:, :, 0])
