# SPDX-License-Identifier: Apache-2.0
"""What a scene is made of, decided by its seed before anything is built."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anygrasp_training.scenes.scene import SceneKind

__all__ = ["SceneConfig", "ScenePlan", "plan_scene"]


@dataclass(frozen=True)
class SceneConfig:
    """How scenes vary. The shares of the kinds need not add up to one."""

    min_objects: int = 5
    max_objects: int = 20
    kind_shares: tuple[tuple[SceneKind, float], ...] = (
        (SceneKind.PLATE, 0.25),
        (SceneKind.BIN, 0.25),
        (SceneKind.HEAP, 0.2),
        (SceneKind.SINGLE, 0.1),
        (SceneKind.PACKED, 0.2),
    )
    max_tilt_rad: float = np.deg2rad(6.0)  # of the table; more and round things roll off

    def __post_init__(self) -> None:
        if not 1 <= self.min_objects <= self.max_objects:
            raise ValueError(
                f"SceneConfig needs 1 <= min_objects <= max_objects, got {self.min_objects} and "
                f"{self.max_objects}"
            )
        shares = [share for _, share in self.kind_shares]
        if not shares or min(shares) < 0 or sum(shares) <= 0:
            raise ValueError(f"SceneConfig.kind_shares must be >= 0 and not all zero, got {shares}")
        if not 0.0 <= self.max_tilt_rad <= np.deg2rad(20.0):
            raise ValueError(
                f"SceneConfig.max_tilt_rad must be in [0, {np.deg2rad(20.0):.3f}], got {self.max_tilt_rad}"
            )


@dataclass(frozen=True)
class ScenePlan:
    """One scene to build: which objects of the pool, arranged how."""

    kind: SceneKind
    object_ids: tuple[int, ...]  # all different, as in GraspNet: a label pixel names one object
    seed: tuple[int, ...]


def plan_scene(pool_size: int, seed: tuple[int, ...], config: SceneConfig = SceneConfig()) -> ScenePlan:
    """Draw kind and objects; the same arguments give the same plan.

    Raises ValueError when the pool is smaller than `config.min_objects`.
    """
    if pool_size < config.min_objects:
        raise ValueError(
            f"a pool of {pool_size} objects cannot fill a scene of {config.min_objects}; "
            "make more objects or lower min_objects"
        )
    rng = np.random.default_rng([*seed, 0])
    kinds = [kind for kind, _ in config.kind_shares]
    shares = np.array([share for _, share in config.kind_shares])
    kind = kinds[rng.choice(len(kinds), p=shares / shares.sum())]
    count = int(rng.integers(config.min_objects, min(config.max_objects, pool_size) + 1))
    if kind is SceneKind.SINGLE:
        count = 1
    ids = rng.choice(pool_size, size=count, replace=False)
    return ScenePlan(kind, tuple(int(i) for i in ids), seed)
