# SPDX-License-Identifier: Apache-2.0
"""Fitting finds figures that were put in; the comparison writes what it says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_training.sensors.comparison_picture import Panel, write_sheet
from anygrasp_training.sensors.fit import fit_edges, fit_noise
from anygrasp_training.sensors.presets import D415
from anygrasp_training.sensors.real_frames import RealFrame
from anygrasp_training.sensors.sample_scenes import COMPARISONS
from anygrasp_training.sensors.statistical_stereo import StatisticalStereo

INTRINSICS = CameraIntrinsics(594.0, 594.0, 319.5, 239.5, 640, 480)


def frame(
    depth_m: np.ndarray, intrinsics: CameraIntrinsics, silhouette: np.ndarray | None = None
) -> RealFrame:
    color = np.zeros((*depth_m.shape, 3), np.uint8)
    return RealFrame("made", color, depth_m, intrinsics, np.ones(depth_m.shape, dtype=bool), silhouette)


def test_noise_that_was_put_in_is_found() -> None:
    made = replace(
        D415, noise=((4.0, 0.1), (16.0, 0.08)), depth_unit_m=1e-6, step_px=1e-4, noise_exponent=0.0
    )
    view, _ = COMPARISONS["d415"].view()
    frames = [
        frame(StatisticalStereo(made).measure(view, np.random.default_rng(seed)), view.intrinsics)
        for seed in range(8)
    ]
    found = fit_noise(frames, view, D415).noise
    small = np.sqrt(sum(std**2 for sigma, std in found if sigma <= 8))
    large = np.sqrt(sum(std**2 for sigma, std in found if sigma > 8))
    assert small == pytest.approx(0.1, rel=0.2)
    assert large == pytest.approx(0.08, rel=0.35)


def test_edges_that_were_put_in_are_found() -> None:
    view, silhouette = COMPARISONS["d415"].view()
    made = replace(D415, fattening_px=3.0, edge_loss=0.1)
    depth = StatisticalStereo(made).measure(view, np.random.default_rng(7))
    real = [frame(depth, view.intrinsics, silhouette)]
    start = replace(D415, fattening_px=0.0, edge_loss=0.0)
    lines: list[str] = []
    candidates = {"fattening_px": (0.0, 3.0), "edge_loss": (0.0, 0.1)}
    found = fit_edges([(view, silhouette)], [depth], real, start, candidates, 1, lines.append)
    assert (found.fattening_px, found.edge_loss) == (3.0, 0.1)
    assert len(lines) == 2


def test_sheet_shows_every_panel_and_holes_in_black(tmp_path: Path) -> None:
    depth = np.full((48, 64), 0.5, np.float32)
    depth[:24] = 0
    panel = Panel("caption", depth, np.zeros((48, 64)), (0.4, 0.6), 0.01)
    path = tmp_path / "new" / "sheet.png"
    write_sheet(path, [[panel, panel], [panel]])
    image = cv2.imread(str(path))
    rows, columns = image.shape[:2]
    assert columns > 500
    upper = image[40 : rows // 8, 20:240]
    assert (upper == 0).all()
    assert (image[rows // 2 + 30 :, 280:] == 255).all()


def test_sheet_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    panel = Panel("caption", np.full((48, 64), 0.5, np.float32), np.zeros((48, 64)), (0.4, 0.6), 0.01)
    (tmp_path / "sheet.png").mkdir()
    with pytest.raises(OSError, match="cannot write"):
        write_sheet(tmp_path / "sheet.png", [[panel]])
