# SPDX-License-Identifier: Apache-2.0
"""The object families by name and category, and seeded draws from them."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from anygrasp_training.objects import adversarial, hardware, household, long, ragdoll, small, snack, thin, toy
from anygrasp_training.objects.procedural_object import ConvexPart, ProceduralObject, assemble

__all__ = [
    "ALL_SEEDS",
    "CATEGORIES",
    "CELL_FAMILIES",
    "FAMILIES",
    "ObjectFamily",
    "check_families",
    "draw_instances",
    "draw_objects",
    "family_names",
    "make_object",
]

# The paper's test set, Table I, and its adversarial set, Fig. 8.
CATEGORIES = ("hardware", "snack", "ragdoll", "toy", "household", "adversarial")

ALL_SEEDS = range(2**31)  # of instances of a family

Builder = Callable[[np.random.Generator], tuple[list[ConvexPart], float]]


@dataclass(frozen=True)
class ObjectFamily:
    """One parametric shape: `build(rng)` returns the convex parts and the density in kg/m^3."""

    name: str
    category: str
    build: Builder


_BUILDERS: dict[str, tuple[Builder, ...]] = {
    "hardware": (
        *(hardware.bolt, hardware.nut, hardware.wrench, hardware.bracket),
        *(long.long_bar, long.pipe, long.screwdriver, long.hammer),
        *(small.screw, small.small_nut, thin.sheet, thin.washer),
    ),
    "snack": (snack.carton, snack.can, snack.pouch, snack.banana, snack.chocolate_bar, small.candy),
    "ragdoll": (
        *(ragdoll.plush_bear, ragdoll.plush_whale, ragdoll.plush_snake),
        *(ragdoll.plush_octopus, ragdoll.plush_turtle),
    ),
    "toy": (toy.brick, toy.animal, toy.toy_ring, toy.car, toy.arch, small.die),
    "household": (
        *(household.bottle, household.mug, household.bowl, household.sponge, household.remote),
        *(household.cup, long.spoon, long.spatula, thin.pot_fragment),
    ),
    "adversarial": (
        *(adversarial.twist, adversarial.gourd, adversarial.star, adversarial.blend),
        *(adversarial.horn, adversarial.oloid, adversarial.spiral),
    ),
}
FAMILIES = MappingProxyType(
    {
        build.__name__: ObjectFamily(build.__name__, category, build)
        for category, builders in _BUILDERS.items()
        for build in builders
    }
)

# What the bin-picking cell draws from unless it is told: all of it fits plate and gripper, and the draws of a
# seed stay what they are when families are added.
CELL_FAMILIES = (
    *(
        "bolt",
        "nut",
        "wrench",
        "bracket",
        "carton",
        "can",
        "pouch",
        "plush_bear",
        "plush_whale",
        "plush_snake",
    ),
    *("brick", "animal", "toy_ring", "car", "bottle", "mug", "bowl", "sponge", "remote"),
)


def family_names(category: str | None = None) -> tuple[str, ...]:
    """Names of the families of one category, or of all.

    Raises:
        ValueError: no such category.
    """
    if category is not None and category not in CATEGORIES:
        raise ValueError(f"unknown object category {category!r}; choose one of {', '.join(CATEGORIES)}")
    return tuple(name for name, family in FAMILIES.items() if category in (None, family.category))


def check_families(families: Sequence[str]) -> None:
    """Raise ValueError with the choices unless all names are those of families."""
    for family in families:
        if family not in FAMILIES:
            raise ValueError(f"unknown object family {family!r}; choose one of {', '.join(FAMILIES)}")


def make_object(family: str, seed: int, name: str | None = None) -> ProceduralObject:
    """Build instance `seed` of a family; the same arguments give the same object, on any machine.

    Raises:
        ValueError: no such family, or a negative seed.
    """
    check_families([family])
    if seed < 0:
        raise ValueError(f"object seed {seed} is negative; use 0 or more")
    entry = FAMILIES[family]
    # The name enters the seed, so that instance 7 of two families does not share its random numbers.
    rng = np.random.default_rng([seed, zlib.crc32(family.encode())])
    parts, density_kg_m3 = entry.build(rng)
    return assemble(name or f"{family}_{seed}", family, entry.category, parts, density_kg_m3)


def draw_objects(count: int, seed: int, families: Sequence[str] = ()) -> list[ProceduralObject]:
    """Draw `count` objects, the categories taking turns, each with a unique name like `snack_can_2`.

    `families` restricts the draw (empty: those of the bin-picking cell).

    Raises:
        ValueError: `count` below 1, or an unknown family.
    """
    return draw_instances(
        count, families or CELL_FAMILIES, np.random.default_rng([seed, zlib.crc32(b"draw_objects")])
    )


def draw_instances(
    count: int, families: Sequence[str], rng: np.random.Generator, seeds: range = ALL_SEEDS
) -> list[ProceduralObject]:
    """Draw `count` objects of `families`, categories in turn, their instance seeds out of `seeds`.

    Raises:
        ValueError: `count` below 1, or an unknown family.
    """
    if count < 1:
        raise ValueError(f"cannot draw {count} objects; ask for at least 1")
    check_families(families)
    by_category = {
        category: [name for name in families if FAMILIES[name].category == category]
        for category in CATEGORIES
    }
    turns = [category for category in CATEGORIES if by_category[category]]
    order = [turns[i] for i in rng.permutation(len(turns))]
    objects = []
    for index in range(count):
        category = order[index % len(order)]
        family = str(rng.choice(by_category[category]))
        instance = int(rng.integers(seeds.start, seeds.stop))
        objects.append(make_object(family, instance, f"{category}_{family}_{index}"))
    return objects
