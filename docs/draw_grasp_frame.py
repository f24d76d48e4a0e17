# SPDX-License-Identifier: Apache-2.0
"""Draw docs/images/grasp_frame.png, the picture of the grasp frame: python docs/draw_grasp_frame.py."""

from pathlib import Path

import cv2
import numpy as np

from anygrasp_perception.arrays import Float64Array, Uint8Array
from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_perception.gripper import GripperGeometry
from anygrasp_perception.se3 import make_transform, transform_points

OUTPUT = Path(__file__).parent / "images" / "grasp_frame.png"
SCALE = 3  # drawn larger, then shrunk: smooth edges and text
WIDTH, HEIGHT = 900, 720

WIDTH_M, DEPTH_M = 0.07, 0.02
GRIPPER = GripperGeometry(base_length_m=0.02)
OBJECT_HALF_M = np.array([0.022, 0.02, 0.014])  # a block around the grasp centre

EYE = np.array([-0.135, 0.115, 0.33])  # in the grasp frame: in front of the fingers, a little above
RED, GREEN, BLUE, INK = (200, 40, 40), (30, 140, 50), (40, 70, 200), (50, 50, 50)
STEEL, WOOD = (165, 175, 190), (236, 200, 140)


def main() -> None:
    canvas = np.full((HEIGHT * SCALE, WIDTH * SCALE, 3), 255, dtype=np.uint8)
    view = _View(canvas)
    block = np.stack([-OBJECT_HALF_M, OBJECT_HALF_M]) + np.array([0.008, 0.0, 0.0])
    left, right, base = GRIPPER.boxes(WIDTH_M, DEPTH_M)
    # Painter's order: no box hides one that is drawn after it.
    for corners, color in ((right, STEEL), (block, WOOD), (left, STEEL), (base, STEEL)):
        view.box(corners, color)

    view.axis((0.045, 0.0, 0.0), RED, "x  approach", (14, 4))
    view.axis((0.0, 0.066, 0.0), GREEN, "y  closing", (2, -16))
    view.axis((0.0, 0.0, 0.055), BLUE, "z", (-22, 6))
    view.dot((0.0, 0.0, 0.0), "origin", (14, -12))

    half, front = WIDTH_M / 2, GRIPPER.finger_height_m / 2
    outer = half + GRIPPER.finger_thickness_m
    below = DEPTH_M + 0.034
    view.dimension((below, -half, front), (below, half, front), "width", (-90, 22))
    for y in (-half, half):
        view.line((DEPTH_M, y, front), (below + 0.003, y, front), INK, 1)
    side = -outer - 0.014
    view.dimension((0.0, side, front), (DEPTH_M, side, front), "depth", (-70, 8))
    view.line((0.0, side - 0.003, front), (0.0, 0.0, front), INK, 1)
    view.line((0.0, 0.0, front), (0.0, 0.0, 0.0), INK, 1)
    view.line((DEPTH_M, side - 0.003, front), (DEPTH_M, -half, front), INK, 1)
    tip = DEPTH_M + 0.006
    view.dimension((tip, outer, -front), (tip, outer, front), "height", (12, 24))

    picture = cv2.resize(canvas, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    OUTPUT.parent.mkdir(exist_ok=True)
    if not cv2.imwrite(str(OUTPUT), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)):
        raise OSError(f"could not write {OUTPUT}")
    print(f"wrote {OUTPUT}")


class _View:
    """Draws in grasp-frame coordinates onto a canvas."""

    def __init__(self, canvas: Uint8Array) -> None:
        self._canvas = canvas
        height, width = canvas.shape[:2]
        self._intrinsics = CameraIntrinsics(
            2.1 * width, 2.1 * width, 0.47 * width, 0.52 * height, width, height
        )
        # The approach points down in the picture.
        z = -EYE / np.linalg.norm(EYE)
        x = np.cross((1.0, 0.0, 0.0), z)
        x /= np.linalg.norm(x)
        R_camera_grasp = np.stack([x, np.cross(z, x), z])
        self._T_camera_grasp = make_transform(R_camera_grasp, -R_camera_grasp @ EYE)

    def pixels(self, points: Float64Array) -> list[tuple[int, int]]:
        pixels = self._intrinsics.project(transform_points(self._T_camera_grasp, points))
        return [(round(u), round(v)) for u, v in pixels]

    def box(self, corners: Float64Array, color: tuple[int, int, int]) -> None:
        middle, half = corners.mean(axis=0), np.ptp(corners, axis=0) / 2
        for axis in range(3):
            normal = np.zeros(3)
            normal[axis] = np.sign(EYE[axis] - middle[axis])
            u, v = np.eye(3)[[i for i in range(3) if i != axis]]
            signs = ((-1, -1), (-1, 1), (1, 1), (1, -1))
            face = np.array([middle + half * (normal + a * u + b * v) for a, b in signs])
            shade = (0.8, 0.9, 1.0)[axis]
            polygon = np.array(self.pixels(face), dtype=np.int32)
            cv2.fillPoly(self._canvas, [polygon], tuple(shade * c for c in color), cv2.LINE_AA)
            cv2.polylines(self._canvas, [polygon], True, INK, SCALE, cv2.LINE_AA)

    def line(
        self, start: tuple[float, ...], end: tuple[float, ...], color: tuple[int, int, int], width: int
    ) -> None:
        a, b = self.pixels(np.array([start, end]))
        cv2.line(self._canvas, a, b, color, width * SCALE, cv2.LINE_AA)

    def axis(
        self, end: tuple[float, ...], color: tuple[int, int, int], name: str, shift: tuple[int, int]
    ) -> None:
        start, stop = self.pixels(np.array([(0.0, 0.0, 0.0), end]))
        self._arrow(start, stop, color, 4, 22)
        self._text(name, stop, shift, color)

    def dot(self, point: tuple[float, ...], name: str, shift: tuple[int, int]) -> None:
        (pixel,) = self.pixels(np.array([point]))
        cv2.circle(self._canvas, pixel, 7 * SCALE, INK, -1, cv2.LINE_AA)
        self._text(name, pixel, shift, INK)

    def dimension(
        self, start: tuple[float, ...], end: tuple[float, ...], name: str, shift: tuple[int, int]
    ) -> None:
        a, b = self.pixels(np.array([start, end]))
        self._arrow(a, b, INK, 2, 12)
        self._arrow(b, a, INK, 2, 12)
        self._text(name, ((a[0] + b[0]) // 2, (a[1] + b[1]) // 2), shift, INK)

    def _arrow(
        self, tail: tuple[int, int], head: tuple[int, int], color: tuple[int, int, int], width: int, tip: int
    ) -> None:
        length = float(np.hypot(head[0] - tail[0], head[1] - tail[1]))
        cv2.arrowedLine(
            self._canvas, tail, head, color, width * SCALE, cv2.LINE_AA, tipLength=tip * SCALE / length
        )

    def _text(
        self, text: str, pixel: tuple[int, int], shift: tuple[int, int], color: tuple[int, int, int]
    ) -> None:
        place = (pixel[0] + shift[0] * SCALE, pixel[1] + shift[1] * SCALE)
        cv2.putText(
            self._canvas, text, place, cv2.FONT_HERSHEY_DUPLEX, 0.75 * SCALE, color, SCALE, cv2.LINE_AA
        )


if __name__ == "__main__":
    main()
