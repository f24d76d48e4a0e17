# SPDX-License-Identifier: Apache-2.0
"""Conversion between ROS messages and this package's types; the only module here that knows messages."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from geometry_msgs.msg import Point, Pose, Quaternion, Vector3
from std_msgs.msg import Header

from anygrasp_msgs.msg import CellObject, CellObjects
from anygrasp_perception.se3 import rotation_to_quat_xyzw
from anygrasp_sim.cell import ObjectState
from anygrasp_sim.fish.fish_truth import FishState
from anygrasp_sim.ground_truth import ObjectPlace

__all__ = ["fish_to_msg", "objects_to_msg"]


def objects_to_msg(states: Sequence[ObjectState], header: Header) -> CellObjects:
    """Ground truth of all objects; `header` carries the simulated stamp and the base frame."""
    return CellObjects(header=header, objects=[_object_to_msg(state) for state in states])


def fish_to_msg(states: Sequence[FishState], header: Header) -> CellObjects:
    """Ground truth of all fish: their kind as category, the tank for the plate."""
    objects = [
        ObjectState(
            name=state.name,
            category=state.kind,
            place=ObjectPlace(int(state.place)),
            T_base_object=state.T_base_fish,
            size_m=np.array(state.size_m),
        )
        for state in states
    ]
    return objects_to_msg(objects, header)


def _object_to_msg(state: ObjectState) -> CellObject:
    x, y, z = state.T_base_object[:3, 3].tolist()
    qx, qy, qz, qw = rotation_to_quat_xyzw(state.T_base_object[:3, :3]).tolist()
    length, width, height = state.size_m.tolist()
    return CellObject(
        name=state.name,
        category=state.category,
        place=int(state.place),
        pose=Pose(position=Point(x=x, y=y, z=z), orientation=Quaternion(x=qx, y=qy, z=qz, w=qw)),
        size=Vector3(x=length, y=width, z=height),
    )
