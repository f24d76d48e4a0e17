# SPDX-License-Identifier: Apache-2.0
"""The reader on a folder made by hand with the names and array shapes of GraspNet-1Billion."""

import shutil

import cv2
import numpy as np
import pytest
import scipy.io
import trimesh

from anygrasp_perception.grasp import fibonacci_views, rotation_from_approach
from anygrasp_training.dataset import DatasetError, GraspDataset
from anygrasp_training.dataset.rectangles import rectangle_grasps
from anygrasp_training.labels.mesh_checks import check_mesh

IDS = (2, 5)
POINTS = np.array([[0, 0, 0.02], [0.02, 0.0, 0.0]])  # on a cube of 4 cm
VIEW, ANGLE = 299, 4  # straight down in the object's frame
T_TABLE_CAMERA0 = np.array([[1.0, 0, 0, 0.05], [0, -1, 0, 0.1], [0, 0, -1, 0.6], [0, 0, 0, 1]])
T_CAMERA_OBJECTS = np.array([np.diag((1.0, -1, -1, 1)), np.diag((1.0, -1, -1, 1))])
T_CAMERA_OBJECTS[:, :3, 3] = ((0.0, 0.0, 0.5), (0.1, 0.05, 0.55))


@pytest.fixture(scope="module")
def official(tmp_path_factory):
    root = tmp_path_factory.mktemp("graspnet")
    scene = root / "scenes" / "scene_0100"
    camera = scene / "kinect"
    for name in ("rgb", "depth", "label", "annotations", "meta", "rect"):
        (camera / name).mkdir(parents=True)
    (scene / "object_id_list.txt").write_text("2\n5\n")
    np.save(scene / "rs_wrt_kn.npy", np.tile(np.eye(4), (2, 1, 1)))
    K = np.array([[60.0, 0, 31.5], [0, 60, 23.5], [0, 0, 1]])
    np.save(camera / "camK.npy", K)
    shifted = np.eye(4)
    shifted[0, 3] = 0.01
    np.save(camera / "camera_poses.npy", np.array([np.eye(4), shifted]))
    np.save(camera / "cam0_wrt_table.npy", T_TABLE_CAMERA0)
    label = np.zeros((48, 64), np.uint8)
    label[20:28, 28:36], label[26:34, 40:48] = 3, 6
    for view in range(2):
        rgb = np.zeros((48, 64, 3), np.uint8)
        rgb[..., 0] = 250  # red
        cv2.imwrite(str(camera / "rgb" / f"{view:04d}.png"), rgb[..., ::-1])
        cv2.imwrite(str(camera / "depth" / f"{view:04d}.png"), np.full((48, 64), 530 + view, np.uint16))
        cv2.imwrite(str(camera / "label" / f"{view:04d}.png"), label)
        scipy.io.savemat(
            camera / "meta" / f"{view:04d}.mat",
            {
                "cls_indexes": np.array([[3], [6]], np.int32),
                "poses": np.moveaxis(T_CAMERA_OBJECTS[:, :3].astype(np.float32), 0, -1),
                "intrinsic_matrix": K,
                "factor_depth": np.array([[1000]]),
            },
        )
    for object_id in IDS:
        folder = root / "models" / f"{object_id:03d}"
        folder.mkdir(parents=True)
        trimesh.creation.box((0.04,) * 3).export(folder / "nontextured.ply")
        offsets = np.zeros((2, 300, 12, 4, 3), np.float32)
        offsets[..., 0] = np.arange(12)[:, None] * np.pi / 12
        offsets[..., 1] = (0.01, 0.02, 0.03, 0.04)
        offsets[..., 2] = 0.06
        scores = np.full((2, 300, 12, 4), -1.0, np.float32)
        scores[0, VIEW, ANGLE] = (0.2, 0.4, 0.6, 1.0)
        offsets[0, VIEW, ANGLE, 2, 2] = 0.15  # wider than the label space
        scores[1, 150, 0, 0] = 0.1
        collision = np.zeros((2, 300, 12, 4), bool)
        collision[1, 150, 0, 0] = True
        (root / "grasp_label").mkdir(exist_ok=True)
        np.savez(
            root / "grasp_label" / f"{object_id:03d}_labels.npz",
            points=POINTS, offsets=offsets, collision=collision, scores=scores,
        )  # fmt: skip
    hits = [np.zeros((2, 300, 12, 4), bool) for _ in IDS]
    hits[1][0, VIEW, ANGLE, 1] = True
    (root / "collision_label" / "scene_0100").mkdir(parents=True)
    np.savez(root / "collision_label" / "scene_0100" / "collision_labels.npz", *hits)
    return root


