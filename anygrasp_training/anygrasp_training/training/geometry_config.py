# SPDX-License-Identifier: Apache-2.0
"""What decides a training run of the geometry module: network, samples, losses, schedule."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np

from anygrasp_perception.network.network_config import NETWORK_CONFIGS, NetworkConfig

__all__ = [
    "DEPTHS",
    "GEOMETRY_CONFIGS",
    "AugmentationConfig",
    "DataShare",
    "GeometryTrainingConfig",
    "LossWeights",
    "SampleConfig",
]


@dataclass(frozen=True)
class AugmentationConfig:
    """Random motion of each cloud (paper IV-C). Raises ValueError on ranges that are none."""

    flip_probability: float = 0.5  # mirrored about the camera's y-z plane
    max_turn_rad: float = float(np.deg2rad(30.0))  # about the camera's z axis
    shift_min_m: tuple[float, float, float] = (-0.2, -0.2, -0.1)
    shift_max_m: tuple[float, float, float] = (0.2, 0.2, 0.2)
    max_margin_m: float = 0.12  # of table seen around the objects, drawn from 2 cm up
    whole_view_probability: float = 0.15  # no crop at all

    def __post_init__(self) -> None:
        for name in ("flip_probability", "whole_view_probability"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"AugmentationConfig.{name} must be in [0, 1], got {getattr(self, name)}")
        if any(low > high for low, high in zip(self.shift_min_m, self.shift_max_m, strict=True)):
            raise ValueError(
                f"AugmentationConfig.shift_min_m {self.shift_min_m} is above shift_max_m {self.shift_max_m}"
            )


DEPTHS = ("sensor", "gaussian", "clean")


@dataclass(frozen=True)
class DataShare:
    """How much of a dataset is used, to see what more of it is worth (paper VII-C). Each in (0, 1]."""

    scenes: float = 1.0
    views: float = 1.0  # of each scene
    labels: float = 1.0  # label points of each object

    def __post_init__(self) -> None:
        for each in fields(self):
            if not 0.0 < getattr(self, each.name) <= 1.0:
                raise ValueError(f"DataShare.{each.name} must be in (0, 1], got {getattr(self, each.name)}")


@dataclass(frozen=True)
class SampleConfig:
    """How one image becomes one training sample."""

    max_voxels: int = 15_000  # paper: 15 000 points
    max_seeds: int = 384  # label points that get a voxel; fewer than in inference, since they are exact
    seed_distance_m: float = 0.006  # of a voxel's mean from the label point it stands for
    label_distance_m: float = 0.02  # from which a voxel knows no graspness
    depth_error_m: float = 0.015  # of a pixel from which its label is not trusted
    poor_seed_share: float = 0.25  # chance of a label point without good grasps, against one with
    # What the network sees (paper VII-A): what the sensor model reports, or perfect depth, with Gaussian
    # noise on it or without; for comparison only, real cameras are none of these.
    depth: str = DEPTHS[0]
    gaussian_m: float = 0.002  # standard deviation at 0.5 m, growing with the square of the distance
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)

    def __post_init__(self) -> None:
        if self.depth not in DEPTHS:
            raise ValueError(f"SampleConfig.depth must be one of {', '.join(DEPTHS)}, got {self.depth!r}")
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, (int, float)) and not value > 0:
                raise ValueError(f"SampleConfig.{each.name} must be positive, got {value}")


@dataclass(frozen=True)
class LossWeights:
    """Weights of the losses.

    Objectness, graspness and width as in GSNet (DESIGN 3). Good views and grasps are rare, so their scores
    are shares to be met in cross-entropy, not in GSNet's smooth L1, and count as much as the rest together.
    """

    objectness: float = 1.0
    graspness: float = 10.0
    view: float = 5.0
    score: float = 10.0
    width: float = 10.0
    stable: float = 5.0


@dataclass(frozen=True)
class GeometryTrainingConfig:
    """A run: `total_steps` of `batch_size` images, or as many as `hours` allow.

    Raises ValueError on values out of range.
    """

    network: NetworkConfig = field(default_factory=lambda: NETWORK_CONFIGS["slim"])
    sample: SampleConfig = field(default_factory=SampleConfig)
    loss: LossWeights = field(default_factory=LossWeights)
    share: DataShare = field(default_factory=DataShare)
    seed: int = 0
    batch_size: int = 4  # paper IV-C; of each process
    learning_rate: float = 1e-3  # paper IV-C
    poly_power: float = 0.9  # of the decay to zero, paper IV-C
    max_gradient: float = 10.0  # norm above which a step is shortened
    total_steps: int = 20_000
    hours: float | None = None  # of training time; decides the decay instead of total_steps
    epoch_steps: int = 500  # between two validations, pictures and looks for new scenes
    checkpoint_minutes: float = 5.0
    own_view_share: float = (
        0.5  # of the views in training drawn as the network scores them, the rest as labels do
    )
    views_per_seed: int = 3  # along which the cylinder head looks in training
    validation_frames: int = 12

    def __post_init__(self) -> None:
        for name in ("batch_size", "total_steps", "epoch_steps", "views_per_seed"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"GeometryTrainingConfig.{name} must be at least 1, got {getattr(self, name)}"
                )
        for name in ("learning_rate", "max_gradient", "checkpoint_minutes"):
            if not getattr(self, name) > 0:
                raise ValueError(f"GeometryTrainingConfig.{name} must be positive, got {getattr(self, name)}")
        if self.hours is not None and not self.hours > 0:
            raise ValueError(f"GeometryTrainingConfig.hours must be positive or None, got {self.hours}")
        if not 0.0 <= self.own_view_share <= 1.0:
            raise ValueError(
                f"GeometryTrainingConfig.own_view_share must be in [0, 1], got {self.own_view_share}"
            )

    def progress(self, step: int, elapsed_s: float) -> float:
        """Share of the run that is done, in [0, 1]."""
        done = step / self.total_steps if self.hours is None else elapsed_s / (3600 * self.hours)
        return min(done, 1.0)

    def rate(self, progress: float) -> float:
        """Learning rate at a share of the run: the "poly" policy."""
        return float(self.learning_rate * (1.0 - progress) ** self.poly_power)


GEOMETRY_CONFIGS: dict[str, GeometryTrainingConfig] = {
    "full": GeometryTrainingConfig(network=NETWORK_CONFIGS["full"]),
    "slim": GeometryTrainingConfig(network=NETWORK_CONFIGS["slim"]),
    "debug": GeometryTrainingConfig(
        network=NETWORK_CONFIGS["debug"],
        sample=SampleConfig(max_voxels=1500, max_seeds=32),
        batch_size=2,
        total_steps=4,
        epoch_steps=2,
        validation_frames=1,
    ),
}
