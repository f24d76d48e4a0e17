# SPDX-License-Identifier: Apache-2.0
"""Films of moving objects in the layout of the datasets: views are moments, poses differ in each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.se3 import make_transform, transform_points
from anygrasp_training.dataset.files import staged_folder, write_bytes, write_json
from anygrasp_training.dataset.layout import CAMERAS, DatasetLayout
from anygrasp_training.dataset.writer import write_scene
from anygrasp_training.objects import ProceduralObject, Split, make_object, split_families, split_seeds
from anygrasp_training.scenes.appearance import draw_finish
from anygrasp_training.scenes.cameras import CameraConfig, draw_intrinsics, look_at
from anygrasp_training.scenes.rendering import SceneRenderer
from anygrasp_training.scenes.scene import Furniture, PlacedObject, Scene, SceneKind
from anygrasp_training.scenes.sensing import SceneSensor
from anygrasp_training.scenes.surroundings import floor_mesh
from anygrasp_training.scenes.table import draw_table
from anygrasp_training.sequences.fish import FishBody, draw_fish
from anygrasp_training.sequences.lanes import LanePath, draw_lane_paths

__all__ = ["SequenceConfig", "generate_sequence"]

_IDS_PER_SEQUENCE = 8
_GRAVITY_M_S2 = (0.0, 0.0, -9.81)
_WATER_M = 0.06  # at which fish swim over the bottom


@dataclass(frozen=True)
class SequenceConfig:
    """How the films vary."""

    seed: int = 0
    split: str = Split.TRAIN.value  # of the rigid objects
    frames: int = 40
    rate_hz: float = 10.0
    max_bodies: int = 4
    fish_share: float = 0.5  # of the sequences
    max_speed_m_s: float = 0.12
    moving_camera: float = 0.3  # share of the sequences in which the camera moves too
    alike_share: float = 0.0  # share of the sequences with two or more bodies, all of one kind
    sensor: str = "d415"
    camera: CameraConfig = field(default_factory=CameraConfig)

    def __post_init__(self) -> None:
        if self.frames < 2 or not self.rate_hz > 0 or not self.max_speed_m_s > 0:
            raise ValueError(
                "SequenceConfig needs frames >= 2, rate_hz > 0 and max_speed_m_s > 0, got "
                f"{self.frames}, {self.rate_hz} and {self.max_speed_m_s}"
            )
        if not 1 <= self.max_bodies <= _IDS_PER_SEQUENCE:
            raise ValueError(
                f"SequenceConfig.max_bodies must be 1 to {_IDS_PER_SEQUENCE}, got {self.max_bodies}"
            )
        for name in ("fish_share", "moving_camera", "alike_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"SequenceConfig.{name} must be in [0, 1], got {getattr(self, name)}")
        if self.alike_share > 0 and self.max_bodies < 2:
            raise ValueError(
                f"SequenceConfig.alike_share {self.alike_share} needs max_bodies of 2 or more, "
                f"got {self.max_bodies}"
            )


@dataclass(frozen=True, eq=False)
class _Still:
    """A rigid body: the same at all times."""

    body: ProceduralObject

    def __call__(self, time_s: float) -> ProceduralObject:
        return self.body


@dataclass(frozen=True, eq=False)
class _Swimming:
    """A fish, bent as its beat has it."""

    fish: FishBody
    name: str
    ahead_s: float  # of others of its kind in the beat

    def __call__(self, time_s: float) -> ProceduralObject:
        return self.fish.at(time_s + self.ahead_s, self.name)


@dataclass(frozen=True, eq=False)
class _Actor:
    """A body and how it moves."""

    body_at: Callable[[float], ProceduralObject]
    T_path_body: Float64Array  # (4, 4)
    path: LanePath


def generate_sequence(root: Path, config: SequenceConfig, number: int) -> None:
    """Generate film `number` as scene `number`; its folder under scenes/ appears last.

    Rigid bodies slide, turn and rise; fish bend and swim. The pose of a fish is that of its heaviest part.
    """
    layout = DatasetLayout(root)
    rng = np.random.default_rng([config.seed, 4, number])
    swims = bool(rng.random() < config.fish_share)
    # Not drawn where it makes no difference: older films stay what they are.
    alike = config.alike_share > 0 and bool(rng.random() < config.alike_share)
    actors = (_draw_fish_actors if swims else _draw_rigid_actors)(config, alike, rng)
    ids = [number * _IDS_PER_SEQUENCE + index for index in range(len(actors))]
    for object_id, actor in zip(ids, actors, strict=True):
        _write_model(layout, object_id, actor.body_at(0.0))
    table = draw_table(rng)
    furniture = tuple(
        Furniture(name, mesh, draw_finish(rng.uniform(0.2, 0.8, size=3), rng))
        for name, mesh in (("table", table.mesh()), ("floor", floor_mesh(-0.75)))
    )
    lift = np.array([0.0, 0.0, float(table.heights.max())])
    intrinsics, sensor = draw_intrinsics(config.camera, rng), SceneSensor(config.sensor)
    camera = _draw_camera_path(config, rng)
    texture_seed = int(rng.integers(2**31))
    names = [actor.body_at(0.0).name for actor in actors]
    with write_scene(layout, number, CAMERAS[0], ids, names) as writer:
        for frame in range(config.frames):
            time_s = frame / config.rate_hz
            poses = np.array([actor.path.pose(time_s) @ actor.T_path_body for actor in actors])
            poses[:, :3, 3] += lift
            placed = tuple(
                PlacedObject(object_id, actor.body_at(time_s), pose)
                for object_id, actor, pose in zip(ids, actors, poses, strict=True)
            )
            scene = Scene(SceneKind.HEAP, placed, furniture, np.array(_GRAVITY_M_S2), texture_seed)
            view = SceneRenderer(scene).render(camera(time_s), intrinsics)
            depth = sensor.measure(view, scene, rng)
            writer.add_view(view, depth, poses, np.zeros((0, 7)), time_s)
        info = {
            "kind": "fish" if swims else "rigid",
            "alike": alike,
            "seed": [config.seed, 4, number],
            "free_cells": [],
        }
        writer.finish(intrinsics, info)


def _draw_count(config: SequenceConfig, alike: bool, rng: np.random.Generator) -> int:
    return int(rng.integers(2 if alike else 1, config.max_bodies + 1))


def _draw_rigid_actors(config: SequenceConfig, alike: bool, rng: np.random.Generator) -> list[_Actor]:
    families, seeds = split_families(config.split), split_seeds(config.split)
    count = _draw_count(config, alike, rng)
    bodies = [
        make_object(str(rng.choice(families)), seeds[int(rng.integers(len(seeds)))])
        for _ in range(1 if alike else count)
    ]
    rise_m = float(rng.choice([0.0, 0.12]))  # on the table, or carried over it
    stances = [_draw_stance(body, rise_m > 0, rng) for body in bodies]
    if alike:
        bodies, stances = bodies * count, stances * count
    reach = [
        float(np.linalg.norm(transform_points(stance, body.mesh.vertices)[:, :2], axis=1).max())
        for body, stance in zip(bodies, stances, strict=True)
    ]
    paths = draw_lane_paths(reach, _duration_s(config), config.max_speed_m_s, rng, max_height_m=rise_m)
    return [
        _Actor(_Still(body), stance, path) for body, stance, path in zip(bodies, stances, paths, strict=True)
    ]


def _draw_stance(body: ProceduralObject, carried: bool, rng: np.random.Generator) -> Float64Array:
    """T_path_body (4, 4): in any orientation when carried, else upright or on its side; lowest point at 0."""
    rotation = (
        Rotation.random(rng=rng) if carried else Rotation.from_euler("x", rng.choice([0, 1]) * np.pi / 2)
    )
    stance = make_transform(rotation.as_matrix(), np.zeros(3))
    stance[2, 3] = -transform_points(stance, body.mesh.vertices)[:, 2].min()
    return stance


def _draw_fish_actors(config: SequenceConfig, alike: bool, rng: np.random.Generator) -> list[_Actor]:
    count = _draw_count(config, alike, rng)
    fish = [draw_fish(rng) for _ in range(1 if alike else count)]
    ahead_s = np.zeros(count)
    if alike:
        fish, ahead_s = fish * count, rng.uniform(0, 1 / fish[0].beat_hz, size=count)
    paths = draw_lane_paths(
        [body.half_width_m for body in fish],
        _duration_s(config),
        config.max_speed_m_s,
        rng,
        follows_path=True,
    )
    in_water = np.eye(4)
    in_water[2, 3] = _WATER_M
    return [
        _Actor(_Swimming(body, f"fish_{index}", float(ahead_s[index])), in_water, path)
        for index, (body, path) in enumerate(zip(fish, paths, strict=True))
    ]


def _draw_camera_path(config: SequenceConfig, rng: np.random.Generator) -> Callable[[float], Float64Array]:
    """A camera above that stands, or swings slowly as on a wrist."""
    distance = rng.uniform(0.5, 0.8)
    polar, azimuth = rng.uniform(0.05, np.deg2rad(40)), rng.uniform(0, 2 * np.pi)
    swing = rng.uniform(0.1, 0.35) if rng.random() < config.moving_camera else 0.0
    rate_hz = rng.uniform(0.1, 0.3)

    def pose(time_s: float) -> Float64Array:
        a = azimuth + swing * np.sin(2 * np.pi * rate_hz * time_s)
        direction = np.array([np.sin(polar) * np.cos(a), np.sin(polar) * np.sin(a), np.cos(polar)])
        return look_at(distance * direction, np.array([0.0, 0.0, 0.03]))

    return pose


def _duration_s(config: SequenceConfig) -> float:
    return (config.frames - 1) / config.rate_hz


def _write_model(layout: DatasetLayout, object_id: int, body: ProceduralObject) -> None:
    with staged_folder(layout.model(object_id)) as folder:
        write_bytes(folder / layout.mesh(object_id).name, body.mesh.export(file_type="ply"))
        facts = {"name": body.name, "family": body.family, "category": body.category}
        write_json(folder / layout.object_info(object_id).name, {**facts, "mass_kg": body.mass_kg})
