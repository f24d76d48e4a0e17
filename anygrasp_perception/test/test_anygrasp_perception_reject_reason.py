# SPDX-License-Identifier: Apache-2.0
import pytest

from anygrasp_perception.reject_reason import RejectCounts, RejectReason


def test_counts_add_up():
    counts = RejectCounts()
    counts.add(RejectReason.COLLISION, 3)
    counts.add(RejectReason.COLLISION, 2)
    counts.add(RejectReason.DUPLICATE, 7)
    counts.add(RejectReason.TOO_WIDE, 0)
    assert counts[RejectReason.COLLISION] == 5
    assert counts[RejectReason.LOW_SCORE] == 0
    assert counts.total == 12
    assert counts.as_dict() == {"collision": 5, "duplicate": 7}
    assert counts.summary() == "7 duplicate, 5 collision"


def test_update_adds_the_other():
    one, other = RejectCounts(), RejectCounts()
    one.add(RejectReason.COLLISION, 1)
    other.add(RejectReason.COLLISION, 2)
    other.add(RejectReason.RANKED_OUT, 4)
    one.update(other)
    assert one.as_dict() == {"collision": 3, "ranked_out": 4}


def test_nothing_rejected():
    assert RejectCounts().summary() == "none rejected"
    assert RejectCounts().as_dict() == {}
    assert RejectCounts().total == 0


def test_reason_may_be_given_by_value():
    counts = RejectCounts()
    counts.add("collision", 1)
    assert counts[RejectReason.COLLISION] == 1


def test_negative_count_is_refused():
    with pytest.raises(ValueError, match="count for collision must be >= 0"):
        RejectCounts().add(RejectReason.COLLISION, -1)


def test_unknown_reason_is_refused():
    with pytest.raises(ValueError, match="'bad_luck' is not a valid RejectReason"):
        RejectCounts().add("bad_luck", 1)
