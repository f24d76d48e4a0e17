# SPDX-License-Identifier: Apache-2.0
"""Whether the robot's poses differ enough to tell where the camera is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.calibration.hand_eye import relative_motions
from anygrasp_perception.calibration.views import CalibrationError

__all__ = ["DiversityLimits", "PoseDiversity", "check_diversity", "pose_diversity"]

_FARTHEST_M = 10.0  # no arm reaches so far; its pose is in millimetres


@dataclass(frozen=True)
class DiversityLimits:
    """What is needed at least, and what is asked for by the guide; raises ValueError when contradictory."""

    least_views: int = 6  # below this no calibration
    least_turn_deg: float = 5.0  # spread of the turns about their second axis, below this none either
    views: int = 15  # the guide goes on until all of these are reached
    turn_deg: float = 14.0
    travel_m: float = 0.04

    def __post_init__(self) -> None:
        if self.least_views < 3 or self.views < self.least_views:
            raise ValueError("least_views must be 3 or more, and views no less")
        if not 0 < self.least_turn_deg <= self.turn_deg:
            raise ValueError("turn_deg must be no less than least_turn_deg, and both positive")


@dataclass(frozen=True)
class PoseDiversity:
    """How much poses differ."""

    views: int
    turn_deg: float  # root mean square of the turns between poses, about the axis that got second most
    travel_m: float  # standard deviation of the positions along the direction that got second most

    def enough(self, limits: DiversityLimits) -> bool:
        """Whether the guide may stop."""
        return (
            self.views >= limits.views
            and self.turn_deg >= limits.turn_deg
            and self.travel_m >= limits.travel_m
        )

    def describe(self, limits: DiversityLimits) -> str:
        """One line with what is there and what is asked for."""
        return (
            f"{self.views} of {limits.views} views, turns {self.turn_deg:.0f} of {limits.turn_deg:.0f} deg, "
            f"travel {self.travel_m * 1e3:.0f} of {limits.travel_m * 1e3:.0f} mm"
        )


def pose_diversity(poses: Sequence[Float64Array]) -> PoseDiversity:
    """Measure T_base_tool poses."""
    if len(poses) < 2:
        return PoseDiversity(len(poses), 0.0, 0.0)
    turns = relative_motions(poses, poses).r_p
    spread = np.linalg.svd(turns, compute_uv=False) / np.sqrt(len(turns))
    positions = np.array([pose[:3, 3] for pose in poses])
    travel = np.linalg.svd(positions - positions.mean(0), compute_uv=False) / np.sqrt(len(positions))
    # Of one turn or one step there is no second axis.
    second = [float(values[1]) if len(values) > 1 else 0.0 for values in (spread, travel)]
    return PoseDiversity(len(poses), float(np.rad2deg(second[0])), second[1])


def check_diversity(poses: Sequence[Float64Array], limits: DiversityLimits) -> None:
    """Refuse T_base_tool poses that cannot determine the camera's.

    Raises:
        CalibrationError: too few, in millimetres, or all turned about one axis.
    """
    if len(poses) < limits.least_views:
        raise CalibrationError(
            f"{len(poses)} views with the board, but {limits.least_views} are needed and {limits.views} "
            "are good"
        )
    farthest_m = max(float(np.linalg.norm(pose[:3, 3])) for pose in poses)
    if farthest_m > _FARTHEST_M:
        raise CalibrationError(
            f"a pose is {farthest_m:.0f} m from the base, beyond {_FARTHEST_M:.0f} m: millimetres? give "
            "metres"
        )
    diversity = pose_diversity(poses)
    if diversity.turn_deg < limits.least_turn_deg:
        raise CalibrationError(
            f"the poses are turned about one axis only ({diversity.turn_deg:.1f} deg about any second one, "
            f"{limits.least_turn_deg:.0f} are needed): the camera's place along that axis stays unknown. "
            "Tilt the "
            "tool by 20 to 30 deg about two different axes"
        )
