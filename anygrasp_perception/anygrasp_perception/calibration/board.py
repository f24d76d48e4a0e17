# SPDX-License-Identifier: Apache-2.0
"""A printed board, ChArUco or a grid of ArUco markers: its points, and finding them in an image."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from anygrasp_perception.arrays import Float64Array, IntpArray, Uint8Array

__all__ = ["DICTIONARIES", "Board", "BoardConfig", "BoardCorners", "BoardKind"]

DICTIONARIES = (
    *(f"DICT_{bits}X{bits}_{count}" for bits in (4, 5, 6, 7) for count in (50, 100, 250, 1000)),
    "DICT_ARUCO_ORIGINAL",
)
_LEAST_CORNERS = 8  # fewer, or all on a line, give no pose worth having


class BoardKind(str, Enum):
    """What is printed: a chessboard with markers in its white squares, or markers alone."""

    CHARUCO = "charuco"
    ARUCO_GRID = "aruco_grid"


@dataclass(frozen=True)
class BoardConfig:
    """A board that fits on A4; raises ValueError on sizes that cannot be printed.

    The board frame has its origin at the outer corner of the first square, x along the columns, y along the
    rows, z into the paper.
    """

    kind: BoardKind = BoardKind.CHARUCO
    columns: int = 9  # squares along x; markers for a grid
    rows: int = 6  # squares along y
    square_m: float = 0.028  # side of a square; for a grid the distance from one marker to the next
    marker_m: float = 0.021  # side of a marker, black border included
    dictionary: str = "DICT_5X5_100"

    def __post_init__(self) -> None:
        if min(self.columns, self.rows) < 3:
            raise ValueError(f"a board of {self.columns}x{self.rows} squares is too small; give at least 3x3")
        if not 0.005 <= self.square_m <= 0.5:
            raise ValueError(f"square_m is {self.square_m}; give metres, from 0.005 to 0.5 (28 mm is 0.028)")
        if not 0.2 * self.square_m <= self.marker_m <= 0.95 * self.square_m:
            raise ValueError(
                f"marker_m is {self.marker_m}; it must be 0.2 to 0.95 of square_m, which is {self.square_m}"
            )
        if self.dictionary not in DICTIONARIES:
            raise ValueError(f"unknown dictionary {self.dictionary!r}; known: {', '.join(DICTIONARIES)}")
        available = len(_dictionary(self.dictionary).bytesList)
        if self.marker_count > available:
            raise ValueError(
                f"the board has {self.marker_count} markers, {self.dictionary} only {available}; take a "
                "larger one"
            )

    @property
    def marker_count(self) -> int:
        """Markers on the board."""
        squares = self.columns * self.rows
        return squares if self.kind is BoardKind.ARUCO_GRID else squares // 2

    @property
    def size_m(self) -> tuple[float, float]:
        """Width and height of what is printed."""
        gap = self.square_m - self.marker_m if self.kind is BoardKind.ARUCO_GRID else 0.0
        return self.columns * self.square_m - gap, self.rows * self.square_m - gap

    def describe(self) -> str:
        """One line with all sizes."""
        return (
            f"{self.kind.value} {self.columns}x{self.rows}, squares {self.square_m * 1e3:g} mm, "
            f"markers {self.marker_m * 1e3:g} mm, {self.dictionary}"
        )


@dataclass(frozen=True, eq=False)
class BoardCorners:
    """The points of a board found in one image."""

    ids: IntpArray  # (N,) into Board.points_m
    pixels: Float64Array  # (N, 2) x, y; pixel centres at whole numbers

    def __len__(self) -> int:
        return len(self.ids)


class Board:
    """Points of a board and how to find them."""

    def __init__(self, config: BoardConfig) -> None:
        self.config = config

    @cached_property
    def points_m(self) -> Float64Array:
        """(P, 3) all points in the board frame: inner chessboard corners, or four corners a marker."""
        if self.config.kind is BoardKind.CHARUCO:
            return np.asarray(self.opencv.getChessboardCorners(), dtype=np.float64)
        return np.asarray(self.opencv.getObjPoints(), dtype=np.float64).reshape(-1, 3)

    @property
    def center_m(self) -> Float64Array:
        """(3,) middle of the board in its frame."""
        width, height = self.config.size_m
        return np.array([width / 2, height / 2, 0.0])

    @cached_property
    def opencv(self) -> Any:
        """The board as OpenCV has it."""
        config, dictionary = self.config, _dictionary(self.config.dictionary)
        size = (config.columns, config.rows)
        if config.kind is BoardKind.CHARUCO:
            return cv2.aruco.CharucoBoard(size, config.square_m, config.marker_m, dictionary)
        return cv2.aruco.GridBoard(size, config.marker_m, config.square_m - config.marker_m, dictionary)

    def find(self, image: NDArray[np.uint8]) -> BoardCorners | None:
        """Return the points seen in an (H, W) or (H, W, 3) image, or None with too few for a pose."""
        corners = (
            self._find_charuco(image) if self.config.kind is BoardKind.CHARUCO else self._find_grid(image)
        )
        if corners is None or len(corners) < _LEAST_CORNERS:
            return None
        spread = np.linalg.svd(self.points_m[corners.ids] - self.points_m[corners.ids].mean(0))[1]
        return corners if spread[1] > 0.2 * self.config.square_m else None

    def find_markers(self, image: NDArray[np.uint8], dictionary: str = "") -> IntpArray:
        """Return the ids of all markers of a dictionary (of the board's own) in an image."""
        detector = cv2.aruco.ArucoDetector(_dictionary(dictionary or self.config.dictionary))
        _, ids, _ = detector.detectMarkers(_gray(image))
        return np.zeros(0, np.intp) if ids is None else np.asarray(ids).ravel().astype(np.intp)

    def _find_charuco(self, image: NDArray[np.uint8]) -> BoardCorners | None:
        pixels, ids, _, _ = cv2.aruco.CharucoDetector(self.opencv).detectBoard(_gray(image))
        if ids is None or len(ids) == 0:
            return None
        return BoardCorners(np.asarray(ids).ravel().astype(np.intp), _as_pixels(pixels))

    def _find_grid(self, image: NDArray[np.uint8]) -> BoardCorners | None:
        parameters = cv2.aruco.DetectorParameters()
        parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
        # Measured on rendered boards: 0.19 px of noise so, 0.56 px with OpenCV's defaults.
        parameters.cornerRefinementWinSize, parameters.relativeCornerRefinmentWinSize = 3, 1.0
        detector = cv2.aruco.ArucoDetector(_dictionary(self.config.dictionary), parameters)
        pixels, ids, _ = detector.detectMarkers(_gray(image))
        if ids is None:
            return None
        known = [i for i, marker in enumerate(ids.ravel()) if marker < self.config.marker_count]
        if not known:
            return None
        markers = np.asarray(ids).ravel()[known].astype(np.intp)
        point_ids = (4 * markers[:, None] + np.arange(4)).ravel()
        return BoardCorners(point_ids, _as_pixels([pixels[i] for i in known]))


def _as_pixels(pixels: Any) -> Float64Array:
    return np.asarray(pixels, dtype=np.float64).reshape(-1, 2)


def _dictionary(name: str) -> Any:
    return cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, name))


def _gray(image: NDArray[np.uint8]) -> Uint8Array:
    gray = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return np.ascontiguousarray(gray)
