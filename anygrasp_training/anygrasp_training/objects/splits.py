# SPDX-License-Identifier: Apache-2.0
"""Train, similar and novel objects, disjoint by instance or by family (paper IV-A, GraspNet's splits)."""

from __future__ import annotations

import zlib
from enum import Enum

import numpy as np

from anygrasp_training.objects.procedural_object import ProceduralObject
from anygrasp_training.objects.registry import ALL_SEEDS, FAMILIES, draw_instances

__all__ = ["NOVEL_FAMILIES", "Split", "draw_split_objects", "split_families", "split_seeds"]

# Never trained on: of each category something whose shape no other family of it has.
NOVEL_FAMILIES = (
    *("bracket", "screwdriver", "banana", "plush_octopus", "car", "arch", "bowl", "spoon"),
    *("horn", "oloid"),
)
_TRAIN_SHARE = 0.8  # of the instance seeds


class Split(str, Enum):
    """Which objects: those to train on, others of the same families, families never trained on."""

    TRAIN = "train"
    SIMILAR = "similar"
    NOVEL = "novel"


def split_families(split: Split | str) -> tuple[str, ...]:
    """Names of the families of a split; train and similar share theirs.

    Raises:
        ValueError: no such split.
    """
    novel = _split(split) is Split.NOVEL
    return tuple(name for name in FAMILIES if (name in NOVEL_FAMILIES) == novel)


def split_seeds(split: Split | str) -> range:
    """Seeds for `make_object` of a split: those of train and similar are disjoint.

    Raises:
        ValueError: no such split.
    """
    border = int(_TRAIN_SHARE * len(ALL_SEEDS))
    return {
        Split.TRAIN: ALL_SEEDS[:border],
        Split.SIMILAR: ALL_SEEDS[border:],
        Split.NOVEL: ALL_SEEDS,
    }[_split(split)]


def draw_split_objects(split: Split | str, count: int, seed: int) -> list[ProceduralObject]:
    """Draw `count` objects of a split like `draw_objects`: categories in turn, unique names.

    Raises:
        ValueError: no such split, or `count` below 1.
    """
    chosen = _split(split)
    rng = np.random.default_rng([seed, zlib.crc32(chosen.value.encode())])
    return draw_instances(count, split_families(chosen), rng, split_seeds(chosen))


def _split(split: Split | str) -> Split:
    try:
        return Split(split)
    except ValueError:
        choices = ", ".join(each.value for each in Split)
        raise ValueError(f"unknown split {split!r}; choose one of {choices}") from None
