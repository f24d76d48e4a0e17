# SPDX-License-Identifier: Apache-2.0
"""From candidates to scored grasps: a close look at both contacts and at the space the fingers need."""

from __future__ import annotations

import numpy as np

from anygrasp_perception.arrays import BoolArray, Float64Array, Int32Array
from anygrasp_perception.candidate_search import Candidates
from anygrasp_perception.centring import closing_region_points
from anygrasp_perception.closing_profile import ProfileGrid, rasterise
from anygrasp_perception.contact_patches import contact_patches
from anygrasp_perception.detector import DetectionRequest
from anygrasp_perception.grasp import ANGLE_COUNT, rotation_from_approach
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.grasp_score import GraspScoreConfig
from anygrasp_perception.gripper import GripperGeometry
from anygrasp_perception.observed_scene import ObservedScene, in_region
from anygrasp_perception.point_grid import PointGrid
from anygrasp_perception.reject_reason import RejectCounts, RejectReason
from anygrasp_perception.sight_lines import SightLines
from anygrasp_perception.support_clearance import SupportClearance

__all__ = ["evaluate_contacts", "to_grasps"]

_HALF_STEP_RAD = np.pi / ANGLE_COUNT / 2
_PATCH_M = 0.005  # depth of the patches whose normals count: the cloud's spacing is 0.003
_BORDER_M = 0.005  # contacts may lie so far outside a region: depth noise at its border
_BURIED_M = 0.005  # hidden space further below a visible surface is taken for solid
_SOLID_CELL_M = 0.003


def to_grasps(
    candidates: Candidates,
    view_ids: Int32Array,
    scene: ObservedScene,
    gripper: GripperGeometry,
    margin_m: float,
) -> GraspGroup:
    """The candidates as grasps centred between their edges, margin_m wider on each side, without scores.

    `view_ids` (V,) translates the candidates' views to those of the label space.
    """
    seeds, edges, rotations = candidates.seeds, candidates.edges_m, candidates.rotations
    # Beside something taller, fingertips may stay above the seed: the origin then backs up with them.
    depths = np.maximum(candidates.tips_m, 0.0)
    back = (candidates.tips_m - depths)[:, None] * rotations[:, :, 0]
    aside = edges.mean(axis=1, keepdims=True) * rotations[:, :, 1]
    return GraspGroup.from_arrays(
        rotation_matrices=rotations,
        translations=scene.surface.points[seeds] + aside + back,
        widths=gripper.clamp_width(edges[:, 1] - edges[:, 0] + 2 * margin_m),
        scores=0.0,
        depths=depths,
        heights=gripper.finger_height_m,
        object_ids=scene.surface.segment_ids[seeds],
        stable_scores=candidates.stable_scores,
        view_ids=view_ids[candidates.views],
        angle_ids=candidates.angle_ids,
    )


def evaluate_contacts(
    candidates: Candidates,
    group: GraspGroup,
    scene: ObservedScene,
    support: SupportClearance,
    grid: PointGrid,
    sight: SightLines,
    request: DetectionRequest,
    config: GraspScoreConfig,
) -> tuple[GraspGroup, RejectCounts]:
    """Align and score the grasps (N) that `to_grasps` made of the candidates; count those dropped.

    `grid` holds the points of `scene.surface`.
    """
    group, friction = _align(candidates, group, scene, grid, request.gripper)
    fingers = _finger_points(group, request.gripper)
    free = sight.seen_free(fingers)
    scores = config.score(
        friction,
        candidates.insertion_m,
        candidates.stable_scores,
        candidates.contact_share,
        _room_share(candidates, request.gripper, support.margin_m),
        free.mean(axis=(1, 2)),
    )
    rejected, kept = RejectCounts(), np.ones(len(group), dtype=bool)
    for bad, reason in (
        (_leaves_region(candidates, scene, request), RejectReason.OUTSIDE_REGION),
        (candidates.contact_share < config.min_contact_share, RejectReason.NO_CONTACT),
        (friction >= config.worst_friction, RejectReason.NOT_ANTIPODAL),
        (_in_support(candidates, group, scene, support), RejectReason.COLLISION),
        (np.any(~free & _below_surface(fingers, scene), axis=(1, 2)), RejectReason.COLLISION),
        (scores < config.min_score, RejectReason.LOW_SCORE),
    ):
        rejected.add(reason, int(np.count_nonzero(kept & bad)))
        kept &= ~bad
    return group.replace(scores=scores)[kept], rejected


