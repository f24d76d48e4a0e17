# SPDX-License-Identifier: Apache-2.0
"""Which pixels of one camera a second one to its right can see too."""

from __future__ import annotations

import numpy as np

from anygrasp_perception.arrays import BoolArray, Float32Array

__all__ = ["seen_from_right"]


def seen_from_right(parallax_px: Float32Array, tolerance_px: float, leftmost_px: float) -> BoolArray:
    """Pixels (H, W) that nothing nearer hides from a camera to the right, and that its image contains.

    Seen from there a pixel moves left by its `parallax_px` (H, W; focal length times baseline over depth). It
    is hidden when one further right overtakes it by more than `tolerance_px`, and outside the image when it
    moves past `leftmost_px`. What shows again behind a thin object counts as hidden, as the ordering that
    stereo matching along rows assumes.
    """
    seen_at = np.arange(parallax_px.shape[1], dtype=np.float32) - parallax_px
    overtaking = np.minimum.accumulate(seen_at[:, ::-1], axis=1)[:, ::-1]
    visible = seen_at <= overtaking + np.float32(tolerance_px)
    return np.asarray(visible & (seen_at >= leftmost_px))
