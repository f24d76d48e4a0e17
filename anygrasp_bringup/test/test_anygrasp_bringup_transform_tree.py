# SPDX-License-Identifier: Apache-2.0
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from anygrasp_bringup.transform_tree import (
    ConnectivityException,
    ExtrapolationException,
    LookupException,
    TransformTree,
)

SECOND = 1_000_000_000


def transform(rotation_vector=(0.0, 0.0, 0.0), translation=(0.0, 0.0, 0.0)):
    T = np.eye(4)
    T[:3, :3] = Rotation.from_rotvec(rotation_vector).as_matrix()
    T[:3, 3] = translation
    return T


def random_transform(seed):
    rng = np.random.default_rng(seed)
    return transform(rng.uniform(-2.0, 2.0, 3), rng.uniform(-1.0, 1.0, 3))


@pytest.fixture
def tree():
    """map - base - (tool, camera); the base moves, the rest is static."""
    tree = TransformTree()
    tree.set_transform("map", "base", random_transform(1), 1 * SECOND)
    tree.set_transform("map", "base", random_transform(2), 3 * SECOND)
    tree.set_transform("base", "tool", random_transform(3), 0, static=True)
    tree.set_transform("base", "camera", random_transform(4), 0, static=True)
    return tree


def test_lookup_maps_points_of_source_to_target():
    tree = TransformTree()
    tree.set_transform("base", "tool", transform((0.0, 0.0, np.pi / 2), (1.0, 2.0, 3.0)), 0, static=True)
    # x of the tool points along y of the base.
    np.testing.assert_allclose(tree.lookup("base", "tool") @ [1, 0, 0, 1], [1, 3, 3, 1], atol=1e-12)


@given(st.permutations(["map", "base", "tool", "camera"]), st.integers(1 * SECOND, 3 * SECOND))
@settings(max_examples=30, deadline=None)
def test_lookups_compose_and_invert(frames, stamp_ns):
    tree = TransformTree()
    tree.set_transform("map", "base", random_transform(1), 1 * SECOND)
    tree.set_transform("map", "base", random_transform(2), 3 * SECOND)
    tree.set_transform("base", "tool", random_transform(3), 0, static=True)
    tree.set_transform("tool", "camera", random_transform(4), 0, static=True)
    a, b, c, _ = frames
    T_ab, T_bc, T_ac = (tree.lookup(*pair, stamp_ns) for pair in ((a, b), (b, c), (a, c)))
    np.testing.assert_allclose(T_ab @ T_bc, T_ac, atol=1e-9)
    np.testing.assert_allclose(T_ab @ tree.lookup(b, a, stamp_ns), np.eye(4), atol=1e-9)
    np.testing.assert_array_equal(tree.lookup(a, a, stamp_ns), np.eye(4))


def test_interpolates_position_linearly_and_rotation_along_the_shortest_turn():
    tree = TransformTree()
    tree.set_transform("base", "tool", transform((0, 0, 0.2), (0, 0, 0)), 0)
    tree.set_transform("base", "tool", transform((0, 0, 1.0), (4, 0, 0)), 4 * SECOND)
    expected = transform((0, 0, 0.4), (1, 0, 0))
    np.testing.assert_allclose(tree.lookup("base", "tool", 1 * SECOND), expected, atol=1e-12)


@given(st.floats(0.0, 1.0))
@settings(max_examples=20, deadline=None)
def test_interpolation_stays_rigid(share):
    tree = TransformTree()
    tree.set_transform("base", "tool", random_transform(5), 0)
    tree.set_transform("base", "tool", random_transform(6), SECOND)
    R = tree.lookup("base", "tool", round(share * SECOND))[:3, :3]
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(R) == pytest.approx(1.0)


