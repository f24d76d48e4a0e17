# SPDX-License-Identifier: Apache-2.0
"""Colour, texture and infrared reflectance of surfaces, as functions of the place on the body."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anygrasp_perception.arrays import Float32Array, Float64Array

__all__ = ["FinishTable", "SurfaceFinish", "draw_finish", "plain_finish"]

_WAVES = 5
_NO_PRINT = 1e3  # a level that the pattern never reaches
_PRINT_EDGE = 8.0  # how sharply printed areas end, per unit of the pattern


@dataclass(frozen=True, eq=False)
class SurfaceFinish:
    """Two colours mixed by a smooth pattern fixed to the body, and what infrared light meets.

    The pattern is a sum of cosines: everywhere defined, seamless, and the same from every camera.
    """

    color: Float64Array  # (3,) in [0, 1]
    second_color: Float64Array  # (3,)
    mottle: float  # share of brightness that varies smoothly
    print_level: float  # areas where the pattern exceeds this carry the second colour; large: none
    wave_vectors: Float64Array  # (5, 3) rad/m
    phases: Float64Array  # (5,) rad
    infrared_albedo: float  # in [0, 1]
    specular: float  # in [0, 1], visible and infrared alike


def draw_finish(
    color: Sequence[float] | NDArray[np.float64], rng: np.random.Generator, *, metallic: bool = False
) -> SurfaceFinish:
    """Draw texture and infrared properties for a body of mean `color` (3,) in [0, 1]."""
    base = np.clip(np.asarray(color, dtype=np.float64) * rng.uniform(0.8, 1.2, size=3), 0.02, 0.98)
    printed = rng.random() < 0.45
    direction = rng.normal(size=(_WAVES, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    wavelength_m = rng.uniform(0.012, 0.08) * 2.0 ** rng.uniform(-1, 1, size=(_WAVES, 1))
    brightness = float(base @ (0.30, 0.59, 0.11))
    return SurfaceFinish(
        color=base,
        second_color=rng.uniform(0.05, 0.95, size=3),
        mottle=rng.uniform(0.02, 0.18),
        print_level=rng.uniform(0.2, 1.2) if printed else _NO_PRINT,
        wave_vectors=2 * np.pi / wavelength_m * direction,
        phases=rng.uniform(0, 2 * np.pi, size=_WAVES),
        # What is dark to the eye may be bright in infrared and the other way round.
        infrared_albedo=float(np.clip(0.15 + 0.6 * brightness + rng.normal(0, 0.15), 0.04, 0.95)),
        specular=float(rng.uniform(0.3, 0.6) if metallic else rng.uniform(0.0, 0.12)),
    )


def plain_finish(color: Sequence[float] | NDArray[np.float64]) -> SurfaceFinish:
    """Return a dull finish of one `color` (3,), for pictures that should show shapes."""
    return SurfaceFinish(
        color=np.asarray(color, dtype=np.float64),
        second_color=np.zeros(3),
        mottle=0.0,
        print_level=_NO_PRINT,
        wave_vectors=np.zeros((_WAVES, 3)),
        phases=np.zeros(_WAVES),
        infrared_albedo=0.5,
        specular=0.05,
    )


class FinishTable:
    """The finishes of all surfaces of a scene, looked up for many pixels at once."""

    def __init__(self, finishes: Sequence[SurfaceFinish], T_body_scene: Float64Array) -> None:
        """`T_body_scene` (S, 4, 4) places the scene in the frames of the bodies the textures stick to."""
        self._color = np.array([f.color for f in finishes], dtype=np.float32)
        self._second = np.array([f.second_color for f in finishes], dtype=np.float32)
        self._mottle = np.array([f.mottle for f in finishes], dtype=np.float32)
        self._print_level = np.array([f.print_level for f in finishes], dtype=np.float32)
        waves = np.array([f.wave_vectors for f in finishes])  # (S, 5, 3)
        phases = np.array([f.phases for f in finishes])
        # k . (R p + t) + phase, so that points need not be brought into the bodies' frames.
        self._waves = (waves @ T_body_scene[:, :3, :3]).astype(np.float32)
        self._phases = (np.einsum("swi,si->sw", waves, T_body_scene[:, :3, 3]) + phases).astype(np.float32)
        self._infrared = np.array([f.infrared_albedo for f in finishes], dtype=np.float32)
        self._specular = np.array([f.specular for f in finishes], dtype=np.float32)

    def shade(
        self, surfaces: NDArray[np.integer], points: Float32Array
    ) -> tuple[Float32Array, Float32Array, Float32Array]:
        """Return colours (N, 3), infrared albedo and specular share (N,), in [0, 1], at points (N, 3)."""
        pattern = np.empty(len(surfaces), dtype=np.float32)
        order = np.argsort(surfaces, kind="stable")
        starts = np.flatnonzero(np.diff(surfaces[order], prepend=-1))
        for group in np.split(order, starts[1:]) if len(order) else []:
            surface = surfaces[group[0]]
            waves = points[group] @ self._waves[surface].T
            waves += self._phases[surface]
            pattern[group] = np.cos(waves, out=waves).sum(axis=1)
        pattern *= np.float32(np.sqrt(2 / _WAVES))  # unit variance
        gain = np.clip(1 + self._mottle[surfaces] * pattern, 0.3, 1.7)
        printed = np.clip((pattern - self._print_level[surfaces]) * _PRINT_EDGE, 0, 1)[:, None]
        colors = self._color[surfaces]
        colors += printed * (self._second[surfaces] - colors)
        colors *= gain[:, None]
        infrared = np.minimum(self._infrared[surfaces] * gain, 1)
        return np.minimum(colors, 1), infrared, self._specular[surfaces]