def test_a_frame_is_read_as_it_was_taken(official):
    dataset = GraspDataset(official, "kinect")
    assert dataset.scene_ids == (100,)
    assert dataset.object_ids(100) == IDS
    assert dataset.view_count(100) == 2
    frame = dataset.frame(100, 1)
    assert frame.color[0, 0].tolist() == [250, 0, 0]
    np.testing.assert_allclose(frame.depth_m, 0.531)
    assert frame.clean_depth_m is None
    assert frame.time_s is None
    assert frame.object_ids == IDS
    assert set(np.unique(frame.label)) == {0, 3, 6}
    assert (frame.intrinsics.fx, frame.intrinsics.width, frame.intrinsics.height) == (60, 64, 48)
    np.testing.assert_allclose(frame.T_camera_objects, T_CAMERA_OBJECTS, atol=1e-7)
    np.testing.assert_allclose(frame.T_table_camera[:3, 3], (0.06, 0.1, 0.6))
    assert frame.rgbd().cloud().points.shape == (48 * 64, 3)


def test_official_labels_become_ours(official):
    labels = GraspDataset(official, "kinect").grasp_labels(2)
    assert labels.friction_codes.shape == (2, 300, 12, 5)
    # 0.2 and 0.4 as they are, 0.6 is too wide, 1.0 stays; 0.005 m is our own.
    assert labels.friction_codes[0, VIEW, ANGLE, 1:].tolist() == [20, 40, 255, 100]
    np.testing.assert_allclose(labels.openings_m[0, VIEW, ANGLE, 1:], [0.06, 0.06, 0, 0.06], atol=1e-6)
    assert labels.friction_codes[1, 150, 0, 1] == 254  # hits the object itself
    assert labels.positive[..., 1:].sum() == 3


def test_what_the_official_labels_lack_is_computed_from_the_mesh(official):
    labels = GraspDataset(official, "kinect").grasp_labels(2)
    np.testing.assert_allclose(labels.center_of_mass_m, 0, atol=1e-9)
    assert np.isfinite(labels.stable_scores).all()
    shallow = labels.grasps(np.argwhere(labels.positive & (np.arange(5) == 0)))
    assert len(shallow) > 100
    assert (shallow.depths == 0.005).all()
    on_top = shallow[np.abs(shallow.approaches[:, 2] + 1) < 0.01]
    assert (on_top.widths >= 0.04).all()  # a cube of 4 cm


def test_without_a_mesh_the_extra_labels_are_unknown(official, tmp_path):
    root = tmp_path / "no_models"
    shutil.copytree(official, root)
    shutil.rmtree(root / "models")
    dataset = GraspDataset(root, "kinect")
    labels = dataset.grasp_labels(2)
    assert not labels.positive[..., 0].any()
    assert np.isnan(labels.stable_scores).all()
    with pytest.raises(DatasetError, match=r"nontextured\.ply is missing"):
        dataset.mesh(2)


def test_grasps_of_a_view_are_those_that_hold_and_have_room_in_the_camera_s_frame(official):
    grasps = GraspDataset(official, "kinect").grasps(100, 0, max_friction=0.5)
    official_depths = grasps[grasps.depths > 0.005]
    # Object 2 has two cells up to 0.5; of object 5 the one at 0.02 m has no room.
    assert sorted(zip(official_depths.object_ids, official_depths.depths, strict=True)) == [
        (2, 0.01),
        (2, 0.02),
        (5, 0.01),
    ]
    first = official_depths[official_depths.object_ids == 5]
    np.testing.assert_allclose(first.translations[0], (0.1, 0.05, 0.53), atol=1e-6)
    in_object = rotation_from_approach(-fibonacci_views()[VIEW], ANGLE * np.pi / 12)
    np.testing.assert_allclose(first.rotation_matrices[0], np.diag((1.0, -1, -1)) @ in_object, atol=1e-6)


