# SPDX-License-Identifier: Apache-2.0
"""Grasps for the verifier to learn from: the network's own, others near them, and what is true of each."""

from __future__ import annotations

import copy
import dataclasses
import logging
import math
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from anygrasp_perception.arrays import Float32Array
from anygrasp_perception.atomic_files import whole_or_not
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.grasp_refinement import GraspRefiner, RefinementConfig, vary_grasps
from anygrasp_perception.network.further_look import FurtherLook
from anygrasp_perception.network.grasp_crops import CropShape, crop_grasps
from anygrasp_perception.network.verifier import grasp_context
from anygrasp_perception.network_detector import NetworkDetector
from anygrasp_perception.post_processing import PostProcessingConfig, post_process
from anygrasp_training.dataset import DatasetError, GraspDataset
from anygrasp_training.evaluation.dataset_detection import workspace_request
from anygrasp_training.evaluation.dataset_evaluation import DatasetEvaluator

__all__ = ["CollectingConfig", "VerifierSamples", "collect_samples", "frame_samples", "read_samples"]

_EVERYTHING = 10**6  # more grasps than there are
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CollectingConfig:
    """How many grasps are taken from a frame. Raises ValueError on values out of range."""

    frames: int = 400  # in all
    grasps: int = 250  # of the network, free of collision, no two alike
    variations: int = 3  # tried near each of these, before collisions
    refined: int = 200  # of those that a verifier thinks best after refinement, where there is one
    openings: int = 200  # drawn at places away from what it thinks sure, see `FurtherLook`
    from_above_share: float = (
        0.4  # of the frames: approaches within a cone about straight down, as from a bin
    )
    from_above_rad: float = math.radians(25.0)
    # How far off its plan a grasp may be carried out: standard deviations, along its axes and about each.
    off_m: tuple[float, float, float] = (0.004, 0.003, 0.003)
    off_rad: float = math.radians(3.0)
    off_times: int = 4  # it is judged a little off
    seed: int = 0
    crop: CropShape = field(default_factory=CropShape)
    vary: RefinementConfig = field(default_factory=RefinementConfig)

    def __post_init__(self) -> None:
        for name in ("frames", "grasps"):
            if getattr(self, name) < 1:
                raise ValueError(f"CollectingConfig.{name} must be at least 1, got {getattr(self, name)}")
        for name in ("variations", "refined", "openings", "off_times"):
            if getattr(self, name) < 0:
                raise ValueError(f"CollectingConfig.{name} must be 0 or more, got {getattr(self, name)}")
        if not 0 <= self.from_above_share <= 1:
            raise ValueError(
                f"CollectingConfig.from_above_share must be in [0, 1], got {self.from_above_share}"
            )


@dataclass(frozen=True, eq=False)
class VerifierSamples:
    """G grasps of any number of frames."""

    crops: np.ndarray  # (G, K, CROP_CHANNELS) float16
    context: Float32Array  # (G, CONTEXT_CHANNELS)
    # (G, 1 + off_times) needed to hold: as planned, and a little off the plan. Infinite for a grasp that
    # fails, NaN where it was not judged.
    friction: Float32Array
    scenes: np.ndarray  # (G,) a number for each scene

    def __len__(self) -> int:
        return len(self.friction)


def collect_samples(
    detector: NetworkDetector, folders: Sequence[Path], out: Path, config: CollectingConfig
) -> list[Path]:
    """Collect samples of `config.frames` frames, drawn from all datasets, a file each; those there are kept.

    With a verifier in the detector, grasps that it likes are collected too: where it is wrong about them
    is what it has to learn next. Returns the files. Raises DatasetError on a broken or empty folder.
    """
    out.mkdir(parents=True, exist_ok=True)
    datasets = [GraspDataset(folder) for folder in folders]
    evaluators = [DatasetEvaluator(dataset) for dataset in datasets]
    frames = [
        (number, scene_id, view)
        for number, dataset in enumerate(datasets)
        for scene_id in dataset.scene_ids
        for view in range(dataset.view_count(scene_id))
    ]
    if not frames:
        raise DatasetError(f"{', '.join(map(str, folders))}: no frames; make some with anygrasp-data scenes")
    rng = np.random.default_rng([config.seed, 5])
    files = []
    chosen = rng.permutation(len(frames))[: config.frames]
    for number, scene_id, view in (frames[index] for index in tqdm(chosen, desc="frames", unit="")):
        name = f"{folders[number].name}_{scene_id:04d}_{view:04d}_{config.seed}.npz"
        if not (out / name).is_file():
            samples = frame_samples(detector, datasets[number], evaluators[number], scene_id, view, config)
            _write(samples, out / name)
        files.append(out / name)
    return files