def test_order_of_arrival_does_not_matter():
    forwards, backwards = TransformTree(), TransformTree()
    for tree, stamps in ((forwards, (0, 1, 2)), (backwards, (2, 0, 1))):
        for stamp in stamps:
            tree.set_transform("base", "tool", random_transform(stamp), stamp * SECOND)
    for stamp_ns in (0, SECOND // 2, SECOND, 2 * SECOND):
        np.testing.assert_array_equal(
            forwards.lookup("base", "tool", stamp_ns), backwards.lookup("base", "tool", stamp_ns)
        )


def test_same_stamp_replaces():
    tree = TransformTree()
    tree.set_transform("base", "tool", random_transform(0), SECOND)
    tree.set_transform("base", "tool", random_transform(1), SECOND)
    np.testing.assert_array_equal(tree.lookup("base", "tool", SECOND), random_transform(1))


def test_latest_is_the_newest_stamp_that_all_frames_have(tree):
    tree.set_transform("base", "wrist", random_transform(5), 2 * SECOND)
    assert tree.latest_common_stamp("map", "wrist") == 2 * SECOND
    np.testing.assert_array_equal(tree.lookup("map", "wrist"), tree.lookup("map", "wrist", 2 * SECOND))
    assert tree.latest_common_stamp("tool", "camera") == 0  # the moving base is above both


def test_static_transform_is_valid_at_any_time(tree):
    np.testing.assert_array_equal(
        tree.lookup("tool", "camera", 0), tree.lookup("tool", "camera", 999 * SECOND)
    )


def test_history_is_limited():
    tree = TransformTree(cache_s=2.0)
    for second in range(6):
        assert tree.set_transform("base", "tool", np.eye(4), second * SECOND)
    assert not tree.set_transform("base", "tool", np.eye(4), 2 * SECOND)
    tree.lookup("base", "tool", 3 * SECOND)
    with pytest.raises(ExtrapolationException, match=r"asked for at 2\.900 s, 0\.100 s before the oldest"):
        tree.lookup("base", "tool", 2_900_000_000)


def test_the_future_is_not_guessed(tree):
    with pytest.raises(ExtrapolationException, match=r"0\.500 s after the newest transform; ask within \[1"):
        tree.lookup("map", "tool", 3_500_000_000)


def test_unknown_frame_names_the_nearest(tree):
    with pytest.raises(LookupException, match="frame 'camra' does not exist; did you mean 'camera'"):
        tree.lookup("map", "camra")


def test_two_trees_are_not_connected(tree):
    tree.set_transform("world", "other", np.eye(4), 0, static=True)
    with pytest.raises(ConnectivityException, match=r"'other' \(root 'world'\) and 'tool' \(root 'map'\)"):
        tree.lookup("tool", "other")


@pytest.mark.parametrize("child", ["map", "base"])
def test_loop_is_refused(tree, child):
    with pytest.raises(ValueError, match="loop closes"):
        tree.set_transform("tool" if child == "map" else "base", child, np.eye(4), 0)


@pytest.mark.parametrize(
    "T", [np.full((4, 4), np.nan), np.diag([2.0, 1.0, 1.0, 1.0]), np.diag([-1.0, 1.0, 1.0, 1.0]), np.eye(3)]
)
def test_transform_that_is_not_rigid_is_refused(T):
    with pytest.raises(ValueError, match="'tool' in 'base' is not rigid"):
        TransformTree().set_transform("base", "tool", T, 0)


@pytest.mark.parametrize("cache_s", [0.0, -1.0, float("nan")])
def test_cache_must_be_positive(cache_s):
    with pytest.raises(ValueError, match="must be positive"):
        TransformTree(cache_s)


def test_new_parent_starts_a_new_history(tree):
    tree.set_transform("tool", "object", np.eye(4), 1 * SECOND)
    tree.set_transform("map", "object", np.eye(4), 2 * SECOND)
    np.testing.assert_array_equal(tree.lookup("map", "object"), np.eye(4))
    with pytest.raises(ExtrapolationException):
        tree.lookup("map", "object", 1 * SECOND)


def test_clear_keeps_static_transforms(tree):
    tree.clear()
    assert tree.frames() == ["base", "camera", "tool"]


def test_leading_slash_is_ignored(tree):
    np.testing.assert_array_equal(tree.lookup("/tool", "/camera"), tree.lookup("tool", "camera"))


def test_can_transform_waits_for_the_transform_to_come():
    tree = TransformTree()
    assert not tree.can_transform("base", "tool")
    comes = threading.Timer(0.05, tree.set_transform, ("base", "tool", np.eye(4), SECOND))
    comes.start()
    assert tree.can_transform("base", "tool", SECOND, timeout_s=10.0)
    comes.join()
    assert not tree.can_transform("base", "tool", 2 * SECOND, timeout_s=0.01)
