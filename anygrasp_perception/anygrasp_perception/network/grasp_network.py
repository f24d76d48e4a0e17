# SPDX-License-Identifier: Apache-2.0
"""The whole network: points, seeds, views, cylinders, grasps (paper IV-B.1; DESIGN 3)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn

from anygrasp_perception.arrays import BoolArray, Float32Array, IntpArray
from anygrasp_perception.grasp import fibonacci_views, rotation_from_approach
from anygrasp_perception.network.backbone import SparseUNet
from anygrasp_perception.network.cylinder import group_cylinders
from anygrasp_perception.network.heads import CropHead, CropPrediction, PointHead, ViewHead
from anygrasp_perception.network.layers import NormalisedLayer
from anygrasp_perception.network.matmul import fast_float32
from anygrasp_perception.network.minkowski_backend import MinkowskiUNet
from anygrasp_perception.network.network_config import NetworkConfig
from anygrasp_perception.network.seed_sampling import farthest_points
from anygrasp_perception.network.voxel_cloud import VoxelBatch, VoxelCloud
from anygrasp_perception.stage_times import timed

__all__ = ["GraspNetwork", "GraspPrediction", "view_rotations"]

OBJECTNESS_LIMIT = 0.5  # probability of an object at a seed: two logits, the larger one counts
GRASPNESS_LIMIT = 0.1  # of a seed (DESIGN 3)


@cache
def view_rotations() -> Float32Array:
    """Return the rotations (300, 3, 3) of the views at in-plane angle zero, read-only."""
    rotations = rotation_from_approach(-fibonacci_views()).astype(np.float32)
    rotations.setflags(write=False)
    return rotations


@dataclass(frozen=True, eq=False)
class EncodedCloud:
    """What the backbone says of a cloud's N voxels, on the network's device."""

    points: Tensor  # (N, 3) metres
    normals: Tensor  # (N, 3)
    features: Tensor  # (N, C)


@dataclass(frozen=True, eq=False)
class GraspPrediction:
    """Everything the network says about one cloud of N voxels: S seeds, one view each, 12 x 5 cells."""

    points: Float32Array  # (N, 3) voxel means, metres
    normals: Float32Array  # (N, 3) unit length, towards the camera
    objectness: Float32Array  # (N,) probability of an object
    graspness: Float32Array  # (N,)
    seeds: IntpArray  # (S,) rows of points
    view_scores: Float32Array  # (S, 300) in [0, 1]
    view_ids: IntpArray  # (S,) the views chosen
    scores: Float32Array  # (S, 12, 5) in [0, 1], before the stable score
    widths_m: Float32Array  # (S, 12, 5)
    stable_scores: Float32Array  # (S, 12)
    seed_features: Float32Array  # (S, C)
    grasp_features: Float32Array  # (S, C')
    durations_s: dict[str, float]  # wall time by stage
    encoded: EncodedCloud  # for a further look at other voxels


class GraspNetwork(nn.Module):
    """Geometry processing module. Training calls its parts, `predict` runs all of it on one cloud."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone: SparseUNet | MinkowskiUNet = SparseUNet(config)
        self.point_head = PointHead(config)
        self.view_head = ViewHead(config)
        self.crop_head = CropHead(config)

    @property
    def is_compiled(self) -> bool:
        """Whether inference runs in what Numba compiles, not in torch."""
        weight = self.crop_head.shared.weight
        of_torch = isinstance(self.backbone, SparseUNet)
        dtype = next(self.backbone.parameters()).dtype
        return of_torch and weight.device.type == "cpu" and dtype == torch.float32

    def encode(self, batch: VoxelBatch) -> tuple[Tensor, Tensor, Tensor]:
        """Return features (N, C), objectness logits (N, 2) and graspness (N,) of a batch's voxels."""
        dtype = next(self.backbone.parameters()).dtype
        features = self.backbone(batch.features.to(dtype), batch.level).float()
        return (features, *self.point_head(features))

    def crop(
        self,
        points: Tensor,
        normals: Tensor,
        features: Tensor,
        seeds: Tensor,
        seed_features: Tensor,
        rotations: Tensor,
        rng: np.random.Generator,
    ) -> CropPrediction:
        """Predict the grasps of seeds (S,), rows of a cloud with points, normals (N, 3) and features (N, C),
        along the rotations (S, 3, 3). The cylinders' samples are drawn with `rng`."""
        drawn = rng.permutation(len(points))[: self.config.cylinder_pool]
        pool = torch.from_numpy(drawn).to(points.device)
        with torch.no_grad():
            rows, local = group_cylinders(points, pool, seeds, rotations, self.config)
            turned = torch.einsum("ski,sij->skj", normals[rows], rotations)
            local = torch.cat([local, turned], dim=2)
        prediction: CropPrediction = self.crop_head(features, rows, local, seed_features, rotations)
        return prediction

    @torch.inference_mode()
    def predict(
        self,
        cloud: VoxelCloud,
        rng: np.random.Generator,
        allowed_points: BoolArray | None = None,
        allowed_views: BoolArray | None = None,
        objects_only: bool = True,
    ) -> GraspPrediction:
        """Run the network on one cloud.

        Seeds are taken where `allowed_points` (N,), their views of `allowed_views` (300,); all without. They
        lie on objects, or on the background too unless `objects_only`.
        Raises ValueError when the cloud was voxelised for another network.
        """
        if cloud.voxel_m != self.config.voxel_m:
            raise ValueError(f"the network takes voxels of {self.config.voxel_m} m, got {cloud.voxel_m} m")
        device = next(self.parameters()).device
        durations_s: dict[str, float] = {}
        with fast_float32():
            with timed(durations_s, "backbone"):
                batch = VoxelBatch.of([cloud], device)
                features, logits, graspness = self.encode(batch)
                objectness = logits.softmax(dim=1)[:, 1].cpu().numpy()
                graspable = graspness.cpu().numpy()
            with timed(durations_s, "seeds"):
                eligible = graspable > GRASPNESS_LIMIT
                if objects_only:
                    eligible &= objectness > OBJECTNESS_LIMIT
                if allowed_points is not None:
                    eligible &= allowed_points
                seeds = choose_seeds(cloud.points, eligible, graspable, self.config.seed_count)
                rows = torch.from_numpy(seeds).to(device)
            with timed(durations_s, "views"):
                view_scores, seed_features = self.view_head(features[rows])
                choice = view_scores
                if allowed_views is not None:
                    choice = choice.masked_fill(~torch.from_numpy(allowed_views).to(device), -torch.inf)
                view_ids = choice.argmax(dim=1).cpu().numpy()
                rotations = torch.from_numpy(view_rotations()[view_ids]).to(device)
            with timed(durations_s, "cylinders"):
                crop = self.crop(batch.points, batch.normals, features, rows, seed_features, rotations, rng)
        return GraspPrediction(
            points=cloud.points,
            normals=batch.normals.cpu().numpy(),
            objectness=objectness,
            graspness=graspable,
            seeds=seeds,
            view_scores=view_scores.cpu().numpy(),
            view_ids=view_ids,
            scores=crop.scores.cpu().numpy(),
            widths_m=crop.widths_m.cpu().numpy(),
            stable_scores=crop.stable_scores.cpu().numpy(),
            seed_features=seed_features.cpu().numpy(),
            grasp_features=crop.features.cpu().numpy(),
            durations_s=durations_s,
            encoded=EncodedCloud(batch.points, batch.normals, features),
        )

    @torch.inference_mode()
    def score_views(self, encoded: EncodedCloud, rows: IntpArray) -> Float32Array:
        """Return the scores (R, 300) of the views of some voxels (R,) of a cloud."""
        with fast_float32():
            scores, _ = self.view_head(encoded.features[torch.from_numpy(rows).to(encoded.features.device)])
        return np.asarray(scores.cpu().numpy())

    def reduce_precision(self) -> GraspNetwork:
        """Run the backbone in bfloat16, for inference; heads and cylinders stay in float32.

        Pays off on processors and GPUs with bfloat16 units; on others it is slower.
        """
        self.backbone.to(torch.bfloat16)
        return self

    def fold(self) -> GraspNetwork:
        """Merge all batch normalisations, for inference; the network cannot be trained after."""
        for module in self.modules():
            if isinstance(module, NormalisedLayer):
                module.fold()
        return self.eval()


def choose_seeds(points: Float32Array, eligible: BoolArray, graspness: Float32Array, count: int) -> IntpArray:
    """Return at most `count` rows of eligible points, spread out, the most graspable one first."""
    rows = np.flatnonzero(eligible)
    if len(rows) == 0:
        return rows
    return rows[farthest_points(points[rows], count, int(graspness[rows].argmax()))]
