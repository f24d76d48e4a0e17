# SPDX-License-Identifier: Apache-2.0
"""Why a grasp candidate was dropped, and how many were dropped for each reason."""

from collections import Counter
from enum import Enum

__all__ = ["RejectCounts", "RejectReason"]


class RejectReason(str, Enum):
    """One reason for each dropped candidate; the value is what messages and reports carry."""

    OUT_OF_RANGE = "out_of_range"  # nearer to the camera or farther from it than the detector can judge
    NO_CONTACT = "no_contact"  # a finger would close on nothing
    TOO_WIDE = "too_wide"  # the object is wider than the gripper opens
    NOT_ANTIPODAL = "not_antipodal"  # the contacts would slip at any sensible friction
    LOW_SCORE = "low_score"  # below the detector's score limit
    COLLISION = "collision"  # fingers, palm or approach path run into the scene
    EMPTY_CLOSING_REGION = "empty_closing_region"  # too few points between the fingers
    OFF_TARGET = "off_target"  # most points between the fingers are off the requested mask
    OUTSIDE_REGION = "outside_region"  # grasp centre outside the requested box
    APPROACH_DIRECTION = "approach_direction"  # approach outside the requested cone
    DUPLICATE = "duplicate"  # a better grasp lies within the suppression distance
    RANKED_OUT = "ranked_out"  # good enough, but below the best that were asked for


class RejectCounts:
    """Counts of dropped candidates by reason ("why no grasp")."""

    def __init__(self) -> None:
        self._counts: Counter[RejectReason] = Counter()

    def add(self, reason: RejectReason, count: int) -> None:
        """Count `count` more candidates dropped for `reason`; raises ValueError when negative."""
        if count < 0:
            raise ValueError(f"count for {reason.value} must be >= 0, got {count}")
        self._counts[RejectReason(reason)] += int(count)

    def update(self, other: "RejectCounts") -> None:
        """Add all counts of `other`."""
        self._counts.update(other._counts)

    def __getitem__(self, reason: RejectReason) -> int:
        return self._counts[reason]

    @property
    def total(self) -> int:
        """Number of candidates dropped for any reason."""
        return self._counts.total()

    def as_dict(self) -> dict[str, int]:
        """Return the non-zero counts by reason value, in the order of `RejectReason`."""
        return {reason.value: self._counts[reason] for reason in RejectReason if self._counts[reason]}

    def summary(self) -> str:
        """Return one line, most frequent reason first, such as "31 collision, 4 duplicate"."""
        counts = [(count, reason) for reason, count in self.as_dict().items()]
        counts.sort(key=lambda item: -item[0])
        return ", ".join(f"{count} {reason}" for count, reason in counts) or "none rejected"

    def __repr__(self) -> str:
        return f"RejectCounts({self.summary()})"
