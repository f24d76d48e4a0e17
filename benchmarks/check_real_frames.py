# SPDX-License-Identifier: Apache-2.0
"""Runs the detectors on real depth-camera frames and checks the grasps by means of its own.

Nothing here uses the detector's voxels, planes or collision code: the table is fitted to the raw points,
objects are what stands on it, and the gripper's boxes are tested against every measured point.

    .venv/bin/python benchmarks/check_real_frames.py --out docs/results
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from machine import describe_machine
from scipy import ndimage

from anygrasp_perception.camera import RgbdFrame, depth_to_points, load_rgbd
from anygrasp_perception.detector import DetectionRequest
from anygrasp_perception.drawing import draw_grasps
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.gripper import ROBOTIQ_2F85
from anygrasp_perception.network.voxel_cloud import voxelise
from anygrasp_perception.network_detector import NetworkDetector

ROOT = Path(__file__).resolve().parents[1]
REALDATA = ROOT.parent / "shared" / "realdata"
CLUTTER_CAMERA = {"fx": 927.17, "fy": 927.37, "cx": 651.32, "cy": 349.62, "width": 1280, "height": 720}
TOP = 50
TABLE_M = 0.006  # of the fitted plane: table
STANDING_M = 0.015  # above it: object
STEP_M = 0.015  # of depth between neighbouring pixels: another object
CUT_SHARE = 0.5  # of its longer side in the image that lies on the image's border: cut off, no object seen
LEAST_PIXELS = 1500  # of an object at 640 x 480, 3 cm square at half a metre
SKIN_M = 0.003  # by which the gripper's boxes are shrunk: depth noise
FORGIVEN = 10  # points inside the shrunk boxes; a finger that hits something covers hundreds
TILE = (480, 360)


@dataclass(frozen=True)
class Check:
    """Figures of one frame."""

    name: str
    grasps: int
    table_called_object: float  # share of the table's points
    objects: int
    objects_with_grasp: int
    cut_off: int  # more objects, of which the image shows a part
    on_table: int  # of the top grasps, with nothing but table between the fingers
    colliding: int  # of the top grasps


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", type=Path, help="(default: the shipped ones)")
    parser.add_argument("--out", type=Path, help="folder for real_frames.md and .jpg")
    options = parser.parse_args()
    if not REALDATA.is_dir():
        raise SystemExit(f"no real frames at {REALDATA}")
    detector = NetworkDetector(weights=options.weights)
    checks, tiles = [], []
    for name, frame in frames():
        result = detector.detect(frame.cloud(), DetectionRequest(max_grasps=TOP))
        check, tile = examine(name, frame, result.grasps, detector)
        checks.append(check)
        tiles.append(tile)
        print(check, result.rejected.summary(), flush=True)
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % 3)
    picture = np.vstack([np.hstack(tiles[i : i + 3]) for i in range(0, len(tiles), 3)])
    text = markdown(checks)
    print(text)
    if options.out:
        cv2.imwrite(str(options.out / "real_frames.jpg"), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])
        (options.out / "real_frames.md").write_text(text)
    return 0


def frames() -> list[tuple[str, RgbdFrame]]:
    """All RGB-D frames of the shared data."""
    folder = REALDATA / "single_objects"
    names = sorted(path.name.removesuffix("_color.png") for path in folder.glob("*_color.png"))
    found = []
    for name in names:
        stem = folder / name
        found.append(
            (name, load_rgbd(f"{stem}_color.png", f"{stem}_depth_mm.png", f"{stem}_intrinsics.json"))
        )
    with tempfile.TemporaryDirectory() as temporary:
        camera = Path(temporary) / "clutter.json"
        camera.write_text(json.dumps(CLUTTER_CAMERA))
        clutter = REALDATA / "clutter"
        found.append(
            ("clutter", load_rgbd(clutter / "demo_color.png", clutter / "demo_depth_mm.png", camera))
        )
    return found


def examine(
    name: str, frame: RgbdFrame, grasps: GraspGroup, detector: NetworkDetector
) -> tuple[Check, np.ndarray]:
    points = depth_to_points(frame.depth_m, frame.intrinsics)
    normal, offset = fit_table(points)
    height = points @ normal + offset
    objects, cut_off = find_objects(height, frame.depth_m)
    voxels = voxelise(
        points[np.isfinite(points).all(axis=-1)],
        detector.network.config.voxel_m,
        15_000,
        np.random.default_rng(0),
    )
    said = detector.network.predict(voxels, np.random.default_rng(0)).objectness > 0.5
    table = np.abs(voxels.points @ normal + offset) < TABLE_M
    measured = points[np.isfinite(points).all(axis=-1)].astype(np.float32)
    standing = measured @ normal + offset > STANDING_M / 2
    on_table = colliding = 0
    touched = set()
    labels = objects[np.isfinite(points).all(axis=-1)]
    for index in range(len(grasps)):
        T_local = (measured - grasps.translations[index].astype(np.float32)) @ grasps.rotation_matrices[
            index
        ].astype(np.float32)
        width, depth = float(grasps.widths[index]), float(grasps.depths[index])
        inside = np.zeros(len(measured), dtype=bool)
        for lower, upper in ROBOTIQ_2F85.boxes(width, depth):
            inside |= ((T_local > lower + SKIN_M) & (T_local < upper - SKIN_M)).all(axis=1)
        colliding += int(inside.sum() > FORGIVEN)
        half_height = ROBOTIQ_2F85.finger_height_m / 2
        between = (
            (T_local[:, 0] > depth - ROBOTIQ_2F85.finger_length_m)
            & (T_local[:, 0] < depth)
            & (np.abs(T_local[:, 1]) < width / 2)
            & (np.abs(T_local[:, 2]) < half_height)
        )
        on_table += int((between & standing).sum() < FORGIVEN)
        held = np.bincount(labels[between & standing])
        if len(held) > 1 and held[1:].any():
            touched.add(int(held[1:].argmax()) + 1)
    check = Check(
        name,
        len(grasps),
        float(said[table].mean()) if table.any() else 0.0,
        int(objects.max()),
        len(touched),
        cut_off,
        on_table,
        colliding,
    )
    return check, draw(check, frame, grasps, voxels.points[said])


def fit_table(points: np.ndarray) -> tuple[np.ndarray, float]:
    """Normal (3,) towards the camera and offset of the plane with most points within 6 mm, least squares."""
    rng = np.random.default_rng(0)
    flat = points.reshape(-1, 3)
    flat = flat[np.isfinite(flat).all(axis=1)]
    some = flat[rng.integers(len(flat), size=20_000)].astype(np.float64)
    best = np.zeros(len(some), dtype=bool)
    for _ in range(400):
        a, b, c = some[rng.integers(len(some), size=3)]
        normal = np.cross(b - a, c - a)
        if np.linalg.norm(normal) < 1e-9:
            continue
        near = np.abs((some - a) @ (normal / np.linalg.norm(normal))) < TABLE_M
        if near.sum() > best.sum():
            best = near
    centre = some[best].mean(axis=0)
    normal = np.linalg.svd(some[best] - centre, full_matrices=False)[2][2]
    normal *= -np.sign(normal @ centre)  # the camera is above the table
    return normal, float(-normal @ centre)


def find_objects(height: np.ndarray, depth_m: np.ndarray) -> tuple[np.ndarray, int]:
    """Numbers (H, W) from 1 of what stands on the table, 0 elsewhere: connected pixels without a step.

    Without those that the image's border cuts off, whose number comes second.
    """
    standing = np.nan_to_num(height, nan=0.0) > STANDING_M
    step = np.zeros_like(standing)
    step[:, 1:] |= np.abs(np.diff(depth_m, axis=1)) > STEP_M
    step[1:] |= np.abs(np.diff(depth_m, axis=0)) > STEP_M
    labels, _ = ndimage.label(standing & ~step)
    sizes = np.bincount(labels.ravel())
    least = LEAST_PIXELS * depth_m.size / (640 * 480)
    height_of = ndimage.maximum(np.nan_to_num(height), labels, np.arange(len(sizes)))
    near = ndimage.minimum(np.where(depth_m > 0, depth_m, np.inf), labels, np.arange(len(sizes)))
    kept = [n for n in range(1, len(sizes)) if sizes[n] >= least and height_of[n] < 0.4 and near[n] < 1.2]
    boxes = ndimage.find_objects(labels)
    whole = [
        n for n in kept if _on_border(labels == n) < CUT_SHARE * max(s.stop - s.start for s in boxes[n - 1])
    ]
    table = np.zeros(len(sizes), dtype=int)
    table[whole] = np.arange(1, len(whole) + 1)
    return table[labels], len(kept) - len(whole)


def _on_border(mask: np.ndarray) -> int:
    """How many pixels (H, W) lie on the border that most of them lie on."""
    return max(int(np.count_nonzero(edge)) for edge in (mask[0], mask[-1], mask[:, 0], mask[:, -1]))


def draw(check: Check, frame: RgbdFrame, grasps: GraspGroup, object_points: np.ndarray) -> np.ndarray:
    assert frame.color is not None
    image = frame.color.copy()
    scale = max(1, image.shape[1] // 640)
    for x, y in frame.intrinsics.project(object_points).round().astype(int):
        cv2.circle(image, (int(x), int(y)), scale, (90, 150, 255), -1)
    tile = cv2.resize(draw_grasps(image, grasps, frame.intrinsics), TILE, interpolation=cv2.INTER_AREA)
    caption = f"{check.name}: {check.grasps} grasps"
    cv2.putText(tile, caption, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(tile, caption, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1, cv2.LINE_AA)
    return np.asarray(tile)


def markdown(checks: list[Check]) -> str:
    rows = "\n".join(
        f"| {c.name} | {100 * c.table_called_object:.1f} % | {c.objects_with_grasp} of {c.objects} "
        f"| {c.cut_off} | {c.grasps} | {c.on_table} | {c.colliding} |"
        for c in checks
    )
    return f"""# The network on real frames

The {TOP} best grasps in RealSense frames that no training has seen, checked against the raw points by code
that shares nothing with the detector (`benchmarks/check_real_frames.py`).

![grasps on real frames](real_frames.jpg)

Blue: points called object. Grasps from red, the worst of the {TOP}, to green, the best.

| frame | table called object | objects with a grasp | cut off | grasps | on empty table | colliding |
|---|---|---|---|---|---|---|
{rows}

- Table: within {1000 * TABLE_M:.0f} mm of the plane with most points. Objects: pixels more than
  {1000 * STANDING_M:.0f} mm above it that touch without a step in depth of {1000 * STEP_M:.0f} mm; so an
  object may count as two, and two that touch as one. Cut off: the image's border takes at least half of its
  longer side; in `clutter` that is the black frame beyond the table's edge, background to the network.
- Colliding: more than {FORGIVEN} raw points inside the gripper's three boxes, shrunk by
  {1000 * SKIN_M:.0f} mm.

`python benchmarks/check_real_frames.py --out docs/results`; {describe_machine()}.
"""


if __name__ == "__main__":
    raise SystemExit(main())
