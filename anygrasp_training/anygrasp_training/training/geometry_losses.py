# SPDX-License-Identifier: Apache-2.0
"""Losses of the geometry module for one cloud (DESIGN 3, paper IV-B.3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from anygrasp_perception.arrays import Float32Array, IntpArray
from anygrasp_perception.grasp import ANGLE_COUNT
from anygrasp_perception.network.grasp_network import GraspNetwork
from anygrasp_perception.network.heads import WIDTH_SCALE
from anygrasp_training.labels.antipodal import friction_score
from anygrasp_training.labels.object_labels import COLLIDING, FRICTION_STEP, OPENING_STEP_M, cell_rotations
from anygrasp_training.training.geometry_config import GeometryTrainingConfig, LossWeights
from anygrasp_training.training.geometry_sample import IGNORED, GeometrySample

__all__ = ["CellTargets", "cell_targets", "cloud_losses", "weighted_sum"]

_EVEN_CHANCE = 0.02  # of views that score nothing, against those that score 1


@dataclass(frozen=True, eq=False)
class CellTargets:
    """Labels of S seeds along one view each."""

    rotations: Float32Array  # (S, 3, 3) of the labels' own views, camera frame
    scores: Float32Array  # (S, 12, 5) in [0, 1]
    widths_m: Float32Array  # (S, 12, 5), 0 where the score is 0
    stable_scores: Float32Array  # (S, 12)


def cell_targets(sample: GeometrySample, seeds: IntpArray, view_ids: IntpArray) -> CellTargets:
    """Return the labels of the sample's seeds `seeds` (S,) along the network's views `view_ids` (S,)."""
    objects = sample.seed_objects[seeds]
    views = sample.label_views[objects, view_ids]
    codes = sample.friction_codes[seeds, views]
    scores = _score_table()[codes]
    widths = np.where(scores > 0, sample.opening_codes[seeds, views] * np.float32(OPENING_STEP_M), 0)
    stable = sample.stable_codes[seeds, views] / np.float32(255)
    R = sample.T_camera_objects[objects, :3, :3] @ cell_rotations()[views, 0]
    mirrored = np.linalg.det(R) < 0
    # A mirrored frame is left-handed: z turns round, and in-plane angles with it, k to -k (mod 12).
    R[mirrored, :, 2] *= -1
    back = -np.arange(ANGLE_COUNT) % ANGLE_COUNT
    for array in (scores, widths, stable):
        array[mirrored] = array[mirrored][:, back]
    return CellTargets(R.astype(np.float32), scores, widths.astype(np.float32), stable.astype(np.float32))


def _score_table() -> Float32Array:
    table = friction_score(np.arange(256) * FRICTION_STEP).astype(np.float32)
    table[COLLIDING:] = 0.0
    return table


def cloud_losses(
    network: GraspNetwork,
    points: Tensor,
    normals: Tensor,
    features: Tensor,
    logits: Tensor,
    graspness: Tensor,
    sample: GeometrySample,
    config: GeometryTrainingConfig,
    rng: np.random.Generator,
) -> dict[str, Tensor]:
    """Return the losses, unweighted, of a cloud: `points`, `normals` (N, 3), and what is said of them."""
    device = features.device
    objectness = torch.from_numpy(sample.objectness).to(device)
    losses = {"objectness": functional.cross_entropy(logits, objectness, ignore_index=IGNORED)}
    wanted = torch.from_numpy(sample.graspness).to(device)
    known = torch.isfinite(wanted) & (objectness == 1)
    losses["graspness"] = _smooth(graspness[known], wanted[known])

    seeds = torch.from_numpy(sample.seeds).to(device)
    view_labels = torch.from_numpy(sample.view_scores).to(device)
    view_scores, seed_features = network.view_head(features.index_select(0, seeds))
    losses["view"] = _cross_entropy(view_scores, view_labels)
    # The cylinder head is cheap beside the backbone: it looks at each seed from several sides.
    drawn = np.tile(np.arange(len(sample.seeds)), config.views_per_seed)
    again = torch.from_numpy(drawn).to(device)
    view_ids = _draw_views(view_scores.detach()[again], view_labels[again], config.own_view_share, rng)
    targets = cell_targets(sample, drawn, view_ids)
    rotations = torch.from_numpy(targets.rotations).to(device)
    crop = network.crop(
        points, normals, features, seeds[again], seed_features.index_select(0, again), rotations, rng
    )
    scores = torch.from_numpy(targets.scores).to(device)
    losses["score"] = _cross_entropy(crop.scores, scores)
    positive = scores > 0
    widths = torch.from_numpy(targets.widths_m).to(device)
    losses["width"] = _smooth(crop.widths_m[positive] * WIDTH_SCALE, widths[positive] * WIDTH_SCALE)
    stable = torch.from_numpy(targets.stable_scores).to(device)
    losses["stable"] = _smooth(crop.stable_scores, stable)
    return losses


def weighted_sum(losses: dict[str, Tensor], weights: LossWeights) -> Tensor:
    """Return the loss to minimise."""
    return torch.stack([loss * getattr(weights, name) for name, loss in losses.items()]).sum()


def _cross_entropy(predicted: Tensor, wanted: Tensor) -> Tensor:
    if predicted.numel() == 0:
        return predicted.sum()
    return functional.binary_cross_entropy(predicted, wanted)


def _smooth(predicted: Tensor, wanted: Tensor) -> Tensor:
    """Smooth L1, 0 where there is nothing to compare."""
    if predicted.numel() == 0:
        return predicted.sum()
    return functional.smooth_l1_loss(predicted, wanted)


def _draw_views(predicted: Tensor, labels: Tensor, own_share: float, rng: np.random.Generator) -> IntpArray:
    """Draw a view for each seed, by what the network thinks of them or, for the others, by what is true."""
    low, high = predicted.amin(dim=1, keepdim=True), predicted.amax(dim=1, keepdim=True)
    thought = ((predicted - low) / (high - low).clamp_min(1e-6)) ** 2
    own = torch.from_numpy(rng.random(len(predicted)) < own_share).to(predicted.device)
    chances = torch.where(own[:, None], thought, labels) + _EVEN_CHANCE
    cumulative = (chances / chances.sum(dim=1, keepdim=True)).cumsum(dim=1).cpu().numpy()
    luck = rng.random((len(predicted), 1), dtype=np.float32)
    return np.asarray((cumulative < luck).sum(axis=1).clip(max=predicted.shape[1] - 1), dtype=np.intp)
