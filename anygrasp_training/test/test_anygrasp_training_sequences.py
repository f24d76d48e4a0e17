# SPDX-License-Identifier: Apache-2.0
import numpy as np
import open3d as o3d
import pytest

from anygrasp_perception.camera import depth_to_points
from anygrasp_perception.se3 import inverse, transform_points
from anygrasp_training.dataset import GraspDataset
from anygrasp_training.scenes.cameras import CameraConfig
from anygrasp_training.sequences import SequenceConfig, draw_fish, draw_lane_paths, generate_sequence

SMALL = CameraConfig(width=160, height=120, focal_px=150.0)


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """Film 0 of rigid bodies, film 1 of fish."""
    root = tmp_path_factory.mktemp("films")
    for number, fish_share in ((0, 0.0), (1, 1.0)):
        config = SequenceConfig(
            seed=2, frames=4, rate_hz=4.0, fish_share=fish_share, sensor="clean", camera=SMALL
        )
        generate_sequence(root, config, number)
    return GraspDataset(root)


def test_frames_carry_their_times(films):
    times = [films.frame(0, view).time_s for view in range(films.view_count(0))]
    np.testing.assert_allclose(times, [0, 0.25, 0.5, 0.75])


def test_rigid_bodies_are_seen_where_their_poses_say(films):
    moved = 0.0
    first = films.frame(0, 0)
    for view in range(4):
        frame = films.frame(0, view)
        points = depth_to_points(frame.depth_m, frame.intrinsics)
        for object_id, T, T_first in zip(
            frame.object_ids, frame.T_camera_objects, first.T_camera_objects, strict=True
        ):
            seen = points[frame.label == object_id + 1]
            mesh = films.mesh(object_id)
            rays = o3d.t.geometry.RaycastingScene()
            rays.add_triangles(mesh.vertices.astype(np.float32), mesh.faces.astype(np.uint32))
            in_object = transform_points(inverse(T), seen).astype(np.float32)
            assert len(seen) >= 10
            assert rays.compute_distance(in_object).numpy().max() < 0.002  # depth is in millimetres
            moved = max(moved, float(np.linalg.norm(T[:3, 3] - T_first[:3, 3])))
    assert moved > 0.005


def test_fish_move_and_stay_near_their_poses(films):
    first, last = films.frame(1, 0), films.frame(1, 3)
    for object_id, T, T_first in zip(
        last.object_ids, last.T_camera_objects, first.T_camera_objects, strict=True
    ):
        seen = depth_to_points(last.depth_m, last.intrinsics)[last.label == object_id + 1]
        assert np.linalg.norm(seen - T[:3, 3], axis=1).min() < 0.05
        assert np.linalg.norm(T[:3, 3] - T_first[:3, 3]) > 0.01


@pytest.mark.parametrize("follows_path", [True, False])
def test_bodies_in_lanes_never_come_closer_than_they_are_wide(follows_path):
    half_widths = (0.03, 0.05, 0.02, 0.06)
    paths = draw_lane_paths(
        half_widths, 5.0, 0.1, np.random.default_rng(3), follows_path=follows_path, max_height_m=0.1
    )
    for time_s in np.linspace(0, 5, 60):
        places = [path.pose(time_s)[:2, 3] for path in paths]
        for i in range(4):
            for j in range(i):
                assert np.linalg.norm(places[i] - places[j]) > half_widths[i] + half_widths[j]


@pytest.mark.parametrize("fish_share", [0.0, 1.0])
def test_bodies_alike_are_two_or_more_of_one_shape(tmp_path, fish_share):
    config = SequenceConfig(
        seed=2, frames=2, rate_hz=4.0, fish_share=fish_share, alike_share=1.0, sensor="clean", camera=SMALL
    )
    generate_sequence(tmp_path, config, 0)
    films = GraspDataset(tmp_path)
    ids = films.object_ids(0)
    assert len(ids) >= 2
    volumes = [films.mesh(object_id).volume for object_id in ids]
    # Fish of a kind are at other moments of their beat, which changes their volume a little.
    np.testing.assert_allclose(volumes, volumes[0], rtol=0.02 if fish_share else 1e-9)


def test_paths_are_smooth_and_within_the_speed():
    for path in draw_lane_paths((0.03, 0.03), 5.0, 0.1, np.random.default_rng(1), follows_path=True):
        times = np.linspace(0, 5, 500)
        poses = np.array([path.pose(t) for t in times])
        speeds = np.linalg.norm(np.diff(poses[:, :3, 3], axis=0), axis=1) / (times[1] - times[0])
        assert speeds.max() < 0.2
        np.testing.assert_allclose(speeds, [np.linalg.norm(path.velocity(t)) for t in times[:-1]], atol=0.01)
        heading = poses[:-1, :2, 0]
        velocity = np.array([path.velocity(t)[:2] for t in times[:-1]])
        along = (heading * velocity).sum(axis=1) / np.linalg.norm(velocity, axis=1)
        np.testing.assert_allclose(along, 1, atol=1e-9)  # a fish swims ahead


@pytest.mark.parametrize(("duration_s", "speed"), [(0.0, 0.1), (1.0, 0.0)])
def test_paths_need_time_and_speed(duration_s, speed):
    with pytest.raises(ValueError, match="duration_s > 0"):
        draw_lane_paths((0.03,), duration_s, speed, np.random.default_rng(0))


def test_a_fish_bends_but_keeps_its_length_volume_and_frame():
    fish = draw_fish(np.random.default_rng(0))
    volumes, bends = [], []
    for time_s in np.linspace(0, 1 / fish.beat_hz, 9):
        positions, direction = fish.spine(time_s)
        mesh = fish.mesh(time_s)
        assert mesh.is_watertight
        assert np.linalg.norm(np.diff(positions, axis=0), axis=1).sum() == pytest.approx(fish.length_m)
        volumes.append(mesh.volume)
        bends.append(np.ptp(direction))
        anchor = np.linalg.norm(positions, axis=1).argmin()
        assert np.linalg.norm(positions[anchor]) < 1e-12
        assert direction[anchor] == 0.0
    assert min(volumes) > 0
    assert np.ptp(volumes) < 0.02 * np.mean(volumes)
    assert max(bends) > 0.15


def test_a_beat_later_the_fish_is_bent_as_before():
    fish = draw_fish(np.random.default_rng(1))
    np.testing.assert_allclose(fish.mesh(0.2).vertices, fish.mesh(0.2 + 1 / fish.beat_hz).vertices, atol=1e-9)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frames": 1}, "frames"),
        ({"max_bodies": 99}, "max_bodies"),
        ({"fish_share": 2.0}, "fish_share"),
        ({"alike_share": 1.0, "max_bodies": 1}, "max_bodies"),
    ],
)
def test_sequence_configs_that_cannot_work_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        SequenceConfig(**changes)
