# SPDX-License-Identifier: Apache-2.0
"""FramePairing: partners meet by stamp, the newest pair wins, every drop is counted."""

import threading

import pytest

from anygrasp_perception.frame_pairing import FramePairing

MS = 1_000_000


def test_equal_stamps_make_a_pair_in_either_order():
    pairing = FramePairing()
    pairing.add_color(10 * MS, "color")
    pairing.add_depth(10 * MS, "depth")
    pairing.add_depth(50 * MS, "depth 2")
    pairing.add_color(50 * MS, "color 2")
    pair = pairing.wait(0, timeout_s=0)
    assert (pair.color, pair.depth, pair.stamp_ns) == ("color 2", "depth 2", 50 * MS)


def test_stamps_further_apart_than_the_tolerance_do_not_pair():
    pairing = FramePairing(tolerance_s=0.005)
    pairing.add_color(0, "color")
    pairing.add_depth(6 * MS, "depth")
    assert pairing.wait(-1, timeout_s=0) is None


def test_pair_carries_the_stamp_of_the_depth_image():
    pairing = FramePairing(tolerance_s=0.005)
    pairing.add_depth(14 * MS, "depth")
    pairing.add_color(10 * MS, "color")
    assert pairing.wait(0, timeout_s=0).stamp_ns == 14 * MS


def test_wait_skips_pairs_that_are_not_newer():
    pairing = FramePairing()
    pairing.add_color(10 * MS, "color")
    pairing.add_depth(10 * MS, "depth")
    assert pairing.wait(10 * MS, timeout_s=0) is None
    assert pairing.wait(10 * MS - 1, timeout_s=0) is not None


def test_pairs_nobody_read_and_images_without_partner_are_counted():
    pairing = FramePairing()
    for stamp_ms in (100, 200, 300):
        pairing.add_color(stamp_ms * MS, "color")
        pairing.add_depth(stamp_ms * MS, "depth")
    pairing.add_color(400 * MS, "lonely")
    pairing.add_color(500 * MS, "color")
    pairing.add_depth(500 * MS, "depth")
    pairing.add_color(100 * MS, "late")
    assert pairing.drops() == {"superseded": 3, "unpaired": 1, "out_of_order": 1}


def test_stamps_that_jump_back_begin_anew_instead_of_being_late_for_ever():
    pairing = FramePairing()
    for stamp_s in (3600, 10, 11):  # the first from a clock an hour ahead
        pairing.add_color(stamp_s * 1000 * MS, f"color {stamp_s}")
        pairing.add_depth(stamp_s * 1000 * MS, f"depth {stamp_s}")
    assert pairing.newest_ns == 11_000 * MS
    assert pairing.wait(10_500 * MS, timeout_s=0).color == "color 11"
    assert pairing.drops()["jumped_back"] == 1
    pairing.add_color(10_500 * MS, "half a second late")
    assert pairing.drops()["out_of_order"] == 1


def test_one_silent_stream_does_not_grow_memory():
    pairing = FramePairing(capacity=4)
    for stamp_ms in range(100):
        pairing.add_color(stamp_ms * 100 * MS, "color")
    assert pairing.drops() == {"unpaired": 96}


def test_waiting_reader_wakes_for_a_new_pair():
    pairing = FramePairing()
    found = []
    reader = threading.Thread(target=lambda: found.append(pairing.wait(0, timeout_s=10)))
    reader.start()
    pairing.add_color(MS, "color")
    pairing.add_depth(MS, "depth")
    reader.join(timeout=10)
    assert found[0].color == "color"


def test_close_wakes_waiting_readers():
    pairing = FramePairing()
    found = []
    reader = threading.Thread(target=lambda: found.append(pairing.wait(0, timeout_s=60)))
    reader.start()
    pairing.close()
    reader.join(timeout=10)
    assert found == [None]


def test_negative_tolerance_is_refused():
    with pytest.raises(ValueError, match="tolerance_s"):
        FramePairing(tolerance_s=-1)


def test_capacity_below_one_is_refused():
    with pytest.raises(ValueError, match="capacity"):
        FramePairing(capacity=0)


def test_an_unread_pair_is_given_once_whatever_its_stamp():
    pairing = FramePairing()
    assert pairing.wait_unread(timeout_s=0) is None
    pairing.add_color(0, "color")
    pairing.add_depth(0, "depth")
    assert pairing.wait_unread(timeout_s=0).stamp_ns == 0
    assert pairing.wait_unread(timeout_s=0) is None
    pairing.close()
    pairing.add_color(10 * MS, "color")
    pairing.add_depth(10 * MS, "depth")
    assert pairing.wait_unread(timeout_s=0) is None