def test_max_count_limits_the_grasps_of_each_object(official):
    dataset = GraspDataset(official, "kinect")
    grasps = dataset.grasps(100, 0, max_friction=1.2, max_count=5, seed=1)
    assert np.bincount(grasps.object_ids)[list(IDS)].tolist() == [5, 5]


def test_rectangles_show_the_frontal_grasps_in_pixels(official):
    dataset = GraspDataset(official, "kinect")
    grasps = dataset.grasps(100, 0, max_friction=0.5)
    frontal = grasps[(grasps.object_ids == 5) & (grasps.depths > 0.005)]
    rectangles = rectangle_grasps(frontal, dataset.frame(100, 0).intrinsics)
    x, y = 31.5 + 60 * 0.1 / 0.53, 23.5 + 60 * 0.05 / 0.53
    np.testing.assert_allclose(rectangles[0, :2], (x, y), atol=1e-4)
    opening_px = np.linalg.norm(rectangles[0, 2:4] - rectangles[0, :2])
    assert opening_px == pytest.approx(60 * 0.03 / 0.53, rel=0.02)
    assert rectangles[0, 4] == pytest.approx(60 * 0.02 / 0.53, rel=1e-3)
    assert rectangles[0, 6] == 5


def test_folders_that_are_no_dataset_are_refused_with_a_fix(tmp_path):
    with pytest.raises(DatasetError, match="give the folder that holds scenes/"):
        GraspDataset(tmp_path)
    (tmp_path / "scenes").mkdir()
    with pytest.raises(DatasetError, match="holds no scene_NNNN folder"):
        GraspDataset(tmp_path)


def test_parts_of_a_mesh_that_touch_stay_apart(official, tmp_path):
    root = tmp_path / "touching"
    shutil.copytree(official, root)
    parts = [trimesh.creation.box((0.04,) * 3) for _ in range(2)]
    parts[1].apply_translation((0.04, 0.04, 0.0))  # along one edge, which four triangles would share
    trimesh.util.concatenate(parts).export(root / "models" / "002" / "nontextured.ply")
    check_mesh(GraspDataset(root, "kinect").mesh(2))


def test_a_camera_nobody_knows_is_refused(official):
    with pytest.raises(DatasetError, match="choose one of realsense, kinect"):
        GraspDataset(official, "l515")


def test_views_of_the_other_camera_are_missing_by_name(official):
    with pytest.raises(DatasetError, match=r"realsense/.*\.npy is missing"):
        GraspDataset(official).frame(100, 0)


def test_scenes_views_and_association_that_are_not_there_are_named(official):
    dataset = GraspDataset(official, "kinect")
    with pytest.raises(DatasetError, match="no complete scene 7"):
        dataset.object_ids(7)
    with pytest.raises(DatasetError, match="has 2 views, asked for 2"):
        dataset.frame(100, 2)
    with pytest.raises(DatasetError, match=r"association\.npz is missing"):
        dataset.association(100)


def test_collision_labels_of_another_scene_are_refused(official, tmp_path):
    root = tmp_path / "wrong"
    shutil.copytree(official, root)
    (root / "scenes" / "scene_0100" / "object_id_list.txt").write_text("2\n5\n9\n")
    with pytest.raises(DatasetError, match="labels of 2 objects, the scene has 3"):
        GraspDataset(root, "kinect").collisions(100)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ({"scores": np.zeros((2, 300, 12, 3))}, "scores must have shape"),
        ({"points": None}, "no grasp labels"),
    ],
)
def test_official_labels_of_another_shape_are_refused(official, tmp_path, broken, message):
    root = tmp_path / "broken"
    shutil.copytree(official, root)
    path = root / "grasp_label" / "002_labels.npz"
    arrays = dict(np.load(path)) | broken
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    with pytest.raises(DatasetError, match=message):
        GraspDataset(root, "kinect").grasp_labels(2)
