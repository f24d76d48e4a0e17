# SPDX-License-Identifier: Apache-2.0
"""The command on a box of 6 x 4 x 6 cm, standing on a table half a metre below the camera."""

import re

import numpy as np
import pytest
import trimesh

from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.grasp_io import load_graspnet_npy, save_graspnet_npy
from anygrasp_perception.se3 import make_transform
from anygrasp_training.dataset import GraspDataset
from anygrasp_training.dataset.annotations import write_meta
from anygrasp_training.dataset.files import write_array, write_bytes, write_image, write_json
from anygrasp_training.dataset.grasp_label_files import write_collisions, write_grasp_labels
from anygrasp_training.dataset.layout import DatasetLayout
from anygrasp_training.eval_cli import main
from anygrasp_training.evaluation.dataset_evaluation import DatasetEvaluator
from anygrasp_training.labels import LabelConfig, label_object

SCENE = 130  # GraspNet's first one of similar objects
TABLE_M, TOP_M = 0.5, 0.44  # depths
DOWN = np.array([[0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])  # approach z, closing y
K = np.array([[300.0, 0, 159.5], [0, 300, 119.5], [0, 0, 1]])
T_TABLE_CAMERA = make_transform(np.diag((1.0, -1.0, -1.0)), (0, 0, TABLE_M))
ONE_IN_50 = 100 * np.mean(1 / np.arange(1, 51))  # percent: one good grasp at rank 1, 49 missing

INFINITE_SCORE = np.where(np.arange(17) == 0, np.inf, 0.0)[None]


@pytest.fixture
def layout(tmp_path):
    layout = DatasetLayout(tmp_path / "dataset")
    files = layout.scene(SCENE)
    columns, rows = np.meshgrid(np.arange(320) - K[0, 2], np.arange(240) - K[1, 2])
    on_top = (np.abs(columns) * TOP_M / 300 < 0.03) & (np.abs(rows) * TOP_M / 300 < 0.02)
    write_image(files.image("rgb", 0), np.full((240, 320, 3), 128, np.uint8))
    write_image(files.image("depth", 0), (1000 * np.where(on_top, TOP_M, TABLE_M)).astype(np.uint16))
    write_image(files.image("label", 0), on_top.astype(np.uint8))
    T_camera_object = make_transform(np.eye(3), (0, 0, TABLE_M - 0.03))
    write_meta(files.image("meta", 0), (0,), T_camera_object[None], K)
    write_array(files.camera_poses, np.eye(4)[None])
    write_array(files.table_pose, T_TABLE_CAMERA)
    write_bytes(files.object_id_list, b"0\n")
    write_bytes(layout.mesh(0), trimesh.creation.box((0.06, 0.04, 0.06)).export(file_type="ply"))
    return layout


@pytest.fixture
def write_grasps(tmp_path):
    def write(y_m=0.0, rotation=DOWN, scene=SCENE, view=0):
        path = tmp_path / "grasps" / f"scene_{scene:04d}" / "realsense" / f"{view:04d}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        group = GraspGroup.from_arrays(
            translations=[(0.0, y_m, TOP_M)],
            rotation_matrices=rotation[None],
            widths=0.06,
            scores=1.0,
            depths=0.02,
        )
        save_graspnet_npy(path, group)
        return path

    return write


@pytest.fixture
def measure(layout, tmp_path):
    def run(*options):
        return main(["ap", "--grasps", str(tmp_path / "grasps"), "--dataset", str(layout.root), *options])

    return run


def row(text, split):
    """The figures of a split in the table; "-" is NaN."""
    line = re.search(rf"^\| {split} \|(.*)\|$", text, re.MULTILINE)
    return [float("nan") if cell.strip() == "-" else float(cell) for cell in line[1].split("|")]


def test_a_perfect_grasp_scores_and_the_table_is_written(measure, write_grasps, tmp_path, capsys):
    write_grasps()
    assert measure("--out", str(tmp_path / "ap.md")) == 0
    printed = capsys.readouterr().out
    expected = [ONE_IN_50] * 3 + [100.0, 1, 1]  # AP, AP0.8, AP0.4, coverage, scenes, frames
    np.testing.assert_allclose(row(printed, "similar"), expected, atol=0.01)
    assert (tmp_path / "ap.md").read_text() in printed
    assert "ms a frame" in printed


