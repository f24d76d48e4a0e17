# SPDX-License-Identifier: Apache-2.0
"""Procedural objects in the five categories of the paper's test set."""

from anygrasp_training.objects.procedural_object import ConvexPart, ProceduralObject
from anygrasp_training.objects.registry import CATEGORIES, FAMILIES, draw_objects, family_names, make_object

__all__ = [
    "CATEGORIES",
    "FAMILIES",
    "ConvexPart",
    "ProceduralObject",
    "draw_objects",
    "family_names",
    "make_object",
]