def frame_samples(
    detector: NetworkDetector,
    dataset: GraspDataset,
    evaluator: DatasetEvaluator,
    scene_id: int,
    view: int,
    config: CollectingConfig,
) -> VerifierSamples:
    """Detect in one frame, vary what is found, and judge all of it by the meshes."""
    rng = np.random.default_rng([config.seed, scene_id, view])
    frame = dataset.frame(scene_id, view)
    grasps, crops = GraspGroup.empty(), np.zeros((0, 1, 1), dtype=np.float32)
    try:
        request = workspace_request(frame, _EVERYTHING)
        if rng.random() < config.from_above_share:
            request = request.along((0.0, 0.0, -1.0), config.from_above_rad, frame.T_table_camera)
        found = detector.propose(frame.rgbd().cloud(), request)
    except ValueError as error:  # nothing was measured
        _log.warning("scene %d, view %d: %s", scene_id, view, error)
        found = None
    if found is not None and found.surface is not None:
        grid, loose = found.surface.grid, PostProcessingConfig(top_n=1500, nms_translation_m=0.003)
        loose = dataclasses.replace(loose, nms_angle_rad=math.radians(3.0))
        every = PostProcessingConfig(top_n=_EVERYTHING, nms_translation_m=0.0, nms_angle_rad=0.0)
        passed, _, _ = post_process(found.grasps, grid, found.request, loose)
        first = passed[np.sort(rng.permutation(len(passed))[: config.grasps])]
        near = vary_grasps(first[np.repeat(np.arange(len(first)), config.variations)], rng, config.vary)
        parts = [first, post_process(near, grid, found.request, every)[0]]
        if detector.verifier is not None and config.openings:
            scores = detector.verifier.judge(passed, found.surface)
            sure = passed[scores >= config.vary.sure_score]
            openings = _openings(found.further, sure, rng, config)
            parts.append(post_process(openings, grid, found.request, every)[0])
        if detector.verifier is not None and config.refined:
            refiner = GraspRefiner(
                detector.verifier,
                found.surface,
                rng,
                config.vary,
                use_stable_score=False,
                further=found.further,
            )
            liked, _, _ = post_process(found.grasps, grid, found.request, loose, refiner)
            parts.append(liked.top(config.refined))
        grasps = GraspGroup.concatenate(parts)
        crops = crop_grasps(grasps, found.surface, config.crop)
    carried_out = [grasps, *(_off_plan(grasps, rng, config) for _ in range(config.off_times))]
    judged = evaluator.judge(scene_id, view, GraspGroup.concatenate(carried_out)).friction
    return VerifierSamples(
        crops.astype(np.float16),
        grasp_context(grasps),
        judged.reshape(len(carried_out), len(grasps)).T.astype(np.float32),
        np.full(len(grasps), scene_id),
    )


def _openings(
    further: FurtherLook | None, sure: GraspGroup, rng: np.random.Generator, config: CollectingConfig
) -> GraspGroup:
    """Openings of the further look that nobody chose, a few at each place away from what is sure."""
    parts = list[GraspGroup]()
    look = copy.copy(further)  # the one given has yet to search
    while look is not None and (wanted := config.openings - sum(map(len, parts))) > 0:
        more = look.away_from(
            sure, config.vary.uncovered_m, wanted, lambda tried: tried.replace(scores=rng.random(len(tried)))
        )
        if len(more) == 0:
            break
        parts.append(more)
    return GraspGroup.concatenate(parts)


def _off_plan(grasps: GraspGroup, rng: np.random.Generator, config: CollectingConfig) -> GraspGroup:
    """Each grasp as it may be carried out: a little off in place and direction."""
    off = dataclasses.replace(
        config.vary, turn_rad=config.off_rad, tilt_rad=config.off_rad, shift_m=config.off_m
    )
    return vary_grasps(grasps, rng, off)


def read_samples(files: Sequence[Path]) -> VerifierSamples:
    """Read and join files of `collect_samples`; scenes of one number in two datasets count as one.

    Raises DatasetError on a file that is none.
    """
    parts = []
    for path in files:
        try:
            with np.load(path, allow_pickle=False) as content:
                parts.append({name: content[name] for name in ("crops", "context", "friction", "scenes")})
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise DatasetError(f"{path}: no samples of a verifier ({error}); delete it") from error
    parts = [part for part in parts if len(part["friction"])]
    if not parts:
        raise DatasetError("no grasps in any frame: train the geometry network further, or give other scenes")
    times = max(part["friction"].shape[1] for part in parts)
    for part in parts:
        missing = ((0, 0), (0, times - part["friction"].shape[1]))
        part["friction"] = np.pad(part["friction"], missing, constant_values=np.nan)
    return VerifierSamples(**{name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


def _write(samples: VerifierSamples, path: Path) -> None:
    with whole_or_not(path) as temporary:
        np.savez(
            temporary,
            crops=samples.crops,
            context=samples.context,
            friction=samples.friction,
            scenes=samples.scenes,
        )