@pytest.mark.parametrize(
    "garbage",
    [{"y_m": 0.02}, {"y_m": 0.1}, {"rotation": DOWN @ np.diag((-1.0, 1.0, -1.0))}],
    ids=["a finger inside the box", "beside the box", "from below the table"],
)
def test_garbage_scores_nothing(measure, write_grasps, capsys, garbage):
    write_grasps(**garbage)
    assert measure() == 0
    np.testing.assert_array_equal(row(capsys.readouterr().out, "all"), [0, 0, 0, 0, 1, 1])


def test_a_frame_with_an_empty_array_counts(measure, write_grasps, capsys):
    np.save(write_grasps(), np.zeros((0, 17)))
    assert measure() == 0
    np.testing.assert_array_equal(row(capsys.readouterr().out, "all"), [0, 0, 0, 0, 1, 1])


def test_walls_of_our_scenes_are_collided_with(measure, layout, write_grasps, capsys):
    write_grasps()
    x, z = np.meshgrid(np.linspace(-0.1, 0.1, 50), np.linspace(0, 0.08, 20))
    wall = np.stack([x, np.full_like(x, 0.035), z], axis=-1).reshape(-1, 3)  # 15 mm beside the box
    write_array(layout.scene(SCENE).support, wall.astype(np.float32))
    assert measure() == 0
    assert row(capsys.readouterr().out, "all")[0] == 0


def test_our_datasets_name_their_split_and_training_objects_are_seen(measure, layout, write_grasps, capsys):
    write_grasps()
    for split, name in (("train", "seen"), ("novel", "novel")):
        write_json(layout.config, {"split": split})
        assert measure("--split", name) == 0
        assert row(capsys.readouterr().out, name)[-1] == 1


def test_an_object_without_a_free_grasp_does_not_count_for_coverage(measure, layout, write_grasps, capsys):
    write_grasps()
    mesh = trimesh.creation.box((0.06, 0.04, 0.06))
    labels = label_object(mesh, np.zeros(3), LabelConfig(max_points=2), seed=0)
    write_grasp_labels(layout.grasp_label(0), labels)
    for collisions, coverage in ((np.zeros_like(labels.positive), 100.0), (labels.positive, np.nan)):
        write_collisions(layout.collision_label(SCENE), [collisions])
        assert measure() == 0
        np.testing.assert_equal(row(capsys.readouterr().out, "all")[3], coverage)


def test_the_geometric_detector_finds_the_box_and_its_files_are_evaluated(layout, tmp_path, measure, capsys):
    arguments = ["--dataset", str(layout.root), "--out", str(tmp_path / "grasps"), "--max-grasps", "20"]
    assert main(["detect", "--detector", "geometric", *arguments]) == 0
    assert re.search(r"grasps a frame in 1 frames; geometric took \d+ ms a frame", capsys.readouterr().out)
    grasps = load_graspnet_npy(tmp_path / "grasps" / f"scene_{SCENE:04d}" / "realsense" / "0000.npy")
    assert 1 <= len(grasps) <= 20
    assert (np.abs(grasps.translations[:, :2]) < 0.06).all()
    assert measure() == 0
    table = row(capsys.readouterr().out, "similar")
    assert table[0] >= 0.99 * ONE_IN_50
    assert table[3] == 100


def errors_of(arguments, capsys):
    assert main(arguments) == 1
    text = capsys.readouterr().err
    assert text.splitlines()[-1].startswith("anygrasp-eval: ")
    return text


def test_no_folder_and_no_grasps_are_errors_that_say_what_is_expected(layout, tmp_path, capsys):
    ap = ["ap", "--dataset", str(layout.root), "--grasps"]
    assert "nowhere is no folder" in errors_of([*ap, str(tmp_path / "nowhere")], capsys)
    (tmp_path / "empty").mkdir()
    text = errors_of([*ap, str(tmp_path / "empty")], capsys)
    assert "holds no grasps: expected scene_0000/realsense/0000.npy" in text


