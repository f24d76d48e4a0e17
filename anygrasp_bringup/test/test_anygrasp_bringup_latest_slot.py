# SPDX-License-Identifier: Apache-2.0
import threading

from anygrasp_bringup.latest_slot import LatestSlot


def test_latest_wins_and_drops_are_counted():
    slot = LatestSlot[int]()
    for item in (1, 2, 3):
        slot.put(item)
    assert slot.take() == 3
    assert slot.dropped == 2


def test_taken_item_is_gone():
    slot = LatestSlot[int]()
    slot.put(1)
    slot.take()
    assert slot.take(timeout_s=0.01) is None
    assert not slot.closed


def test_take_waits_for_an_item_of_another_thread():
    slot = LatestSlot[str]()
    putter = threading.Timer(0.05, slot.put, ("frame",))
    putter.start()
    assert slot.take(timeout_s=10.0) == "frame"
    putter.join()


def test_close_wakes_a_waiting_taker():
    slot = LatestSlot[str]()
    taken = []
    taker = threading.Thread(target=lambda: taken.append(slot.take()))
    taker.start()
    slot.close()
    taker.join(timeout=10.0)
    assert taken == [None]
    assert slot.closed


def test_put_after_close_is_ignored():
    slot = LatestSlot[str]()
    slot.close()
    slot.put("late")
    assert slot.take(timeout_s=0.0) is None
    assert slot.dropped == 0