def _align(
    candidates: Candidates,
    group: GraspGroup,
    scene: ObservedScene,
    grid: PointGrid,
    gripper: GripperGeometry,
) -> tuple[GraspGroup, Float64Array]:
    """Turn grasps by up to half an in-plane step, so that the fingers lie flat on the object's outline.

    Returns them with the friction (N,) needed at the worse contact. The pitch of a contact is as good as
    its edge or as its normals say it is; its turn about the approach is read off the outline.
    """
    patches = contact_patches(
        closing_region_points(group, grid, gripper),
        group.rotation_matrices,
        scene.surface.normals,
        candidates.insertion_m,
        gripper.finger_height_m,
        _PATCH_M,
    )
    turn = np.clip(-patches.outline_rad.mean(axis=1), -_HALF_STEP_RAD, _HALF_STEP_RAD)
    about_x = rotation_from_approach(np.broadcast_to((1.0, 0.0, 0.0), (len(group), 3)), turn)
    aligned = group.replace(rotation_matrices=group.rotation_matrices @ about_x)
    pitch = candidates.friction
    if scene.plane is not None:
        # A side below an edge may be square to the fingers, or upright: assume half-way between.
        tilt = np.arcsin(np.clip(np.abs(aligned.closing_directions @ scene.plane.normal), 0.0, 1.0))
        pitch = np.maximum(pitch, np.tan(tilt / 2)[:, None])
    pitch = np.where(patches.has_normals, np.minimum(pitch, patches.friction), pitch)
    friction = np.hypot(pitch, np.tan(patches.outline_rad + turn[:, None]))
    return aligned, np.asarray(friction.max(axis=1))


def _room_share(candidates: Candidates, gripper: GripperGeometry, margin_m: float) -> Float64Array:
    """Space (N,) beside the object in the widest opening, over the margin wanted on each side; up to 1."""
    room = (gripper.max_width_m - (candidates.edges_m[:, 1] - candidates.edges_m[:, 0])) / 2
    return np.asarray(np.clip(room / max(margin_m, 1e-9), 0.0, 1.0))


def _in_support(
    candidates: Candidates, group: GraspGroup, scene: ObservedScene, support: SupportClearance
) -> BoolArray:
    """Which of the aligned grasps (N,) touch the support: the turn may have put a corner down."""
    seeds = scene.surface.points[candidates.seeds]
    tips, left, right = (column[:, None, None] for column in (candidates.tips_m, *candidates.edges_m.T))
    return support.touches(seeds, group.rotation_matrices[:, None], tips, left, right)[:, 0, 0]


def _finger_points(group: GraspGroup, gripper: GripperGeometry) -> Float64Array:
    """Points (N, 2, 3, 3) in the middle of both fingers, from the tips to half their length."""
    y = (group.widths + gripper.finger_thickness_m) / 2
    x = group.depths[:, None] - np.array([0.0, 0.25, 0.5]) * gripper.finger_length_m
    along = x[:, None, :, None] * group.approaches[:, None, None]
    across = np.stack([-y, y], axis=-1)[:, :, None, None] * group.closing_directions[:, None, None]
    return np.asarray(group.translations[:, None, None] + along + across)


def _below_surface(points: Float64Array, scene: ObservedScene) -> BoolArray:
    """Which of points (..., 3) lie below something that stands on the support: most objects are solid."""
    if scene.plane is None:
        return np.zeros(points.shape[:-1], dtype=bool)
    grid = ProfileGrid(_SOLID_CELL_M, 0, 0)
    rotation = rotation_from_approach(-scene.plane.normal)
    tops = rasterise(scene.surface.points, rotation, grid)
    to_top = tops.depths_at(points.reshape(-1, 3).astype(np.float32), rotation, grid)
    return np.asarray((to_top < -_BURIED_M).reshape(points.shape[:-1]))


def _leaves_region(candidates: Candidates, scene: ObservedScene, request: DetectionRequest) -> BoolArray:
    """Which candidates (N,) touch something outside the requested region, such as the wall of a bin."""
    outside = np.zeros(len(candidates), dtype=bool)
    x = candidates.tips_m - candidates.insertion_m / 2
    seeds, rotations = scene.surface.points[candidates.seeds], candidates.rotations
    for side in (0, 1):
        y = candidates.edges_m[:, side]
        contact = seeds + x[:, None] * rotations[:, :, 0] + y[:, None] * rotations[:, :, 1]
        outside |= ~in_region(contact, request, _BORDER_M)
    return outside
