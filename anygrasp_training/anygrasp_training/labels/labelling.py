# SPDX-License-Identifier: Apache-2.0
"""Label all grasp cells of an object by closing the fingers on its mesh (DESIGN 3, paper IV-A)."""

import numpy as np
import trimesh
from numpy.typing import ArrayLike, NDArray

from anygrasp_perception.arrays import Float32Array, IntpArray, Uint8Array, check_vector
from anygrasp_perception.grasp import DEPTHS_M
from anygrasp_training.labels.antipodal import antipodal_friction
from anygrasp_training.labels.contacts import PadContacts, PadSweep, touch_pads
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
from anygrasp_training.labels.point_cells import PointCells, Turns, pad_lines, reachable_cells
from anygrasp_training.labels.self_collision import gripper_collides
from anygrasp_training.labels.surface_points import surface_points

__all__ = ["label_object", "label_points"]


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
    turns = Turns.of(rays, rotations.astype(np.float32))
    shape = (*rotations.shape[:2], len(DEPTHS_M))
    friction = np.full((len(points), *shape), NO_GRASP, dtype=np.uint8)
    openings = np.zeros((len(points), *shape), dtype=np.uint8)
    for point, of_friction, of_opening in zip(
        points.astype(np.float32),
        friction.reshape(len(points), -1),
        openings.reshape(len(points), -1),
        strict=True,
    ):
        extents = turns.extents_from(point)
        cells = reachable_cells(rays, point, turns, extents, config)
        of_friction[cells], of_opening[cells] = _label_cells(rays, point, turns, extents, cells, config)
    openings[friction >= COLLIDING] = 0
    return friction, openings


def _label_cells(
    rays: MeshRays,
    point: Float32Array,
    turns: Turns,
    extents: Float32Array,
    cells: IntpArray,
    config: LabelConfig,
) -> tuple[Uint8Array, Uint8Array]:
    """Friction and opening codes (M,) of cells of a point, from whichever start works first."""
    starts = config.starts_m
    wide = pad_lines(point, turns, extents, cells, starts[-1] / 2, config.pad)
    sweep = PadSweep(rays, wide, config.pad)
    gapped = np.flatnonzero(sweep.gapped())
    near = touch_pads(rays, wide.for_pads(gapped, [start / 2 for start in starts[:-1]]), config.pad)
    contacts = PadContacts.concatenate([near, sweep.contacts()])
    which = np.concatenate([np.tile(gapped, len(starts) - 1), np.arange(len(cells))])
    opened = np.repeat(np.asarray(starts, dtype=np.float32), [len(gapped)] * (len(starts) - 1) + [len(cells)])
    codes = _codes(rays, contacts, PointCells.at(point, turns, extents, cells[which]), opened, config)

    friction = np.full(len(cells), NO_GRASP, dtype=np.uint8)
    openings = np.zeros(len(cells), dtype=np.uint8)
    for start in starts:
        some = np.flatnonzero(opened == np.float32(start))
        # The codes are ordered: a grasp beats a collision, a collision beats nothing. The first grasp stands.
        better = some[(codes[0, some] < friction[which[some]]) & (friction[which[some]] >= COLLIDING)]
        friction[which[better]], openings[which[better]] = codes[:, better]
    return friction, openings


def _codes(
    rays: MeshRays,
    contacts: PadContacts,
    cells: PointCells,
    starts_m: Float32Array,
    config: LabelConfig,
) -> Uint8Array:
    """Friction and opening codes (2, M) of cells whose fingers close from openings `starts_m` (M,)."""
    widest = config.gripper.max_width_m
    friction = antipodal_friction(contacts, cells.rotations[:, :, 1])
    # Both fingers move alike, so the one that has further to go sets the opening.
    needed = 2 * np.maximum(contacts.reach_m.max(axis=1), 0.0) + 2 * config.clearance_m
    needed = np.where(starts_m >= np.float32(widest), np.minimum(needed, widest), needed)
    holds = np.flatnonzero((friction <= config.max_friction) & (needed <= starts_m + 1e-6))
    codes = np.zeros((2, len(friction)), dtype=np.uint8)
    codes[0] = NO_GRASP
    codes[0, holds] = np.rint(friction[holds] / FRICTION_STEP)
    codes[1, holds] = np.ceil(needed[holds] / OPENING_STEP_M - 1e-3)
    collides = gripper_collides(
        rays,
        cells.centers[holds],
        cells.rotations[holds],
        cells.depths_m[holds],
        codes[1, holds] * np.float32(OPENING_STEP_M),
        config.gripper,
        cells.extents[holds],
    )
    codes[0, holds[collides]] = COLLIDING
    return codes
