# SPDX-License-Identifier: Apache-2.0
"""Pairs of frames the association network learns from: neighbouring views, and moments of a film."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from anygrasp_perception.arrays import BoolArray, Float32Array, IntpArray
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_tracking.association_config import AssociationNetworkConfig
from anygrasp_tracking.association_input import AssociationInput, gather_input
from anygrasp_training.association.distance import AssociationConfig, grasp_distances
from anygrasp_training.association.neighbours import neighbour_views
from anygrasp_training.association.seen_dataset import SeenScene
from anygrasp_training.association.seen_frame import SeenFrame

__all__ = ["Described", "PairConfig", "PairSampler", "PairSide", "TrainingPair", "frame_pairs"]

_POSITION = slice(9, 12)  # of the pose numbers


@dataclass(frozen=True)
class PairConfig:
    """How pairs are made. Raises ValueError on values out of range."""

    max_grasps: int = 256  # of each frame, drawn anew each time
    max_gap_s: float = 2.3  # between the moments of a film: the tracker remembers as long
    shift_m: float = 0.2  # both frames are moved alike by up to this along each axis ...
    # ... and each object of the second by so much, standard deviation: features shall say where on its object
    # a grasp is. Which of like objects it is, the tracker knows from the motion.
    object_shift_m: float = 0.1
    light: float = 0.15  # by which share both frames may be lighter or darker, a third of it each alone
    same: AssociationConfig = field(default_factory=AssociationConfig)

    def __post_init__(self) -> None:
        if self.max_grasps < 2:
            raise ValueError(f"PairConfig.max_grasps must be 2 or more, got {self.max_grasps}")
        for name in ("max_gap_s", "shift_m", "object_shift_m", "light"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"PairConfig.{name} must be 0 or more, got {getattr(self, name)}")


@dataclass(frozen=True, eq=False)
class Described:
    """A frame ready for training."""

    given: AssociationInput
    on_objects: GraspGroup  # in the frames of their objects

    @classmethod
    def of(cls, seen: SeenFrame, config: AssociationNetworkConfig) -> Described:
        """Gather what the network takes; raises FeaturesMissing on features of other sizes."""
        return cls(gather_input(seen.tracking_frame(0.0), config), seen.in_object_frames())


@dataclass(frozen=True, eq=False)
class PairSide:
    """One frame of a pair: N grasps as the network takes them."""

    seed: Tensor  # (N, C)
    grasp: Tensor  # (N, C')
    colors: Tensor  # (N, K, 3)
    pose: Tensor  # (N, 12)


@dataclass(frozen=True, eq=False)
class TrainingPair:
    """Two frames of one scene, and which grasps are the same."""

    first: PairSide
    second: PairSide
    same: Tensor  # (N, M) bool


def frame_pairs(frames: tuple[SeenFrame, ...], max_gap_s: float) -> IntpArray:
    """Return pairs (P, 2), i < j, of frames near in time, of scenes that stand still near in view."""
    times = np.array([frame.time_s for frame in frames])
    if np.isnan(times).any():
        return neighbour_views(np.array([frame.T_table_camera for frame in frames]))
    return np.argwhere(np.triu(np.abs(times[:, None] - times[None]) <= max_gap_s, k=1))


class PairSampler:
    """Draws pairs: first a scene, then two frames of it."""

    def __init__(
        self, scenes: list[SeenScene], network: AssociationNetworkConfig, config: PairConfig
    ) -> None:
        """Raises ValueError when no scene has two neighbouring frames with grasps on objects."""
        self.config = config
        self._scenes: list[tuple[list[Described], IntpArray]] = []
        for scene in scenes:
            frames = [Described.of(frame, network) for frame in scene.frames]
            held = np.array([(frame.on_objects.object_ids >= 0).any() for frame in frames], dtype=bool)
            pairs = frame_pairs(scene.frames, config.max_gap_s)
            pairs = pairs[held[pairs].all(axis=1)] if len(pairs) else pairs
            if len(pairs):
                self._scenes.append((frames, pairs))
        if not self._scenes:
            raise ValueError(
                f"none of {len(scenes)} scenes has two neighbouring frames with grasps on objects: give more "
                "scenes, or better geometry weights"
            )

    def __len__(self) -> int:
        return sum(len(pairs) for _, pairs in self._scenes)

    def draw(self, rng: np.random.Generator) -> TrainingPair:
        """A random pair, as likely first as second, moved and lit at random."""
        frames, pairs = self._scenes[rng.integers(len(self._scenes))]
        chosen = rng.permutation(pairs[rng.integers(len(pairs))])
        config = self.config
        shift = rng.uniform(-config.shift_m, config.shift_m, size=3)
        light = 1 + config.light * rng.uniform(-1, 1)
        sides, groups = [], []
        for moved, index in ((0.0, chosen[0]), (config.object_shift_m, chosen[1])):
            rows = _some(len(frames[index].given), config.max_grasps, rng)
            groups.append(frames[index].on_objects[rows])
            own_light = light * (1 + config.light / 3 * rng.uniform(-1, 1))
            offsets = shift + moved * _by_object(groups[-1].object_ids, rng)
            sides.append(_side(frames[index].given, rows, offsets.astype(np.float32), own_light))
        same = grasp_distances(groups[0], groups[1], config.same) <= config.same.max_distance
        return TrainingPair(sides[0], sides[1], torch.from_numpy(same))

    def all_pairs(self, count: int) -> list[TrainingPair]:
        """`count` pairs, the same each time, nothing moved or lit: to validate with."""
        plain = PairSampler.__new__(PairSampler)
        plain._scenes = self._scenes
        plain.config = PairConfig(
            max_grasps=10**6, max_gap_s=self.config.max_gap_s, shift_m=0, object_shift_m=0, light=0
        )
        rng = np.random.default_rng(0)
        return [plain.draw(rng) for _ in range(count)]


def _side(given: AssociationInput, rows: IntpArray, offsets_m: Float32Array, light: float) -> PairSide:
    scale = np.float32(AssociationNetworkConfig.position_scale_m)
    pose = given.pose[rows].copy()
    pose[:, _POSITION] += offsets_m / scale
    colors = np.clip(given.colors[rows] * np.float32(light), 0, 1)
    return PairSide(
        *(torch.from_numpy(array) for array in (given.seed[rows], given.grasp[rows], colors, pose))
    )


def _by_object(object_ids: IntpArray | BoolArray, rng: np.random.Generator) -> Float32Array:
    """Normal offsets (N, 3), the same for all grasps of an object."""
    _, of_grasp = np.unique(object_ids, return_inverse=True)
    return rng.normal(size=(len(object_ids) + 1, 3))[of_grasp].astype(np.float32)


def _some(count: int, most: int, rng: np.random.Generator) -> IntpArray:
    return np.sort(rng.permutation(count)[:most])
