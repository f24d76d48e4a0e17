# SPDX-License-Identifier: Apache-2.0
"""A second look at single grasps: how likely one holds, from the points about its own fingers.

The crop head of the geometry module judges 60 grasps at once from a sparse sample of a wide cylinder; here
one grasp is judged by what lies between and beside its fingers, in its own frame, as the evaluators of
6-DOF GraspNet (Mousavian et al. 2019) and PointNetGPD (Liang et al. 2019) do.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from anygrasp_perception.arrays import Float32Array
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.network.grasp_crops import CROP_CHANNELS, CropShape, SurfacePoints, crop_grasps
from anygrasp_perception.network.matmul import fast_float32
from anygrasp_perception.network.pooled_layers import pooled_layers, pools_compiled
from anygrasp_perception.network.row_products import linear

__all__ = ["GraspVerifier", "VerifierConfig", "grasp_context"]

CONTEXT_CHANNELS = 5  # width, depth, and where the camera looks from
_NEAR_M = 0.02  # about the size of what is looked at: coordinates and lengths are divided by it
_MIN_HALF_WIDTH_M = 0.005
_JUDGED_AT_ONCE = 512  # bounds the memory
_CHUNK_GRASPS = 64  # of whose points the features stay in the cache


@dataclass(frozen=True)
class VerifierConfig:
    """Sizes of the network, and what it was trained to tell. Raises ValueError on values out of range."""

    crop: CropShape = dataclasses.field(default_factory=CropShape)
    point_channels: tuple[int, int, int] = (64, 64, 128)
    hidden_channels: int = 128
    # Friction coefficients at which a grasp, free of collision, holds or not: those of the benchmark's AP.
    frictions: tuple[float, ...] = (0.2, 0.4, 0.6, 0.8, 1.0, 1.2)

    def __post_init__(self) -> None:
        sizes = tuple(int(size) for size in self.point_channels)
        if len(sizes) != 3 or min(sizes) < 1 or self.hidden_channels < 1:
            raise ValueError(
                f"VerifierConfig needs three point_channels and hidden_channels of at least 1, got "
                f"{self.point_channels} and {self.hidden_channels}"
            )
        frictions = tuple(float(friction) for friction in self.frictions)
        if not frictions or min(frictions) <= 0 or sorted(frictions) != list(frictions):
            raise ValueError(f"VerifierConfig.frictions must be positive and rise, got {self.frictions}")
        object.__setattr__(self, "point_channels", sizes)
        object.__setattr__(self, "frictions", frictions)

    @classmethod
    def from_dict(cls, values: dict[str, object]) -> VerifierConfig:
        """Build a config from `dataclasses.asdict`; raises ValueError or TypeError on what does not fit."""
        known = {field.name for field in dataclasses.fields(cls)}
        if unknown := sorted(set(values) - known):
            raise ValueError(f"VerifierConfig has no {', '.join(unknown)}")
        crop = values.get("crop", {})
        if not isinstance(crop, dict):
            raise ValueError(f"VerifierConfig.crop must be a table, got {crop!r}")
        return cls(**{**values, "crop": CropShape(**crop)})  # type: ignore[arg-type]


class GraspVerifier(nn.Module):
    """A PointNet over the crop of a grasp."""

    def __init__(self, config: VerifierConfig) -> None:
        super().__init__()
        self.config = config
        first, second, third = config.point_channels
        self.first = nn.Linear(CROP_CHANNELS + 2, first)
        self.second = nn.Linear(first, second)
        self.third = nn.Linear(second, third)
        self.joint = nn.Linear(third + CONTEXT_CHANNELS, config.hidden_channels)
        self.hidden = nn.Linear(config.hidden_channels, config.hidden_channels)
        # Twice: carried out as planned, and a little off, as by a real arm on a real camera's word.
        self.out = nn.Linear(config.hidden_channels, 2 * len(config.frictions))

    def forward(self, crops: Tensor, context: Tensor) -> Tensor:
        """Map crops (G, K, CROP_CHANNELS) and contexts (G, CONTEXT_CHANNELS) to logits (G, 2 x frictions)."""
        weights = [layer.weight.t() for layer in (self.first, self.second, self.third)]
        if pools_compiled(crops, weights):
            biases = [layer.bias for layer in (self.first, self.second, self.third)]
            pooled = pooled_layers(_widened(crops, context), weights, biases)
            return self._join(pooled, context)
        # A part at a time stays in the cache; gradients want it whole.
        step = max(len(crops), 1) if self.training or crops.is_cuda else _CHUNK_GRASPS
        parts = [
            self._pool(crops[start : start + step], context[start : start + step])
            for start in range(0, max(len(crops), 1), step)
        ]
        return self._join(torch.cat(parts), context)

    def _join(self, pooled: Tensor, context: Tensor) -> Tensor:
        joint = torch.relu(torch.cat([pooled, context], dim=1))
        hidden = linear(self.hidden, linear(self.joint, joint, activate=True), activate=True)
        return linear(self.out, hidden)

    def _pool(self, crops: Tensor, context: Tensor) -> Tensor:
        x = _widened(crops, context)
        rows = self.third(torch.relu(self.second(torch.relu(self.first(x.flatten(0, 1))))))
        return torch.relu(rows.view(x.shape[0], x.shape[1], rows.shape[1]).amax(dim=1))

    @torch.inference_mode()
    def judge(self, grasps: GraspGroup, surface: SurfacePoints) -> Float32Array:
        """Return the scores (G,) of grasps, in [0, 1]: the mean probability to hold over the frictions, as
        planned and a little off.

        `grasps` and `surface` in the camera frame.
        """
        device = self.out.weight.device
        scores = np.zeros(len(grasps), dtype=np.float32)
        with fast_float32():
            for start in range(0, len(grasps), _JUDGED_AT_ONCE):
                part = grasps[start : start + _JUDGED_AT_ONCE]
                crops = torch.from_numpy(crop_grasps(part, surface, self.config.crop)).to(device)
                context = torch.from_numpy(grasp_context(part)).to(device)
                probabilities = torch.sigmoid(self(crops, context)).mean(dim=1)
                scores[start : start + _JUDGED_AT_ONCE] = probabilities.cpu().numpy()
        return scores


def _widened(crops: Tensor, context: Tensor) -> Tensor:
    """Crops (G, K, CROP_CHANNELS) over the size that is looked at, and what is not linear in them."""
    half = (context[:, :1, None] * (_NEAR_M / 2)).clamp_min(_MIN_HALF_WIDTH_M)
    y = crops[:, :, 1:2]
    # A plane through the finger, and the share of the opening.
    return torch.cat([crops[:, :, :3] / _NEAR_M, (y.abs() - half) / _NEAR_M, y / half, crops[:, :, 3:]], 2)


def grasp_context(grasps: GraspGroup) -> Float32Array:
    """Return (G, CONTEXT_CHANNELS): width and depth over 2 cm, and in the grasp frame the camera's side."""
    towards = -np.einsum("gi,gij->gj", grasps.translations, grasps.rotation_matrices)
    towards /= np.maximum(np.linalg.norm(towards, axis=1, keepdims=True), 1e-9)
    lengths = np.stack([grasps.widths, grasps.depths], axis=1) / _NEAR_M
    return np.concatenate([lengths, towards], axis=1).astype(np.float32)
