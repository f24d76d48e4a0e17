# SPDX-License-Identifier: Apache-2.0
"""Draw docs/images/real_frames.png, grasps in real RealSense frames: python docs/draw_real_frames.py.

Reads ../shared/realdata beside the checkout; the frames themselves are not part of the project.
"""

import json
import tempfile
from pathlib import Path

import cv2
import numpy as np

from anygrasp_perception.arrays import Uint8Array
from anygrasp_perception.camera import RgbdFrame, load_rgbd
from anygrasp_perception.detector import DetectionRequest
from anygrasp_perception.detectors import create_detector
from anygrasp_perception.drawing import draw_grasps

ROOT = Path(__file__).resolve().parents[1]
REALDATA = ROOT.parent / "shared" / "realdata"
OUTPUT = ROOT / "docs" / "images" / "real_frames.png"
CLUTTER_CAMERA = {"fx": 927.17, "fy": 927.37, "cx": 651.32, "cy": 349.62, "width": 1280, "height": 720}
DRAWN = 12  # best grasps of each frame
COLUMNS = 4
TILE_WIDTH, TILE_HEIGHT = 250, 200
BORDER_PX = 70  # around the grasp centres, at 640 pixels
SHADES = 16  # a channel: keeps the PNG small


def main() -> None:
    if not REALDATA.is_dir():
        raise SystemExit(f"no real frames at {REALDATA}")
    tiles = [_tile(name, frame) for name, frame in _frames()]
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % COLUMNS)
    rows = [np.hstack(tiles[i : i + COLUMNS]) for i in range(0, len(tiles), COLUMNS)]
    OUTPUT.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(OUTPUT), np.vstack(rows)[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])
    print(f"wrote {OUTPUT}, {OUTPUT.stat().st_size / 1000:.0f} kB")


def _frames() -> list[tuple[str, RgbdFrame]]:
    folder = REALDATA / "single_objects"
    names = sorted(path.name.removesuffix("_color.png") for path in folder.glob("*_color.png"))
    frames = [
        (
            name,
            load_rgbd(
                folder / f"{name}_color.png",
                folder / f"{name}_depth_mm.png",
                folder / f"{name}_intrinsics.json",
            ),
        )
        for name in names
    ]
    clutter = REALDATA / "clutter"
    with tempfile.TemporaryDirectory() as temporary:
        camera = Path(temporary) / "clutter.json"
        camera.write_text(json.dumps(CLUTTER_CAMERA))
        frames.append(
            ("clutter", load_rgbd(clutter / "demo_color.png", clutter / "demo_depth_mm.png", camera))
        )
    return frames


def _tile(name: str, frame: RgbdFrame) -> Uint8Array:
    """The part of the image around the grasps, with the best of them drawn in, and a caption."""
    grasps = create_detector("geometric").detect(frame.cloud(), DetectionRequest()).grasps
    if frame.color is None:
        raise ValueError(f"{name} has no colour image")
    picture = draw_grasps(frame.color, grasps, frame.intrinsics, max_count=DRAWN)
    pixels = frame.intrinsics.project(grasps.translations)
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    width, height = high - low + 2 * BORDER_PX * picture.shape[1] / 640
    height = min(max(height, width * TILE_HEIGHT / TILE_WIDTH), picture.shape[0])
    size = np.array([height * TILE_WIDTH / TILE_HEIGHT, height]).astype(int)
    corner = np.clip(((low + high) / 2 - size / 2).astype(int), 0, np.array(picture.shape[1::-1]) - size)
    crop = picture[corner[1] : corner[1] + size[1], corner[0] : corner[0] + size[0]]
    tile = cv2.resize(crop, (TILE_WIDTH, TILE_HEIGHT), interpolation=cv2.INTER_AREA)
    step = 256 // SHADES
    tile = tile // step * step + step // 2
    caption = f"{name.replace('_', ' ')}: {len(grasps)} grasps"
    print(caption)
    cv2.rectangle(tile, (0, 0), (TILE_WIDTH, 20), (255, 255, 255), -1)
    cv2.putText(tile, caption, (6, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (40, 40, 40), 1, cv2.LINE_AA)
    return tile


if __name__ == "__main__":
    main()
