# SPDX-License-Identifier: Apache-2.0
"""The kinds of robot fish in the tank: size, shape, colour and way of swimming (paper, Fig. 10 a)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from anygrasp_training.sequences.fish import FishBody, fish_outline

__all__ = ["KINDS", "FishKind", "choose_kinds"]


@dataclass(frozen=True)
class FishKind:
    """One model of robot fish; several of the same look alike."""

    name: str
    length_m: float
    half_width: float  # of the body, as a share of the length
    half_height: float
    color: tuple[float, float, float]  # RGB in [0, 1]
    speed_m_s: tuple[float, float]  # slowest and fastest it swims
    beat_hz: float  # of the tail, at its fastest
    swing_rad: float  # of the tail to either side

    def body(self) -> FishBody:
        """Its straight body."""
        half_widths, half_heights = fish_outline(self.length_m, self.half_width, self.half_height)
        return FishBody(
            length_m=self.length_m,
            half_widths_m=half_widths,
            half_heights_m=half_heights,
            wave_amplitude_rad=0.0,
            wave_length=1.0,
            beat_hz=0.0,
            color=self.color,
        )


KINDS: dict[str, FishKind] = {
    kind.name: kind
    for kind in (
        FishKind("clownfish", 0.10, 0.105, 0.190, (0.93, 0.45, 0.10), (0.015, 0.045), 3.0, 0.35),
        FishKind("carp", 0.14, 0.090, 0.140, (0.82, 0.20, 0.16), (0.020, 0.055), 2.2, 0.40),
        FishKind("tang", 0.11, 0.085, 0.230, (0.16, 0.30, 0.80), (0.020, 0.060), 2.8, 0.30),
        FishKind("shark", 0.16, 0.075, 0.095, (0.55, 0.58, 0.62), (0.030, 0.075), 1.8, 0.45),
        FishKind("tuna", 0.13, 0.095, 0.125, (0.90, 0.82, 0.25), (0.030, 0.070), 2.5, 0.35),
    )
}


def choose_kinds(count: int, names: Sequence[str] = ()) -> list[FishKind]:
    """`count` kinds, one after the other and again from the start.

    Raises:
        ValueError: an unknown name; the message lists the known ones.
    """
    for name in names:
        if name not in KINDS:
            raise ValueError(f"no kind of fish is called {name!r}; choose from {', '.join(KINDS)}")
    chosen = [KINDS[name] for name in names] or list(KINDS.values())
    return [chosen[i % len(chosen)] for i in range(count)]
