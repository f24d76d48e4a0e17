# SPDX-License-Identifier: Apache-2.0
"""Sizes of the association network, which must be those of the geometry network it was trained for."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

__all__ = ["AssociationNetworkConfig"]


@dataclass(frozen=True)
class AssociationNetworkConfig:
    """Everything that decides the shapes of the weights, and how colours and poses reach them.

    Raises ValueError on values out of range.
    """

    seed_channels: int = 256  # of the geometry network's seed features
    grasp_channels: int = 192  # of its grasp features
    color_points: int = 16  # K of the paper
    color_radius_m: float = 0.03  # of the cylinder they are taken from, along the approach
    color_min_m: float = -0.02
    color_max_m: float = 0.04
    color_pool: int = 6000  # points of the cloud that the cylinders draw from
    color_channels: int = 64
    hidden_channels: int = 256
    feature_channels: int = 256  # C of the paper
    position_scale_m: float = 0.1

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name != "color_min_m" and not value > 0:
                raise ValueError(f"AssociationNetworkConfig.{field.name} must be positive, got {value}")
        if not self.color_min_m < self.color_max_m:
            raise ValueError(
                f"AssociationNetworkConfig.color_min_m {self.color_min_m} must be below color_max_m "
                f"{self.color_max_m}"
            )

    @classmethod
    def from_dict(cls, values: dict[str, object]) -> AssociationNetworkConfig:
        """Build a config from `dataclasses.asdict`; raises ValueError on unknown names."""
        known = {field.name for field in dataclasses.fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ValueError(f"AssociationNetworkConfig has no {', '.join(unknown)}")
        return cls(**values)  # type: ignore[arg-type]
