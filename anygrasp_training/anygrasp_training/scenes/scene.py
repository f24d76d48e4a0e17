# SPDX-License-Identifier: Apache-2.0
"""A settled scene: objects at their poses on a support, and whatever else stands around.

The scene frame has its origin on the table where the objects are, z normal to the table. Gravity may lean:
a table that tilts in a room is the same scene as gravity that tilts over a table.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import trimesh

from anygrasp_perception.arrays import Float64Array
from anygrasp_training.objects import ProceduralObject
from anygrasp_training.scenes.appearance import SurfaceFinish

__all__ = ["Furniture", "PlacedObject", "Scene", "SceneKind"]


class SceneKind(str, Enum):
    """How the objects came to lie where they lie."""

    PLATE = "plate"  # dropped one by one into a plate with low walls
    BIN = "bin"  # dropped into a bin with high walls
    HEAP = "heap"  # dropped over one spot of the table
    SINGLE = "single"  # one object alone
    PACKED = "packed"  # standing or lying side by side, as on a shelf


@dataclass(frozen=True, eq=False)
class PlacedObject:
    """An object of the pool in the scene."""

    object_id: int  # number in the pool: models/NNN
    body: ProceduralObject
    T_scene_object: Float64Array  # (4, 4)


@dataclass(frozen=True, eq=False)
class Furniture:
    """Something that is no object to grasp: the table, a wall, the floor, things standing around."""

    name: str
    mesh: trimesh.Trimesh  # scene frame, metres
    finish: SurfaceFinish


@dataclass(frozen=True, eq=False)
class Scene:
    """Everything a camera can see and a gripper can hit."""

    kind: SceneKind
    objects: tuple[PlacedObject, ...]
    furniture: tuple[Furniture, ...]
    gravity_m_s2: Float64Array  # (3,) scene frame
    seed: int  # of textures and light
