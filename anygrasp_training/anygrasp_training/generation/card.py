# SPDX-License-Identifier: Apache-2.0
"""The dataset card: what a dataset holds and how it was made, written into its folder."""

from __future__ import annotations

from collections import Counter
from typing import Any

from anygrasp_training.dataset.files import read_json, write_bytes
from anygrasp_training.dataset.layout import DatasetLayout
from anygrasp_training.generation.claim import read_runs
from anygrasp_training.generation.config import GenerationConfig

__all__ = ["write_card"]


def write_card(layout: DatasetLayout, config: GenerationConfig, command: str) -> None:
    """Write README.md: counts, seed, commit, command, and what differs from GraspNet-1Billion."""
    objects = [read_json(layout.object_info(object_id)) for object_id in layout.object_ids()]
    scenes = [read_json(layout.scene(scene_id).info) for scene_id in layout.scene_ids()]
    commits = ", ".join(read_json(layout.config)["commits"])
    categories = Counter(item["category"] for item in objects)
    kinds = Counter(scene["kind"] for scene in scenes)
    lists = [layout.scene(scene_id, config.camera_name).object_id_list for scene_id in layout.scene_ids()]
    placed = sum(len(path.read_text(encoding="utf-8").split()) for path in lists)
    card = f"""# A synthetic grasp dataset

| | |
|---|---|
| split | {config.split} |
| scenes | {len(scenes)}: {_counts(kinds)} |
| views a scene | {config.views}, {config.camera.width} x {config.camera.height} |
| objects in the pool | {len(objects)}: {_counts(categories)} |
| objects placed | {placed} |
{_label_rows(config, objects, scenes)}
| depth sensor model | {config.sensor} |{_cost_rows(layout)}
| seed | {config.seed} |
| commits | {commits} |
| command | `{command or "generate_dataset()"}` |

Made by `anygrasp_training`; the same command at the same commit makes the same files. All options are in
`dataset.json`.

## Layout

That of GraspNet-1Billion: names, frames, units and the order of labels are the same. Differences:

- `grasp_label/NNN_labels.npz` is compact: `points` (P, 3), `friction_codes` and `opening_codes`
  (P, 300, 12, 5) in uint8, friction / 0.01 (255 no grasp, 254 hits the object) and opening / 0.0005 m,
  `center_of_mass` (3,). The first of the five depths is 0.005 m.
- `collision_labels.npz` has five depths too, and is true only where a grasp that holds has no room.
- `depth_clean/` is the depth before the sensor model, `association.npz` the association labels,
  `support.npy` points of table and walls, in the table's frame, that the evaluator checks for collisions,
  `scene.json` and `models/NNN/object.json` facts.
- Scenes have {config.views} views, not 256, and no `rs_wrt_kn.npy`; models have no `textured.obj` and no
  `.sdf`. Label images have 16 bits when the pool has more than 254 objects.
"""
    write_bytes(layout.card, card.encode())


def _label_rows(config: GenerationConfig, objects: list[dict[str, Any]], scenes: list[dict[str, Any]]) -> str:
    if config.labels is None:
        return "| grasp labels | none: for evaluation only |"
    free = sum(sum(scene["free_cells"]) for scene in scenes)
    return f"""\
| label points | {sum(item["label_points"] for item in objects)} |
| grasps that hold, on the objects alone | {sum(item["positive_cells"] for item in objects):,} |
| grasps that hold and have room, in all scenes | {free:,} |"""


def _cost_rows(layout: DatasetLayout) -> str:
    latest = {spent.what: (jobs, spent) for jobs, spent in read_runs(layout)}
    return "".join(
        f"\n| the latest {what}, {jobs} job{'s' * (jobs > 1)} | {spent} |"
        for what, (jobs, spent) in latest.items()
    )


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counter.most_common())
