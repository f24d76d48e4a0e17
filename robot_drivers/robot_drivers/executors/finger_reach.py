# SPDX-License-Identifier: Apache-2.0
"""How far the fingertips of a linkage gripper reach at an opening: they swing forward as they close."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["FingerReach"]


@dataclass(frozen=True)
class FingerReach:
    """Each fingertip moves on an arc, the finger staying parallel to itself.

    The defaults are those of the Robotiq 2F-85, whose tips are 13 mm further out when closed than when open.

    Raises:
        ValueError: a negative value.
    """

    link_m: float = 0.0575  # radius of the arc; 0: fingers that slide straight towards each other
    upright_width_m: float = 0.0105  # opening at which the fingertips are furthest out
    tcp_width_m: float = 0.0  # opening at which the TCP lies between the fingertips

    def __post_init__(self) -> None:
        for name in ("link_m", "upright_width_m", "tcp_width_m"):
            if not getattr(self, name) >= 0.0:
                raise ValueError(f"{name} is {getattr(self, name)}; use 0 or more")

    def short_m(self, width_m: float) -> float:
        """How far the tips at this opening stay behind the furthest that they reach."""
        sideways_m = min(abs(width_m - self.upright_width_m) / 2.0, self.link_m)
        return self.link_m - math.sqrt(self.link_m**2 - sideways_m**2)

    def beyond_tcp_m(self, width_m: float) -> float:
        """How far the tips at this opening are ahead of the TCP; negative behind it."""
        return self.short_m(self.tcp_width_m) - self.short_m(width_m)
