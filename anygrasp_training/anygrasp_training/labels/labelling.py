# SPDX-License-Identifier: Apache-2.0
"""Label all grasp cells of an object by closing the fingers on its mesh (DESIGN 3, paper IV-A)."""

import numpy as np
import trimesh
from numpy.typing import ArrayLike, NDArray

from anygrasp_perception.arrays import Float32Array, IntpArray, Uint8Array, check_vector
from anygrasp_perception.grasp import DEPTHS_M
from anygrasp_training.labels.antipodal import antipodal_friction
from anygrasp_training.labels.contacts import touch_pads
from anygrasp_training.labels.label_config import LabelConfig
from anygrasp_training.labels.mesh_checks import check_mesh
from anygrasp_training.labels.mesh_rays import MeshRays
from anygrasp_training.labels.object_labels import (
    COLLIDING,
    FRICTION_STEP,
    NO_GRASP,
    OPENING_STEP_M,
    ObjectGraspLabels,
    cell_rotations,
)
from anygrasp_training.labels.point_cells import PointCells, pad_lines, reachable_cells
from anygrasp_training.labels.self_collision import gripper_collides
from anygrasp_training.labels.surface_points import surface_points

__all__ = ["label_object", "label_points"]

_CHUNK_CELLS = 8192  # bounds the memory: 36 rays a cell at most, about 100 bytes each with their hits


def label_object(
    mesh: trimesh.Trimesh,
    center_of_mass: ArrayLike,
    config: LabelConfig,
    seed: int = 0,
) -> ObjectGraspLabels:
    """Label evenly spread surface points of a closed mesh, in its own frame, metres.

    `center_of_mass` (3,) is what the stable score refers to. Same seed, same labels.
    Raises ValueError as `check_mesh` does.
    """
    check_mesh(mesh)
    points = surface_points(mesh, config.max_points, config.min_spacing_m, seed).astype(np.float32)
    friction, openings = label_points(MeshRays(mesh), points, cell_rotations(), config)
    return ObjectGraspLabels(points, friction, openings, check_vector(center_of_mass, "center_of_mass"))


def label_points(
    rays: MeshRays,
    points: NDArray[np.floating],
    rotations: NDArray[np.floating],
    config: LabelConfig,
) -> tuple[Uint8Array, Uint8Array]:
    """Return friction and opening codes (N, V, A, 5) of points (N, 3) x rotations (V, A, 3, 3).

    Codes as in `ObjectGraspLabels`.
    """
    turns = rotations.astype(np.float32)
    shape = (*rotations.shape[:2], len(DEPTHS_M))
    friction = np.full((len(points), *shape), NO_GRASP, dtype=np.uint8)
    openings = np.zeros((len(points), *shape), dtype=np.uint8)
    for point, of_friction, of_opening in zip(
        points.astype(np.float32),
        friction.reshape(len(points), -1),
        openings.reshape(len(points), -1),
        strict=True,
    ):
        from_wide, gapped = reachable_cells(rays, point, turns, config)
        widest = config.gripper.max_width_m
        for start in config.starts_m:
            pending = from_wide if start == widest else gapped
            pending = pending[of_friction[pending] >= COLLIDING]
            for first in range(0, len(pending), _CHUNK_CELLS):
                some = pending[first : first + _CHUNK_CELLS]
                friction_codes, opening_codes = _label_cells(rays, point, turns, some, start, config)
                # The codes are ordered: a grasp beats a collision, a collision beats nothing.
                better = friction_codes < of_friction[some]
                of_friction[some[better]] = friction_codes[better]
                of_opening[some[better]] = opening_codes[better]
    openings[friction >= COLLIDING] = 0
    return friction, openings


def _label_cells(
    rays: MeshRays,
    point: Float32Array,
    rotations: Float32Array,
    chosen: IntpArray,
    start_opening_m: float,
    config: LabelConfig,
) -> tuple[Uint8Array, Uint8Array]:
    """Friction and opening codes (M,) of `PointCells.at` with fingers closing from `start_opening_m`."""
    widest = config.gripper.max_width_m
    lines = pad_lines(point, rotations, chosen, start_opening_m / 2, config.pad.column_offsets_m())
    contacts = touch_pads(rays, lines, config.pad)
    cells = PointCells.at(point, rotations, chosen)
    friction = antipodal_friction(contacts, cells.rotations[:, :, 1])
    # Both fingers move alike, so the one that has further to go sets the opening.
    needed = 2 * np.maximum(contacts.reach_m.max(axis=1), 0.0) + 2 * config.clearance_m
    if start_opening_m >= widest:
        needed = np.minimum(needed, widest)
    holds = (friction <= config.max_friction) & (needed <= start_opening_m + 1e-6)
    friction_codes = np.full(len(chosen), NO_GRASP, dtype=np.uint8)
    opening_codes = np.zeros(len(chosen), dtype=np.uint8)
    friction_codes[holds] = np.rint(friction[holds] / FRICTION_STEP)
    opening_codes[holds] = np.ceil(needed[holds] / OPENING_STEP_M - 1e-3)
    held = cells[holds]
    collides = gripper_collides(
        rays,
        held.centers,
        held.rotations,
        held.depths_m,
        opening_codes[holds] * np.float32(OPENING_STEP_M),
        config.gripper,
    )
    friction_codes[np.flatnonzero(holds)[collides]] = COLLIDING
    return friction_codes, opening_codes
