# SPDX-License-Identifier: Apache-2.0
"""Procedural objects in the categories of the paper's test sets."""

from anygrasp_training.objects.procedural_object import ConvexPart, ProceduralObject
from anygrasp_training.objects.registry import (
    CATEGORIES,
    CELL_FAMILIES,
    FAMILIES,
    draw_objects,
    family_names,
    make_object,
)
from anygrasp_training.objects.splits import Split, draw_split_objects, split_families, split_seeds

__all__ = [
    "CATEGORIES",
    "CELL_FAMILIES",
    "FAMILIES",
    "ConvexPart",
    "ProceduralObject",
    "Split",
    "draw_objects",
    "draw_split_objects",
    "family_names",
    "make_object",
    "split_families",
    "split_seeds",
]
