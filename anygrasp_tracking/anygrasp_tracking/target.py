# SPDX-License-Identifier: Apache-2.0
"""One followed grasp: what is remembered of it, and what is told about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.nms import symmetric_rotation_angle
from anygrasp_tracking.motion_prediction import MotionConfig, MotionPredictor
from anygrasp_tracking.pose_smoothing import SmoothingConfig, create_smoother

__all__ = ["Target", "TrackState", "TrackedGrasp", "departures"]


class TrackState(IntEnum):
    """How a target is doing; the numbers of anygrasp_msgs/TrackedGrasp."""

    TRACKED = 0  # seen in this frame
    OCCLUDED = 1  # not seen, carried forward by its motion
    LOST = 2  # given up


@dataclass(frozen=True, eq=False)
class TrackedGrasp:
    """A target after one frame."""

    track_id: int  # never used again by the same tracker
    state: TrackState
    grasp: GraspGroup  # group of one, fixed frame
    correspondence: float  # with the grasp of the frame before, [-1, 1]; of the last match while not seen
    lost_reason: str = ""  # empty unless LOST


class Target:
    """Memory of one target."""

    def __init__(
        self,
        track_id: int,
        time_s: float,
        grasp: GraspGroup,
        description: Float64Array,
        motion: MotionConfig,
        smoothing: SmoothingConfig,
    ) -> None:
        self.track_id = track_id
        self.motion = MotionPredictor(motion)
        self.seen_s = time_s
        self.state = TrackState.TRACKED
        self.correspondence = 1.0
        self.description = description
        self.lost_reason = ""
        self._smoother = create_smoother(smoothing)
        self.grasp = grasp
        self._take(time_s, grasp)

    def expected(self, time_s: float) -> Float64Array:
        """T_fixed_grasp (4, 4) by its motion so far."""
        return self.motion.predict(time_s)

    def found(
        self, time_s: float, grasp: GraspGroup, description: Float64Array, correspondence: float
    ) -> None:
        """It is this grasp in the new frame."""
        self.state, self.seen_s = TrackState.TRACKED, time_s
        self.description, self.correspondence = description, correspondence
        self._take(time_s, grasp)

    def missed(self, time_s: float) -> None:
        """It is none of the new frame's: carried forward."""
        self.state = TrackState.OCCLUDED
        self.grasp = _moved(self.grasp, self.expected(time_s))

    def lose(self, reason: str) -> None:
        """Give up."""
        self.state, self.lost_reason = TrackState.LOST, reason

    def inside(self, lower: tuple[float, ...] | None, upper: tuple[float, ...] | None) -> bool:
        """Whether its centre is in the box, faces included; True without a box."""
        return lower is None or upper is None or bool(self.grasp.in_box_mask(lower, upper)[0])

    def told(self) -> TrackedGrasp:
        """A record of the present state."""
        return TrackedGrasp(self.track_id, self.state, self.grasp, self.correspondence, self.lost_reason)

    def _take(self, time_s: float, grasp: GraspGroup) -> None:
        self.motion.add(time_s, grasp.poses[0])
        self.grasp = _moved(grasp, self._smoother.update(time_s, self.motion.last_pose))


def departures(T_fixed_grasp: Float64Array, grasps: GraspGroup) -> tuple[Float64Array, Float64Array]:
    """How far, metres and radians (N,), grasps are from a pose (4, 4); half turns count as none."""
    shift = np.linalg.norm(grasps.translations - T_fixed_grasp[:3, 3], axis=1)
    turn = symmetric_rotation_angle(T_fixed_grasp[None, :3, :3], grasps.rotation_matrices)
    return np.asarray(shift), turn


def _moved(grasp: GraspGroup, T_fixed_grasp: Float64Array) -> GraspGroup:
    return grasp.replace(
        rotation_matrices=T_fixed_grasp[None, :3, :3], translations=T_fixed_grasp[None, :3, 3]
    )
