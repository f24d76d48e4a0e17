# SPDX-License-Identifier: Apache-2.0
"""Splits of the objects: disjoint, complete, seeded."""

import pytest

from anygrasp_training.objects import (
    CATEGORIES,
    FAMILIES,
    Split,
    draw_split_objects,
    split_families,
    split_seeds,
)


def test_train_and_similar_share_families_but_no_seed():
    assert split_families(Split.TRAIN) == split_families(Split.SIMILAR)
    train, similar = split_seeds(Split.TRAIN), split_seeds(Split.SIMILAR)
    assert train.stop == similar.start
    assert similar.stop == 2**31


def test_novel_families_are_of_all_categories_and_never_trained_on():
    novel, train = set(split_families(Split.NOVEL)), set(split_families(Split.TRAIN))
    assert not novel & train
    assert novel | train == set(FAMILIES)
    assert {FAMILIES[name].category for name in novel} == set(CATEGORIES)
    assert {FAMILIES[name].category for name in train} == set(CATEGORIES)


@pytest.mark.parametrize("split", Split)
def test_draw_keeps_to_the_split_and_takes_turns_through_the_categories(split):
    objects = draw_split_objects(split, 6, seed=3)
    assert {item.family for item in objects} <= set(split_families(split))
    assert {item.category for item in objects} == set(CATEGORIES)
    assert len({item.name for item in objects}) == 6


def test_draw_is_seeded_and_accepts_the_name_of_a_split():
    one, same = draw_split_objects(Split.NOVEL, 3, 1), draw_split_objects("novel", 3, 1)
    assert [(i.name, i.mass_kg) for i in one] == [(i.name, i.mass_kg) for i in same]
    assert [i.name for i in one] != [i.name for i in draw_split_objects(Split.NOVEL, 3, 2)]


def test_unknown_split_lists_the_choices():
    with pytest.raises(ValueError, match=r"'test'; choose one of train, similar, novel"):
        split_families("test")


def test_draw_of_nothing_from_a_split_is_refused():
    with pytest.raises(ValueError, match="cannot draw 0 objects"):
        draw_split_objects(Split.TRAIN, 0, seed=0)
