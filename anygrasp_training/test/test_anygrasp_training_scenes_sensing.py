# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_perception.se3 import make_transform
from anygrasp_training.objects import make_object
from anygrasp_training.scenes import PlacedObject, Scene, SceneKind, SceneRenderer
from anygrasp_training.scenes.appearance import plain_finish
from anygrasp_training.scenes.cameras import look_at
from anygrasp_training.scenes.scene import Furniture
from anygrasp_training.scenes.sensing import SENSORS, SceneSensor
from anygrasp_training.scenes.table import flat_table


@pytest.fixture(scope="module")
def seen():
    """A carton on a table and a view of it."""
    carton = make_object("carton", 1)
    placed = PlacedObject(0, carton, make_transform(np.eye(3), (0, 0, -carton.mesh.bounds[0, 2])))
    table = Furniture("table", flat_table().mesh(), plain_finish((0.7, 0.7, 0.7)))
    scene = Scene(SceneKind.SINGLE, (placed,), (table,), np.array([0, 0, -9.81]), 0)
    camera = look_at(np.array([0.2, -0.3, 0.45]), np.array([0, 0, 0.03]))
    intrinsics = CameraIntrinsics(150.0, 150.0, 79.5, 59.5, 160, 120)
    return SceneRenderer(scene).render(camera, intrinsics), scene


def test_mixed_is_one_of_two_cameras_drawn_for_each_view(seen):
    view, scene = seen
    mixed = SceneSensor("mixed")
    drawn = set()
    for seed in range(8):
        depth = mixed.measure(view, scene, np.random.default_rng(seed))
        fits = []
        for name in ("d415", "d435"):
            rng = np.random.default_rng(seed)
            rng.integers(2)  # what draws the camera
            if np.array_equal(SceneSensor(name).measure(view, scene, rng), depth):
                fits.append(name)
        assert len(fits) == 1, seed
        drawn.update(fits)
    assert drawn == {"d415", "d435"}


def test_clean_is_the_view_itself_and_each_name_is_offered(seen):
    view, scene = seen
    assert SceneSensor("clean").measure(view, scene, np.random.default_rng(0)) is view.depth_m
    assert {"clean", "mixed", "d415", "d435"} <= set(SENSORS)


def test_an_unknown_sensor_is_refused():
    with pytest.raises(ValueError, match="kinect9"):
        SceneSensor("kinect9")
