# SPDX-License-Identifier: Apache-2.0
"""Fish whose bodies bend in a wave that runs from head to tail, as the paper's do (VI, fish catching)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import trimesh

from anygrasp_perception.arrays import Float64Array, IntpArray
from anygrasp_training.objects import ConvexPart, ProceduralObject

__all__ = ["FishBody", "draw_fish", "fish_outline"]

_STATIONS = 40
_AROUND = 20
_DENSITY_KG_M3 = 1050.0
_HEAVIEST_STATION = 0.6  # of the length from the tail: where the centre of mass is and a hand would hold


@dataclass(frozen=True, eq=False)
class FishBody:
    """A body of elliptic sections along its spine; x to the head, z up, y sideways; metres.

    Its frame is that of the spine where the body is heaviest: what a gripper there holds moves with it,
    however head and tail swing.
    """

    length_m: float
    half_widths_m: Float64Array  # (S,) of the sections, from tail to head
    half_heights_m: Float64Array  # (S,)
    wave_amplitude_rad: float  # of the spine's direction at the tail
    wave_length: float  # in body lengths
    beat_hz: float
    color: tuple[float, float, float]

    @property
    def half_width_m(self) -> float:
        """How far the swimming body reaches to either side of its path."""
        swing = self.wave_amplitude_rad * self.length_m * _HEAVIEST_STATION / 2
        return float(self.half_widths_m.max() + swing)

    def spine(self, time_s: float) -> tuple[Float64Array, Float64Array]:
        """Return positions (S, 2) and directions (S,), radians, of the spine, in the body's frame."""
        s = np.linspace(0, 1, _STATIONS)
        # The tail swings most and the head hardly.
        amplitude = self.wave_amplitude_rad * (1 - 0.85 * s)
        direction = amplitude * np.sin(2 * np.pi * (s / self.wave_length + self.beat_hz * time_s))
        anchor = round(_HEAVIEST_STATION * (_STATIONS - 1))
        direction = direction - direction[anchor]
        step = self.length_m / (_STATIONS - 1)
        middle = (direction[1:] + direction[:-1]) / 2
        steps = step * np.stack([np.cos(middle), np.sin(middle)], axis=-1)
        positions = np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)])
        return positions - positions[anchor], direction

    def mesh(self, time_s: float) -> trimesh.Trimesh:
        """The closed surface at a time, in the body's frame."""
        positions, direction = self.spine(time_s)
        angle = np.arange(_AROUND) * 2 * np.pi / _AROUND
        side = self.half_widths_m[:, None] * np.cos(angle)  # (S, A) along the spine's normal
        up = self.half_heights_m[:, None] * np.sin(angle)
        x = positions[:, :1] - np.sin(direction)[:, None] * side
        y = positions[:, 1:] + np.cos(direction)[:, None] * side
        rings = np.stack([x, y, up], axis=-1).reshape(-1, 3)
        ends = np.column_stack([positions[[0, -1]], np.zeros(2)])
        return trimesh.Trimesh(np.concatenate([rings, ends]), _faces(), process=False)

    def at(self, time_s: float, name: str) -> ProceduralObject:
        """The bent body as an object of the scene; its parts are for looking, not for physics."""
        mesh = self.mesh(time_s)
        mesh.density = _DENSITY_KG_M3
        return ProceduralObject(
            name=name,
            family="fish",
            category="fish",
            mesh=mesh,
            parts=(ConvexPart(mesh, self.color),),
            mass_kg=float(mesh.mass),
            inertia_kg_m2=np.asarray(mesh.moment_inertia, dtype=np.float64),
            size_m=np.asarray(mesh.extents, dtype=np.float64),
        )


def draw_fish(rng: np.random.Generator) -> FishBody:
    """Draw a fish of 14 to 26 cm, tall and flat or round, that beats its tail 0.8 to 2.5 times a second."""
    length = float(rng.uniform(0.14, 0.26))
    half_widths, half_heights = fish_outline(length, rng.uniform(0.05, 0.085), rng.uniform(0.10, 0.16))
    hue = rng.uniform(0, 1)
    return FishBody(
        length_m=length,
        half_widths_m=half_widths,
        half_heights_m=half_heights,
        wave_amplitude_rad=float(rng.uniform(0.2, 0.5)),
        wave_length=float(rng.uniform(0.9, 1.4)),
        beat_hz=float(rng.uniform(0.8, 2.5)),
        color=(0.45 + 0.4 * hue, 0.45, 0.75 - 0.5 * hue),
    )


def fish_outline(length_m: float, half_width: float, half_height: float) -> tuple[Float64Array, Float64Array]:
    """Half widths and half heights (S,) in metres, from tail to head, given both as shares of the length."""
    s = np.linspace(0, 1, _STATIONS)
    # Thin before the tail fin, thickest at two thirds, blunt at the head.
    outline = np.sin(np.pi * np.clip(s, 0.06, 0.97) ** 1.3) ** 0.75
    fin = np.exp(-(((s - 0.02) / 0.07) ** 2))
    return (
        half_width * length_m * outline + 0.0015,
        half_height * length_m * outline + 0.11 * length_m * fin + 0.002,
    )


def _faces() -> IntpArray:
    """Triangles (T, 3) of the rings and of both ends, outwards."""
    index = np.arange(_STATIONS * _AROUND).reshape(_STATIONS, _AROUND)
    after = np.roll(index, -1, axis=1)
    a, b, c, d = index[:-1], after[:-1], after[1:], index[1:]
    walls = [np.stack([a, b, d], axis=-1), np.stack([b, c, d], axis=-1)]
    tail, head = _STATIONS * _AROUND, _STATIONS * _AROUND + 1
    tail_cap = np.stack([after[0], index[0], np.full(_AROUND, tail)], axis=-1)
    head_cap = np.stack([index[-1], after[-1], np.full(_AROUND, head)], axis=-1)
    faces: IntpArray = np.concatenate([wall.reshape(-1, 3) for wall in walls] + [tail_cap, head_cap])
    return faces
