# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from anygrasp_perception.gripper import ROBOTIQ_2F85
from anygrasp_training.labels.label_config import LABEL_GRIPPER
from anygrasp_training.labels.mesh_rays import MeshRays
from anygrasp_training.labels.self_collision import axis_blocked, gripper_collides

DOWN = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]], dtype=np.float32)


def collides(mesh, center, depth_m, opening_m, rotation=DOWN, gripper=LABEL_GRIPPER):
    return bool(
        gripper_collides(
            MeshRays(mesh),
            np.array([center], dtype=np.float32),
            rotation[None],
            np.array([depth_m], dtype=np.float32),
            np.array([opening_m], dtype=np.float32),
            gripper,
        )[0]
    )


def test_fingers_beside_a_box_are_free():
    box = trimesh.creation.box((0.04, 0.04, 0.04))
    assert not collides(box, (0, 0, 0.02), 0.02, 0.042)


@pytest.mark.parametrize("shift", [-0.002, 0.002])
def test_either_finger_on_the_box_collides(shift):
    box = trimesh.creation.box((0.04, 0.04, 0.04))
    assert collides(box, (0, shift, 0.02), 0.02, 0.042)


def test_fingertips_above_the_box_are_free_at_any_opening():
    box = trimesh.creation.box((0.04, 0.04, 0.04))
    assert not collides(box, (0, 0, 0.022), 0.001, 0.01)
    assert collides(box, (0, 0, 0.022), 0.003, 0.01)


def test_the_base_stops_on_an_object_higher_than_the_fingers_are_long():
    tower = trimesh.creation.box((0.02, 0.02, 0.2))
    fingers = LABEL_GRIPPER.finger_length_m
    depth = 0.01
    # Base front at depth - 0.06 behind the centre: free while the tower's top ends before it.
    assert not collides(tower, (0, 0, 0.1 + depth - fingers + 0.001), depth, 0.03)
    assert collides(tower, (0, 0, 0.1 + depth - fingers - 0.001), depth, 0.03)


def test_a_gripper_wholly_inside_a_block_collides():
    block = trimesh.creation.box((0.9, 0.9, 0.9))
    assert collides(block, (0, 0, 0), 0.02, 0.05)


def test_a_higher_base_meets_what_a_flat_one_passes():
    """A wall 3 cm beside the grasp along the finger height: the 2F-85's palm hits it."""
    wall = trimesh.creation.box(bounds=((0.02, -0.1, 0.0), (0.04, 0.1, 0.12)))
    assert not collides(wall, (0, 0, 0.02), 0.01, 0.05)
    assert collides(wall, (0, 0, 0.02), 0.01, 0.05, gripper=ROBOTIQ_2F85)


def test_agrees_with_dense_surface_points_on_random_grasps():
    """Never free with a surface point 3 mm deep in a box; never colliding without one within 1 mm."""
    mug = trimesh.boolean.union(
        [
            trimesh.creation.annulus(r_min=0.03, r_max=0.034, height=0.08),
            trimesh.creation.box(bounds=((0.033, -0.004, -0.03), (0.06, 0.004, 0.03))),
        ],
        engine="manifold",
    )
    surface = np.asarray(trimesh.sample.sample_surface(mug, 20_000, seed=0)[0])
    rng = np.random.default_rng(1)
    count = 200
    R = Rotation.random(count, rng=rng).as_matrix()
    centers = surface[rng.integers(len(surface), size=count)]
    depths, openings = rng.uniform(0.005, 0.04, count), rng.uniform(0.01, 0.1, count)
    answer = gripper_collides(
        MeshRays(mug),
        centers.astype(np.float32),
        R.astype(np.float32),
        depths.astype(np.float32),
        openings.astype(np.float32),
        LABEL_GRIPPER,
    )
    boxes = LABEL_GRIPPER.boxes(openings, depths)

    def holds_points(i, margin_m):
        local = (surface - centers[i]) @ R[i]
        above = (local > boxes[i, :, None, 0] - margin_m).all(axis=-1)
        return bool((above & (local < boxes[i, :, None, 1] + margin_m).all(axis=-1)).any())

    assert 0.3 < answer.mean() < 0.95
    assert all(answer[i] for i in range(count) if holds_points(i, -0.003))
    assert all(holds_points(i, 0.001) for i in np.flatnonzero(answer))


def test_an_approach_out_of_a_thick_object_is_blocked_and_one_into_it_is_not():
    rays = MeshRays(trimesh.creation.box((0.1, 0.1, 0.1)))
    centers = np.array([(0, 0, 0.05)] * 2, dtype=np.float32)
    approaches = np.array([(0, 0, 1), (0, 0, -1)], dtype=np.float32)
    blocked = axis_blocked(rays, centers, approaches, np.full(2, 0.01, np.float32), LABEL_GRIPPER)
    np.testing.assert_array_equal(blocked, [True, False])


def test_a_blocked_axis_always_means_a_collision():
    rng = np.random.default_rng(2)
    rays = MeshRays(trimesh.creation.annulus(r_min=0.03, r_max=0.05, height=0.1))
    R = Rotation.random(400, rng=rng).as_matrix().astype(np.float32)
    centers = rng.uniform(-0.06, 0.06, (400, 3)).astype(np.float32)
    depths = rng.uniform(0.005, 0.04, 400).astype(np.float32)
    blocked = axis_blocked(rays, centers, R[:, :, 0], depths, LABEL_GRIPPER)
    openings = np.full(400, 0.1, np.float32)
    assert blocked.any()
    assert gripper_collides(rays, centers, R, depths, openings, LABEL_GRIPPER)[blocked].all()
