# SPDX-License-Identifier: Apache-2.0
"""Objects from meshes that ship in Python wheels: Bullet's random URDFs and DeepMind's RGB objects.

Neither wheel is a dependency. Only their files are used, nothing of them is imported or run.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from anygrasp_training.objects.mesh_folder import load_mesh_folder, load_mesh_object
from anygrasp_training.objects.procedural_object import ProceduralObject

__all__ = ["RGB_SUBSETS", "load_random_urdf", "load_rgb_objects"]

RGB_SUBSETS = ("train", "heldout", "test_triplets")  # the folders of the data set's own split
_URDF_COUNT = 1000
_URDF_SCALE = 0.015  # as the URDF files say
_URDF_GAP_M = 0.0005  # between the convex bodies of a file


def load_random_urdf(index: int) -> ProceduralObject:
    """Object `index` of the thousand in pybullet_data/random_urdfs, whose files are closed convex bodies.

    Raises:
        ValueError: no such index.
        ModuleNotFoundError: the wheel is not installed.
    """
    if not 0 <= index < _URDF_COUNT:
        raise ValueError(f"random URDF {index} does not exist; choose 0 to {_URDF_COUNT - 1}")
    folder = _package_folder("pybullet_data", "pip install --no-deps pybullet==3.2.7")
    name = f"{index:03d}"
    path = folder / "random_urdfs" / name / f"{name}.obj"
    return load_mesh_object(path, scale=_URDF_SCALE, part_padding_m=_URDF_GAP_M)


def load_rgb_objects(subset: str) -> list[ProceduralObject]:
    """All RGB objects (prisms of 3 to 10 cm) of one subset of the official split.

    Raises:
        ValueError: no such subset.
        ModuleNotFoundError: the wheel is not installed.
    """
    if subset not in RGB_SUBSETS:
        raise ValueError(f"unknown subset {subset!r}; choose one of {', '.join(RGB_SUBSETS)}")
    folder = _package_folder(
        "dm_robotics.manipulation", "pip install --no-deps dm-robotics-manipulation==0.10.0"
    )
    return load_mesh_folder(folder / "props" / "rgb_objects" / "assets" / "rgb_v1.3" / "meshes" / subset)


def _package_folder(package: str, install: str) -> Path:
    try:
        spec = importlib.util.find_spec(package)
    except ModuleNotFoundError:  # of the parent package
        spec = None
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"the package {package} is not installed; {install}")
    return Path(next(iter(spec.submodule_search_locations)))
