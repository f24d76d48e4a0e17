# SPDX-License-Identifier: Apache-2.0
"""Grasps with the names that graspnetAPI gives them, for scripts that were written with it.

`GraspGroup` of `grasp_group.py` is what this project computes with; this one is mutable, holds the 17-column
array, and follows graspnetAPI's: an index gives a single grasp, `sort_by_score` and `transform` change the
group and return it, `nms` returns another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anygrasp_perception.arrays import BoolArray, Float64Array, Int32Array, IntpArray
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.grasp_io import from_graspnet_array, to_graspnet_array
from anygrasp_perception.gripper import GripperGeometry
from anygrasp_perception.nms import grasp_nms

__all__ = ["GraspNetGrasp", "GraspNetGroup"]

_COLUMNS = 17
_SCORE, _WIDTH, _HEIGHT, _DEPTH, _ROTATION, _TRANSLATION, _OBJECT = (
    0,
    1,
    2,
    3,
    slice(4, 13),
    slice(13, 16),
    16,
)
_BOX_FACES = [  # of corners numbered x, y, z as bits, outwards
    *((0, 1, 3), (0, 3, 2), (4, 6, 7), (4, 7, 5), (0, 4, 5), (0, 5, 1)),
    *((2, 3, 7), (2, 7, 6), (0, 2, 6), (0, 6, 4), (1, 5, 7), (1, 7, 3)),
]


class GraspNetGrasp:
    """One grasp: score, width, height, depth in metres, rotation_matrix, translation, object_id."""

    def __init__(self, grasp_array: ArrayLike) -> None:
        """Take a row of 17 numbers. Raises ValueError on another shape."""
        self.grasp_array = np.array(grasp_array, dtype=np.float64)
        if self.grasp_array.shape != (_COLUMNS,):
            raise ValueError(f"a grasp is a row of {_COLUMNS} numbers, got shape {self.grasp_array.shape}")

    @property
    def score(self) -> float:
        """Higher is better."""
        return float(self.grasp_array[_SCORE])

    @property
    def width(self) -> float:
        """Opening between the fingertips."""
        return float(self.grasp_array[_WIDTH])

    @property
    def height(self) -> float:
        """Finger height."""
        return float(self.grasp_array[_HEIGHT])

    @property
    def depth(self) -> float:
        """Reach of the fingertips past the translation, along the approach."""
        return float(self.grasp_array[_DEPTH])

    @property
    def rotation_matrix(self) -> Float64Array:
        """(3, 3), columns: approach, closing direction, height."""
        return self.grasp_array[_ROTATION].reshape(3, 3)

    @property
    def translation(self) -> Float64Array:
        """(3,) grasp centre."""
        return self.grasp_array[_TRANSLATION]

    @property
    def object_id(self) -> int:
        """-1 where unknown."""
        return int(self.grasp_array[_OBJECT])

    def transform(self, T: ArrayLike) -> GraspNetGrasp:
        """Move the grasp by (4, 4) and return it. Raises ValueError on a matrix that is no transform."""
        self.grasp_array = GraspNetGroup(self.grasp_array[None]).transform(T).grasp_group_array[0]
        return self

    def to_open3d_geometry(self, color: Sequence[float] | None = None) -> Any:
        """Return the gripper as an `open3d.geometry.TriangleMesh`, from blue to red by score by default."""
        return GraspNetGroup(self.grasp_array[None]).to_open3d_geometry_list(color)[0]

    def __repr__(self) -> str:
        return (
            f"Grasp: score {self.score:.3f}, width {self.width:.3f}, height {self.height:.3f}, depth "
            f"{self.depth:.3f}, translation {self.translation}, rotation {self.rotation_matrix.tolist()}, "
            f"object {self.object_id}"
        )


class GraspNetGroup:
    """N grasps as the array `grasp_group_array` (N, 17), and its columns by name; units as above."""

    def __init__(self, grasps: ArrayLike | Sequence[GraspNetGrasp] | str | None = None) -> None:
        """Take an array (N, 17), a list of grasps, or the path of an `.npy` file; nothing gives no grasps.

        Raises ValueError on another shape.
        """
        if isinstance(grasps, str):
            grasps = np.load(grasps, allow_pickle=False)
        elif isinstance(grasps, (list, tuple)) and all(isinstance(g, GraspNetGrasp) for g in grasps):
            grasps = np.array([g.grasp_array for g in grasps]).reshape(-1, _COLUMNS)
        array = np.zeros((0, _COLUMNS)) if grasps is None else np.array(grasps, dtype=np.float64)
        if array.ndim != 2 or array.shape[1] != _COLUMNS:
            raise ValueError(f"a group is an array of shape (N, {_COLUMNS}), got {array.shape}")
        self.grasp_group_array = array

    @classmethod
    def of(cls, group: GraspGroup) -> GraspNetGroup:
        """Return the grasps of this project's own group."""
        return cls(to_graspnet_array(group))

    def native(self) -> GraspGroup:
        """Return this project's own group. Raises ValueError on rows that are no grasps."""
        return from_graspnet_array(self.grasp_group_array)

    def __len__(self) -> int:
        return len(self.grasp_group_array)

    def __getitem__(self, index: int | slice | NDArray[Any] | Sequence[int]) -> Any:
        """A number gives a `GraspNetGrasp`; a slice, mask or list of numbers a `GraspNetGroup`."""
        if isinstance(index, (int, np.integer)):
            return GraspNetGrasp(self.grasp_group_array[index])
        selection = index if isinstance(index, (slice, np.ndarray)) else np.asarray(index, dtype=np.intp)
        return GraspNetGroup(self.grasp_group_array[selection])

    def __iter__(self) -> Iterator[GraspNetGrasp]:
        return (GraspNetGrasp(row) for row in self.grasp_group_array)

    def __repr__(self) -> str:
        rows = [repr(grasp) for grasp in self[:3]] + (["..."] if len(self) > 3 else [])
        return "\n".join([f"Grasp group of {len(self)}:", *rows])

    @property
    def scores(self) -> Float64Array:
        """(N,)."""
        return self.grasp_group_array[:, _SCORE]

    @property
    def widths(self) -> Float64Array:
        """(N,)."""
        return self.grasp_group_array[:, _WIDTH]

    @property
    def heights(self) -> Float64Array:
        """(N,)."""
        return self.grasp_group_array[:, _HEIGHT]

    @property
    def depths(self) -> Float64Array:
        """(N,)."""
        return self.grasp_group_array[:, _DEPTH]

    @property
    def rotation_matrices(self) -> Float64Array:
        """(N, 3, 3)."""
        return self.grasp_group_array[:, _ROTATION].reshape(-1, 3, 3)

    @property
    def translations(self) -> Float64Array:
        """(N, 3)."""
        return self.grasp_group_array[:, _TRANSLATION]

    @property
    def object_ids(self) -> Int32Array:
        """(N,) -1 where unknown."""
        return self.grasp_group_array[:, _OBJECT].astype(np.int32)

    def nms(
        self, translation_thresh: float = 0.03, rotation_thresh: float = 30.0 / 180.0 * np.pi
    ) -> GraspNetGroup:
        """Return the best of grasps that lie within both limits, metres and radians; best first."""
        return self[grasp_nms(self.native(), translation_thresh, rotation_thresh)]  # type: ignore[no-any-return]

    def sort_by_score(self, reverse: bool = False) -> GraspNetGroup:
        """Sort the group best first, with `reverse` worst first, and return it."""
        order = np.argsort(-self.scores, kind="stable")
        self.grasp_group_array = self.grasp_group_array[order[::-1] if reverse else order]
        return self

    def random_sample(self, numGrasp: int = 20) -> GraspNetGroup:
        """Return so many grasps by numpy's global generator. Raises ValueError when there are fewer."""
        if numGrasp > len(self):
            raise ValueError(f"cannot draw {numGrasp} of {len(self)} grasps")
        drawn: IntpArray = np.random.permutation(len(self))[:numGrasp]  # noqa: NPY002, as scripts seed it
        return self[drawn]  # type: ignore[no-any-return]

    def transform(self, T: ArrayLike) -> GraspNetGroup:
        """Move all grasps by (4, 4) and return the group. Raises ValueError when it is no transform."""
        self.grasp_group_array = to_graspnet_array(self.native().transformed(T))
        return self

    def add(self, grasp: GraspNetGrasp) -> GraspNetGroup:
        """Append a grasp and return the group."""
        self.grasp_group_array = np.vstack([self.grasp_group_array, grasp.grasp_array])
        return self

    def concatenate(self, group: GraspNetGroup) -> GraspNetGroup:
        """Append a group's grasps and return the group."""
        self.grasp_group_array = np.vstack([self.grasp_group_array, group.grasp_group_array])
        return self

    def remove(self, index: int | Sequence[int] | BoolArray) -> GraspNetGroup:
        """Delete grasps by index and return the group."""
        self.grasp_group_array = np.delete(self.grasp_group_array, index, axis=0)
        return self

    def save_npy(self, npy_file_path: str | PathLike[str]) -> None:
        """Write the array."""
        np.save(npy_file_path, self.grasp_group_array)

    def from_npy(self, npy_file_path: str | PathLike[str]) -> GraspNetGroup:
        """Read the array and return the group. Raises ValueError on another shape."""
        loaded = GraspNetGroup(np.load(npy_file_path, allow_pickle=False))
        self.grasp_group_array = loaded.grasp_group_array
        return self

    def to_open3d_geometry_list(self, color: Sequence[float] | None = None) -> list[Any]:
        """Return each gripper as an `open3d.geometry.TriangleMesh`, from blue to red by score by default."""
        import open3d  # seconds to import, and only pictures need it

        geometries = []
        for grasp in self:
            gripper = GripperGeometry(
                max_width_m=max(grasp.width, 1e-3),
                finger_height_m=max(grasp.height, 1e-3),
                base_width_m=grasp.width + 0.03,
                base_height_m=max(grasp.height, 1e-3),
            )
            corners = gripper.boxes(grasp.width, grasp.depth)  # (3, 2, 3)
            bits = np.array([(i >> 2 & 1, i >> 1 & 1, i & 1) for i in range(8)])
            vertices = np.concatenate([box[bits, np.arange(3)] for box in corners])
            faces = np.concatenate([np.array(_BOX_FACES) + 8 * i for i in range(len(corners))])
            mesh = open3d.geometry.TriangleMesh(
                open3d.utility.Vector3dVector(vertices @ grasp.rotation_matrix.T + grasp.translation),
                open3d.utility.Vector3iVector(faces.astype(np.int32)),
            )
            warm = float(np.clip(grasp.score, 0.0, 1.0))
            mesh.paint_uniform_color((warm, 0.0, 1.0 - warm) if color is None else tuple(color))
            geometries.append(mesh)
        return geometries