def test_grasps_of_the_other_camera_only_are_an_error(measure, write_grasps, capsys):
    write_grasps()
    assert measure("--camera", "kinect") == 1
    assert "expected scene_0000/kinect/0000.npy and so on; check --camera" in capsys.readouterr().err


@pytest.mark.parametrize(
    "content",
    [b"no array", np.zeros((3, 16)), INFINITE_SCORE, np.zeros((1, 17)), np.full((1, 17), "a")],
    ids=["no array", "16 columns", "infinite score", "no rotation", "text"],
)
def test_a_malformed_array_is_named(measure, write_grasps, capsys, content):
    path = write_grasps()
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.save(path, content)
    assert measure() == 1
    assert f"anygrasp-eval: {path}: " in capsys.readouterr().err


def test_scenes_and_views_that_the_dataset_lacks_are_named(measure, write_grasps, capsys):
    write_grasps(view=7)
    assert measure() == 1
    assert "has 1 views, asked for 7" in capsys.readouterr().err
    write_grasps(scene=4)
    assert measure() == 1
    assert "has grasps of scene 4, which" in capsys.readouterr().err


def test_a_split_without_scenes_is_an_error_that_names_those_there_are(measure, write_grasps, capsys):
    write_grasps()
    assert measure("--split", "novel", "seen") == 1
    assert "no scene of novel, seen, only of similar" in capsys.readouterr().err


def test_a_mesh_that_cannot_be_evaluated_on_is_named(measure, layout, write_grasps, capsys):
    write_grasps()
    write_bytes(layout.mesh(0), trimesh.creation.box((60.0, 40.0, 60.0)).export(file_type="ply"))
    assert measure() == 1
    assert f"{layout.mesh(0)} measures 60 m" in capsys.readouterr().err


def test_a_dataset_that_is_none_and_a_useless_count_are_errors(layout, tmp_path, capsys):
    detect = ["detect", "--out", str(tmp_path / "out"), "--dataset"]
    assert "no GraspNet-style dataset" in errors_of([*detect, str(tmp_path / "nowhere")], capsys)
    text = errors_of([*detect, str(layout.root), "--max-grasps", "0"], capsys)
    assert "--max-grasps must be at least 1, got 0" in text


def test_weights_that_are_not_there_are_named(layout, tmp_path, capsys):
    arguments = [
        "--dataset",
        str(layout.root),
        "--out",
        str(tmp_path / "out"),
        "--weights",
        "gone.safetensors",
    ]
    assert "gone.safetensors" in errors_of(["detect", "--detector", "network", *arguments], capsys)
    assert "no use for weights" in errors_of(["detect", "--detector", "geometric", *arguments], capsys)


@pytest.mark.parametrize("command", [[], ["ap"], ["detect"]])
def test_help_shows_a_whole_session(capsys, command):
    with pytest.raises(SystemExit) as stop:
        main([*command, "--help"])
    assert stop.value.code == 0
    assert "anygrasp-eval detect --detector geometric" in capsys.readouterr().out


def test_fingers_as_long_as_the_labels_reach_an_object_deeper_than_those_of_the_benchmark(layout):
    evaluator = DatasetEvaluator(GraspDataset(layout.root))
    deep = GraspGroup.from_arrays(
        translations=[(0.0, 0.0, TOP_M + 0.035)],
        rotation_matrices=DOWN[None],
        widths=0.06,
        scores=1.0,
        depths=0.005,
    )
    assert evaluator.judge(SCENE, 0, deep).colliding.tolist() == [True]  # the base is 15 mm below the top
    assert evaluator.reached(SCENE, 0, deep).tolist() == [True]
    deeper = deep.replace(translations=deep.translations + np.array([0.0, 0.0, 0.03]))  # into the table
    assert evaluator.reached(SCENE, 0, deeper).tolist() == [False]
    assert evaluator.reached(SCENE, 0, GraspGroup.empty()).tolist() == [False]
