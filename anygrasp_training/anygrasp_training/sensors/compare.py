# SPDX-License-Identifier: Apache-2.0
"""Compare the models with real frames: `python -m anygrasp_training.sensors.compare --realdata DIR --out DIR`

Writes depth_sensor_models.png and the tables of depth_sensor_models.md; `measure_frame` measures all of it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from anygrasp_perception.arrays import Float32Array
from anygrasp_training.sensors.clean_view import CleanView
from anygrasp_training.sensors.comparison_picture import Panel, write_sheet
from anygrasp_training.sensors.frame_statistics import LAGS_MRAD, FrameStatistics, measure_frame
from anygrasp_training.sensors.presets import L515, make_sensor
from anygrasp_training.sensors.real_frames import load_real_frames
from anygrasp_training.sensors.sample_scenes import COMPARISONS
from anygrasp_training.sensors.time_of_flight import TimeOfFlight
from anygrasp_training.sensors.water_surface import WaterSurface

__all__ = ["main"]

_MARKER = "<!-- tables below: python -m anygrasp_training.sensors.compare -->"
_PICTURED = {"d415": "red_mug", "d435": "demo"}
_SPANS_M = {"d415": (0.36, 0.9), "d435": (0.40, 0.54)}
_DEVIATIONS_M = {"d415": 0.006, "d435": 0.010}
_FAR_M = {"d415": 0.9, "d435": 3.0}  # the real single-object frames are cut there


def main(argv: Sequence[str] | None = None) -> None:
    """Write the picture and print the tables."""
    parser = argparse.ArgumentParser(description="compare depth-sensor models with real frames")
    parser.add_argument(
        "--realdata", type=Path, required=True, help="folder with clutter/ and single_objects/"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for depth_sensor_models.png and .md")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args(argv)
    cv2.setNumThreads(1)
    tables, sheet = [], []
    for camera in ("d415", "d435"):
        columns, panels = _compare(camera, arguments.realdata, arguments.seed)
        tables.append(f"### {camera.upper()}\n\n{_table(columns)}")
        sheet.append(panels)
    columns, panels = _time_of_flight(arguments.seed)
    tables.append(f"### L515\n\n{_table(columns)}")
    sheet.append(panels)
    write_sheet(arguments.out / "depth_sensor_models.png", sheet)
    tables.append(_timing())
    _replace_tables(arguments.out / "depth_sensor_models.md", "\n\n".join(tables))
    print("\n\n".join(tables))


def _compare(camera: str, realdata: Path, seed: int) -> tuple[dict[str, list[FrameStatistics]], list[Panel]]:
    """Statistics by model (several frames each) and panels of one camera."""
    columns: dict[str, list[FrameStatistics]] = {}
    panels = []
    real = load_real_frames(realdata, camera)
    columns["real"] = [measure_frame(f.depth_m, f.intrinsics, f.silhouette, f.usable) for f in real]
    for frame, statistics in zip(real, columns["real"], strict=True):
        if frame.name == _PICTURED[camera]:
            panels.append(_panel(f"real ({frame.name})", frame.depth_m, statistics, camera))
    for label, name in (("(a) simulated", f"{camera}-stereo"), ("(b) statistical", camera), ("clean", "")):
        measured = []
        for offset in range(3):
            view, silhouette = COMPARISONS[camera].view(seed + offset)
            depth = _measure(name, view, np.random.default_rng(seed + offset))
            depth = np.where(depth < _FAR_M[camera], depth, np.float32(0))
            measured.append(measure_frame(depth, view.intrinsics, silhouette))
            if offset == 0:
                panels.append(
                    _panel(f"{label} {camera.upper()}" if name else label, depth, measured[0], camera)
                )
        columns[label] = measured
    return columns, panels


def _time_of_flight(seed: int) -> tuple[dict[str, list[FrameStatistics]], list[Panel]]:
    """The L515 model over land and with 8 cm of water on the table."""
    columns: dict[str, list[FrameStatistics]] = {}
    panels = []
    view, silhouette = COMPARISONS["d435"].view(seed)
    pose = view.T_scene_camera
    assert pose is not None
    # The scene's z axis points up, the surface's normal down into the water.
    down = -pose[2, :3]
    water = WaterSurface(
        normal=(float(down[0]), float(down[1]), float(down[2])), distance_m=float(pose[2, 3]) - 0.08
    )
    for label, config in (("(c) L515", L515), ("(c) L515, 8 cm of water", replace(L515, water=water))):
        depth = TimeOfFlight(config).measure(view, np.random.default_rng(seed))
        statistics = measure_frame(depth, view.intrinsics, silhouette)
        columns[label] = [statistics]
        shift = 0.03 if config.water else 0.0
        panel = _panel(label, depth, statistics, "d435")
        panels.append(replace(panel, span_m=(panel.span_m[0] + shift, panel.span_m[1] + shift)))
    return columns, panels


def _timing() -> str:
    """CPU time of the fast models on an image of 640x480 with reflectances."""
    view, _ = COMPARISONS["d415"].view()
    lines = [
        "### CPU time of one 640x480 frame on one thread, median of 20",
        "",
        "| model | ms |",
        "|---|---|",
    ]
    for name in ("d415", "d435", "l515"):
        sensor, rng, taken = make_sensor(name), np.random.default_rng(0), []
        sensor.measure(view, rng)
        for _ in range(20):
            started = time.process_time()
            sensor.measure(view, rng)
            taken.append(time.process_time() - started)
        lines.append(f"| {name} | {1000 * np.median(taken):.0f} |")
    return "\n".join(lines)


def _replace_tables(path: Path, tables: str) -> None:
    """Write the tables below the marker of a results page and leave what is above it."""
    text = path.read_text(encoding="utf-8") if path.exists() else "# Depth sensor models\n\n"
    path.write_text(f"{text.split(_MARKER)[0]}{_MARKER}\n\n{tables}\n", encoding="utf-8")


def _measure(name: str, view: CleanView, rng: np.random.Generator) -> Float32Array:
    return make_sensor(name).measure(view, rng) if name else view.depth_m


def _panel(caption: str, depth_m: Float32Array, statistics: FrameStatistics, camera: str) -> Panel:
    return Panel(caption, depth_m, statistics.view.height_m, _SPANS_M[camera], _DEVIATIONS_M[camera])


def _table(columns: dict[str, list[FrameStatistics]]) -> str:
    """Markdown table, one line a figure, the median over each column's frames."""
    heads = [f"{name} ({len(frames)} frame{'s' * (len(frames) > 1)})" for name, frames in columns.items()]
    lines = [f"| figure | {' | '.join(heads)} |", "|---" * (len(columns) + 1) + "|"]
    for name, figure, digits in _figures():
        medians = [_median([figure(frame) for frame in frames]) for frames in columns.values()]
        if not all(np.isnan(value) for value in medians):
            cells = ("-" if np.isnan(value) else f"{value:.{digits}f}" for value in medians)
            lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _figures() -> list[tuple[str, Callable[[FrameStatistics], float], int]]:
    """Caption, value and digits of each line."""
    noise = [
        (f"plane residual at {tenth / 10}-{(tenth + 1) / 10} m, mm", partial(_noise_mm, tenth=tenth), 2)
        for tenth in range(3, 9)
    ]
    correlation = [
        (f"its correlation {lag:.0f} mrad apart", partial(_correlation, index=index), 2)
        for index, lag in enumerate(LAGS_MRAD)
    ]
    return [
        *noise,
        ("residual in inverse depth, 1/m", lambda s: s.noise_per_m, 4),
        *correlation,
        ("correlation is 1/2 at, mrad", lambda s: s.correlation_mrad, 1),
        ("invalid within 25 mrad of edges, %", lambda s: 100 * s.edges.invalid_share_edges, 1),
        ("invalid elsewhere, %", lambda s: 100 * s.edges.invalid_share_surface, 2),
        ("hole left of objects, mrad", lambda s: s.edges.shadow_left_mrad, 1),
        ("the same as a baseline, mm", lambda s: 1000 * s.edges.shadow_baseline_m, 0),
        ("hole right of objects, mrad", lambda s: s.edges.shadow_right_mrad, 1),
        ("edge ramp, 20-80 %, mrad", lambda s: s.edges.ramp_mrad, 1),
        ("edge outside silhouette, mrad", lambda s: s.edge_offset_mrad, 1),
        ("edge wanders by, mrad", lambda s: s.edge_wander_mrad, 1),
        ("smallest depth step, mm", lambda s: 1000 * s.depth_step_m, 2),
    ]


def _noise_mm(statistics: FrameStatistics, tenth: int) -> float:
    found = [1000 * std for distance, std, _ in statistics.noise_m if int(distance * 10) == tenth]
    return found[0] if found else float("nan")


def _correlation(statistics: FrameStatistics, index: int) -> float:
    return float(statistics.correlation[index]) if statistics.noise_per_m > 1e-4 else float("nan")


def _median(values: Sequence[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.median(known)) if known else float("nan")


if __name__ == "__main__":
    started = time.perf_counter()
    main()
    print(f"\n{time.perf_counter() - started:.0f} s")
