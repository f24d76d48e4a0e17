# SPDX-License-Identifier: Apache-2.0
"""Sizes of the grasp network: `full` as in the paper, `slim` for a CPU, `debug` for tests."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

__all__ = ["INPUT_CHANNELS", "NETWORK_CONFIGS", "NetworkConfig"]

INPUT_CHANNELS = 7  # "occupied", where in its voxel the points' mean lies (3), its normal (3)
_STAGES = 4


@dataclass(frozen=True)
class NetworkConfig:
    """Everything that decides the shapes of the weights, and the geometry they were trained for.

    Raises ValueError on values out of range.
    """

    voxel_m: float = 0.005  # paper IV-C
    stem_channels: int = 32
    encoder_channels: tuple[int, ...] = (32, 64, 128, 256)  # of the four stride-2 stages
    decoder_channels: tuple[int, ...] = (192, 192, 192, 192)
    feature_channels: int = 512  # of a point, out of the backbone
    crop_channels: int = 256  # of a grasp, in the cylinder
    head_channels: int = 256
    seed_count: int = 1024  # M of the paper
    cylinder_radius_m: float = 0.05
    cylinder_min_m: float = -0.02  # along the approach, from the grasp centre
    cylinder_max_m: float = 0.04
    cylinder_samples: int = 16
    # Cylinders draw their samples from that many points of the scene: all of them would give no other
    # samples, at several times the cost.
    cylinder_pool: int = 4096

    def __post_init__(self) -> None:
        for name in ("encoder_channels", "decoder_channels"):
            value = tuple(int(channels) for channels in getattr(self, name))
            if len(value) != _STAGES or min(value) < 1:
                raise ValueError(f"NetworkConfig.{name} must be {_STAGES} positive numbers, got {value}")
            object.__setattr__(self, name, value)
        for name in (
            "stem_channels",
            "feature_channels",
            "crop_channels",
            "head_channels",
            "seed_count",
            "cylinder_samples",
            "cylinder_pool",
        ):
            if getattr(self, name) < 1:
                raise ValueError(f"NetworkConfig.{name} must be at least 1, got {getattr(self, name)}")
        for name in ("voxel_m", "cylinder_radius_m"):
            if not getattr(self, name) > 0:
                raise ValueError(f"NetworkConfig.{name} must be positive, got {getattr(self, name)}")
        if not self.cylinder_min_m < self.cylinder_max_m:
            raise ValueError(
                f"NetworkConfig.cylinder_min_m {self.cylinder_min_m} must be below cylinder_max_m "
                f"{self.cylinder_max_m}"
            )

    @classmethod
    def from_dict(cls, values: dict[str, object]) -> NetworkConfig:
        """Build a config from `dataclasses.asdict`; raises ValueError on unknown names."""
        known = {field.name for field in dataclasses.fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ValueError(f"NetworkConfig has no {', '.join(unknown)}; it has {', '.join(sorted(known))}")
        return cls(**values)  # type: ignore[arg-type]


NETWORK_CONFIGS: dict[str, NetworkConfig] = {
    "full": NetworkConfig(),  # GSNet's widths
    "slim": NetworkConfig(
        encoder_channels=(32, 48, 64, 96),
        decoder_channels=(96, 64, 64, 64),
        feature_channels=256,
        crop_channels=128,
        head_channels=192,
        cylinder_samples=64,  # the narrow layers leave time for a closer look
    ),
    "debug": NetworkConfig(
        stem_channels=8,
        encoder_channels=(8, 8, 8, 8),
        decoder_channels=(8, 8, 8, 8),
        feature_channels=16,
        crop_channels=16,
        head_channels=16,
        seed_count=64,
        cylinder_samples=4,
        cylinder_pool=512,
    ),
}
