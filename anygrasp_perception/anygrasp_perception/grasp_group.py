# SPDX-License-Identifier: Apache-2.0
"""Many grasps as a struct of arrays, with the attribute names of the GraspNet tools."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anygrasp_perception.arrays import BoolArray, Float64Array, Int32Array, check_vector
from anygrasp_perception.se3 import check_rotations, check_transform, rotate, transform_points

__all__ = ["DEFAULT_HEIGHT_M", "GraspGroup"]

DEFAULT_HEIGHT_M = 0.02
UNKNOWN_ID = -1
_PAD_M = 0.01  # from the fingertips back to the middle of the pads

_ITEM_SHAPES: dict[str, tuple[int, ...]] = {"rotation_matrices": (3, 3), "translations": (3,)}
_ID_FIELDS = ("object_ids", "view_ids", "angle_ids", "seed_ids")


@dataclass(frozen=True, eq=False)
class GraspGroup:
    """N grasps in one frame; immutable, every method returns a new group.

    Build one with `from_arrays`, which checks the values. Frame convention: see `grasp.py`.
    """

    scores: Float64Array  # (N,) higher is better
    widths: Float64Array  # (N,) opening, metres
    heights: Float64Array  # (N,) finger height along z, metres
    depths: Float64Array  # (N,) fingertip reach past the origin along x, metres
    rotation_matrices: Float64Array  # (N, 3, 3) columns: approach, closing direction, height
    translations: Float64Array  # (N, 3) metres
    object_ids: Int32Array  # (N,) -1 unknown
    stable_scores: Float64Array  # (N,) in [0, 1], lower is better, NaN unknown (paper IV-A)
    view_ids: Int32Array  # (N,) index into fibonacci_views(), -1 unknown
    angle_ids: Int32Array  # (N,) in-plane angle index, -1 unknown
    seed_ids: Int32Array  # (N,) row of the detection's `SeedFeatures`, -1 unknown

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            dtype = np.int32 if field.name in _ID_FIELDS else np.float64
            array = np.asarray(getattr(self, field.name), dtype=dtype)
            shape = (len(self.scores), *_ITEM_SHAPES.get(field.name, ()))
            if array.shape != shape:
                raise ValueError(f"GraspGroup.{field.name} must have shape {shape}, got {array.shape}")
            object.__setattr__(self, field.name, array)

    @classmethod
    def from_arrays(
        cls,
        *,
        rotation_matrices: ArrayLike,
        translations: ArrayLike,
        widths: ArrayLike,
        scores: ArrayLike,
        depths: ArrayLike,
        heights: ArrayLike = DEFAULT_HEIGHT_M,
        object_ids: ArrayLike = UNKNOWN_ID,
        stable_scores: ArrayLike = np.nan,
        view_ids: ArrayLike = UNKNOWN_ID,
        angle_ids: ArrayLike = UNKNOWN_ID,
        seed_ids: ArrayLike = UNKNOWN_ID,
    ) -> GraspGroup:
        """Build a group of N grasps; arrays as in the class, a scalar stands for N equal values.

        Raises ValueError on wrong shapes, on NaN or infinite values (NaN stable scores are allowed),
        on negative widths, heights or depths, and on matrices that are not rotations.
        """
        count = np.asarray(translations).shape[0] if np.ndim(translations) else 0

        def column(values: ArrayLike) -> NDArray[Any]:
            return np.full(count, values) if np.ndim(values) == 0 else np.asarray(values)

        group = cls(
            scores=column(scores),
            widths=column(widths),
            heights=column(heights),
            depths=column(depths),
            rotation_matrices=np.asarray(rotation_matrices, dtype=np.float64),
            translations=np.asarray(translations, dtype=np.float64),
            object_ids=column(object_ids),
            stable_scores=column(stable_scores),
            view_ids=column(view_ids),
            angle_ids=column(angle_ids),
            seed_ids=column(seed_ids),
        )
        group._check_values([field.name for field in dataclasses.fields(cls)])
        return group

    @classmethod
    def empty(cls) -> GraspGroup:
        """Return a group of no grasps."""
        return cls.from_arrays(
            rotation_matrices=np.zeros((0, 3, 3)), translations=np.zeros((0, 3)), widths=0, scores=0, depths=0
        )

    @classmethod
    def concatenate(cls, groups: Sequence[GraspGroup]) -> GraspGroup:
        """Join groups of one frame in the order given; no groups give the empty group."""
        if not groups:
            return cls.empty()
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(**{name: np.concatenate([getattr(group, name) for group in groups]) for name in names})

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, index: int | slice | NDArray[Any] | Sequence[int]) -> GraspGroup:
        """Select by index, slice, boolean mask or integer array; an index gives a group of one."""
        selection: Any = index
        if isinstance(index, (int, np.integer)):
            if not -len(self) <= index < len(self):
                raise IndexError(f"grasp {index} of a group of {len(self)}")
            selection = [int(index)]
        elif not isinstance(index, (slice, np.ndarray)):
            selection = np.asarray(index, dtype=np.intp)  # an empty list would otherwise be float
        names = [field.name for field in dataclasses.fields(self)]
        return GraspGroup(**{name: getattr(self, name)[selection] for name in names})

    def __iter__(self) -> Iterator[GraspGroup]:
        """Yield groups of one."""
        return (self[i] for i in range(len(self)))

    @property
    def approaches(self) -> Float64Array:
        """(N, 3) unit approach directions, x of the grasp frames."""
        return self.rotation_matrices[:, :, 0]

    @property
    def closing_directions(self) -> Float64Array:
        """(N, 3) unit closing directions, y of the grasp frames."""
        return self.rotation_matrices[:, :, 1]

    @property
    def fingertips(self) -> Float64Array:
        """(N, 3) points midway between the fingertips: translation + depth * approach, metres."""
        return self.translations + self.depths[:, None] * self.approaches

    @property
    def pad_middles(self) -> Float64Array:
        """(N, 3) the middle between what the finger pads touch, 1 cm back from the fingertips, metres."""
        return self.fingertips - _PAD_M * self.approaches

    @property
    def poses(self) -> Float64Array:
        """(N, 4, 4) transforms from the grasp frames to the group's frame."""
        poses = np.tile(np.eye(4), (len(self), 1, 1))
        poses[:, :3, :3] = self.rotation_matrices
        poses[:, :3, 3] = self.translations
        return poses

    def replace(self, **arrays: ArrayLike) -> GraspGroup:
        """Return a group with some arrays exchanged; raises ValueError as `from_arrays` does."""
        group: GraspGroup = dataclasses.replace(self, **arrays)  # type: ignore[arg-type]  # coerced there
        group._check_values(arrays)
        return group

    def sorted_by_score(self) -> GraspGroup:
        """Return the grasps best first; equal scores keep their order."""
        return self[np.argsort(-self.scores, kind="stable")]

    def top(self, count: int) -> GraspGroup:
        """Return the `count` best grasps, best first; raises ValueError when negative."""
        if count < 0:
            raise ValueError(f"count must be >= 0, got {count}")
        return self[np.argsort(-self.scores, kind="stable")[:count]]

    def transformed(self, T_a_b: ArrayLike) -> GraspGroup:
        """Return this group, given in frame b, in frame a; `T_a_b` (4, 4)."""
        T = check_transform(T_a_b, "T_a_b")
        return dataclasses.replace(
            self,
            rotation_matrices=T[:3, :3] @ self.rotation_matrices,
            translations=transform_points(T, self.translations),
        )

    def in_box_mask(
        self, min_xyz: ArrayLike, max_xyz: ArrayLike, T_box_grasps: ArrayLike | None = None
    ) -> BoolArray:
        """Return (N,) bool: grasp centre inside the axis-aligned box, faces included.

        The corners (3,) are metres in the box's frame; `T_box_grasps` (4, 4) maps the group's frame to
        it, identity when None. Raises ValueError when a minimum is above its maximum.
        """
        lower, upper = check_vector(min_xyz, "min_xyz"), check_vector(max_xyz, "max_xyz")
        if (lower > upper).any():
            raise ValueError(f"min_xyz {lower} must not be above max_xyz {upper}")
        centres = self.translations
        if T_box_grasps is not None:
            centres = transform_points(check_transform(T_box_grasps, "T_box_grasps"), centres)
        return np.asarray(((centres >= lower) & (centres <= upper)).all(axis=1))

    def approach_in_cone_mask(
        self, axis: ArrayLike, half_angle_rad: float, T_axis_grasps: ArrayLike | None = None
    ) -> BoolArray:
        """Return (N,) bool: approach within `half_angle_rad`, in (0, pi], of `axis` (3,), any length.

        `T_axis_grasps` (4, 4) maps the group's frame to that of the axis, identity when None.
        Raises ValueError on a zero axis or an angle out of range.
        """
        direction = check_vector(axis, "axis")
        length = float(np.linalg.norm(direction))
        if length < 1e-9:
            raise ValueError(f"axis must not be zero, got {direction}")
        if not 0.0 < half_angle_rad <= np.pi:
            raise ValueError(f"half_angle_rad must be in (0, pi], got {half_angle_rad}")
        approaches = self.approaches
        if T_axis_grasps is not None:
            approaches = rotate(check_transform(T_axis_grasps, "T_axis_grasps"), approaches)
        # A hair of slack, so that an approach along the axis lies in any cone.
        return np.asarray(approaches @ (direction / length) >= np.cos(half_angle_rad) - 1e-9)

    def _check_values(self, names: Iterable[str]) -> None:
        """Check the arrays of these names."""
        checked = set(names)
        for name in checked & {"scores", "widths", "heights", "depths", "translations"}:
            if not np.isfinite(getattr(self, name)).all():
                raise ValueError(f"GraspGroup.{name} has NaN or infinite values")
        for name in checked & {"widths", "heights", "depths"}:
            if (getattr(self, name) < 0).any():
                raise ValueError(f"GraspGroup.{name} must be >= 0, got {getattr(self, name).min()}")
        if "rotation_matrices" in checked:
            check_rotations(self.rotation_matrices, "GraspGroup.rotation_matrices")
