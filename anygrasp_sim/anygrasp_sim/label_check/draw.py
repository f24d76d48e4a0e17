# SPDX-License-Identifier: Apache-2.0
"""Draws label cells to execute: the same number from every bin of friction, spread over the families."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anygrasp_perception.arrays import BoolArray, Float32Array, IntpArray
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.gripper import ROBOTIQ_2F85, GripperGeometry
from anygrasp_sim.label_check.touch import Touch, touches
from anygrasp_training.labels import LabelConfig, ObjectGraspLabels, label_object
from anygrasp_training.labels.antipodal import antipodal_friction
from anygrasp_training.labels.contacts import close_fingers
from anygrasp_training.labels.finger_pad import FingerPad
from anygrasp_training.labels.mesh_rays import MeshRays
from anygrasp_training.labels.object_labels import NO_GRASP
from anygrasp_training.labels.self_collision import gripper_collides
from anygrasp_training.objects import ProceduralObject, make_object

__all__ = ["FRICTION_BINS", "NO_FRICTION", "Bin", "CellPool", "collides", "draw_pool", "share_out"]


@dataclass(frozen=True)
class Bin:
    """Cells whose friction coefficient is in [lower, upper)."""

    lower: float
    upper: float

    @property
    def name(self) -> str:
        """As it is printed."""
        return "none" if np.isinf(self.lower) else f"{self.lower:.1f}-{self.upper:.1f}"


NO_FRICTION = Bin(np.inf, np.inf)  # needs more than is labelled, 1.2, though both fingers touch
FRICTION_BINS = (Bin(0.0, 0.2), Bin(0.2, 0.4), Bin(0.4, 0.6), Bin(0.6, 0.9), Bin(0.9, 1.21), NO_FRICTION)

_OVERSAMPLING = 20  # cells looked at for each one wanted: the 2F-85 is bulkier than the labels' gripper


@dataclass(frozen=True, eq=False)
class CellPool:
    """Cells of one object, by bin, that the 2F-85 can be brought to."""

    item: ProceduralObject
    grasps: tuple[GraspGroup, ...]  # one group a bin, in the object's frame
    friction: tuple[Float32Array, ...]  # of cells without a label what they need from the gripper's opening
    touches: tuple[list[Touch], ...]
    looked_at: int
    fitting: int  # of those looked at, free of collision with the 2F-85


def draw_pool(
    family: str, instance: int, points: int, cells: int, seed: int, pad: FingerPad | None = None
) -> CellPool:
    """Label one object at `points` points and draw up to `cells` of each bin that the 2F-85 can reach.

    `pad` other than the labels' own is for the comparison.
    """
    item = make_object(family, instance)
    config = LabelConfig(max_points=points, pad=pad or FingerPad())
    labels = label_object(item.mesh, item.center_of_mass_m, config, instance)
    rays = MeshRays(item.mesh)
    rng = np.random.default_rng([seed, instance, *family.encode()])
    groups, frictions, touched_how, looked_at, fitting = [], [], [], 0, 0
    for bin_ in FRICTION_BINS:
        some = _some_cells(labels, bin_, cells * _OVERSAMPLING, rng)
        group = labels.grasps(some)
        friction = labels.friction[tuple(some.T)]
        if bin_ is NO_FRICTION:
            group, friction = _opened(rays, group, config)
        free = ~collides(rays, group, ROBOTIQ_2F85)
        looked_at, fitting = looked_at + len(free), fitting + int(free.sum())
        kept = np.flatnonzero(free)[:cells]
        groups.append(group[kept])
        frictions.append(friction[kept])
        touched_how.append(touches(rays, group[kept]))
    return CellPool(item, tuple(groups), tuple(frictions), tuple(touched_how), looked_at, fitting)


def share_out(pools: list[CellPool], bin_index: int, count: int) -> list[tuple[int, int]]:
    """Return `count` pairs of pool and cell of one bin: pools take turns until all is drawn."""
    rounds = max((len(pool.grasps[bin_index]) for pool in pools), default=0)
    turns = [
        (index, cell)
        for cell in range(rounds)
        for index, pool in enumerate(pools)
        if cell < len(pool.grasps[bin_index])
    ]
    return turns[:count]


def _some_cells(labels: ObjectGraspLabels, bin_: Bin, count: int, rng: np.random.Generator) -> IntpArray:
    if bin_ is NO_FRICTION:
        chosen = labels.friction_codes == NO_GRASP
    else:
        friction = labels.friction
        chosen = (friction >= bin_.lower) & (friction < bin_.upper)
        chosen &= labels.openings_m <= ROBOTIQ_2F85.max_width_m
    flat = np.flatnonzero(chosen)
    flat = rng.choice(flat, size=min(count, len(flat)), replace=False)
    return np.stack(np.unravel_index(flat, labels.friction_codes.shape), axis=-1)


def _opened(rays: MeshRays, group: GraspGroup, config: LabelConfig) -> tuple[GraspGroup, Float32Array]:
    """Of cells without a label those at which both fingers touch, with the opening that a label would have
    and the friction (K,) that fingers need which start from the gripper's opening."""
    widest = ROBOTIQ_2F85.max_width_m
    contacts = close_fingers(
        rays,
        group.fingertips.astype(np.float32),
        group.rotation_matrices.astype(np.float32),
        np.full(len(group), widest / 2, dtype=np.float32),
        config.pad,
    )
    reach_m = np.where(contacts.touch, contacts.reach_m.max(axis=1), 0.0)
    openings = np.clip(2 * (reach_m + config.clearance_m), 2 * config.clearance_m, widest)
    friction = antipodal_friction(contacts, group.rotation_matrices[:, :, 1].astype(np.float32))
    return group.replace(widths=openings)[contacts.touch], friction[contacts.touch]


def collides(rays: MeshRays, group: GraspGroup, gripper: GripperGeometry) -> BoolArray:
    """(M,) the open gripper reaches into the object at the end of its approach."""
    centers, R, depths, widths = (
        array.astype(np.float32)
        for array in (group.translations, group.rotation_matrices, group.depths, group.widths)
    )
    return gripper_collides(rays, centers, R, depths, widths, gripper)
