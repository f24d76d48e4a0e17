# SPDX-License-Identifier: Apache-2.0
"""The pool of objects that the scenes of a dataset share, with mesh, facts and grasp labels on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from anygrasp_training.dataset.files import read_json, staged_folder, write_bytes, write_json
from anygrasp_training.dataset.grasp_label_files import write_grasp_labels
from anygrasp_training.dataset.layout import DatasetLayout
from anygrasp_training.generation.config import GenerationConfig
from anygrasp_training.generation.mesh_pool import load_kept_mesh, mesh_facts, write_parts
from anygrasp_training.labels import label_object
from anygrasp_training.objects import ProceduralObject, make_object, split_families, split_seeds

__all__ = ["draw_pool_object", "generate_object", "load_pool_object"]


def draw_pool_object(config: GenerationConfig, object_id: int) -> tuple[str, int]:
    """Return family and instance of one object of the pool; families take turns, splits differ."""
    families = config.families or split_families(config.split)
    seeds = split_seeds(config.split)
    rng = np.random.default_rng([config.seed, 1, object_id])
    return families[object_id % len(families)], seeds[int(rng.integers(len(seeds)))]


def generate_object(root: Path, config: GenerationConfig, object_id: int) -> None:
    """Build, label and write one object; its model folder appears last, when all is written.

    Without `config.labels` there are no labels.
    """
    layout = DatasetLayout(root)
    mesh = config.meshes[object_id - config.object_count] if object_id >= config.object_count else None
    if mesh is None:
        family, instance = draw_pool_object(config, object_id)
        body, origin = make_object(family, instance), {"instance": instance}
    else:
        body = mesh.load()
        origin = mesh_facts(mesh, body)
    label_counts: dict[str, int] = {}
    if config.labels is not None:
        labels = label_object(body.mesh, body.center_of_mass_m, config.labels, seed=config.seed)
        write_grasp_labels(layout.grasp_label(object_id), labels)
        label_counts = {"label_points": len(labels.points_m), "positive_cells": int(labels.positive.sum())}
    with staged_folder(layout.model(object_id)) as folder:
        write_bytes(folder / layout.mesh(object_id).name, body.mesh.export(file_type="ply"))
        if mesh is not None:
            write_parts(folder / layout.parts(object_id).name, body)
        write_json(
            folder / layout.object_info(object_id).name,
            {
                "name": body.name,
                "family": body.family,
                **origin,
                "category": body.category,
                "mass_kg": body.mass_kg,
                "center_of_mass_m": body.center_of_mass_m.tolist(),
                "size_m": body.size_m.tolist(),
                **label_counts,
            },
        )


def load_pool_object(layout: DatasetLayout, object_id: int) -> ProceduralObject:
    """Build an object of the pool again, with its parts and colours."""
    info = read_json(layout.object_info(object_id))
    if "source" in info:
        return load_kept_mesh(layout, object_id)
    return make_object(info["family"], info["instance"])
