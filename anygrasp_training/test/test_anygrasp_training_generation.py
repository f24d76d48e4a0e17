# SPDX-License-Identifier: Apache-2.0
import dataclasses
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import trimesh

from anygrasp_perception.camera import depth_to_points
from anygrasp_perception.se3 import inverse, transform_points
from anygrasp_training.data_cli import main
from anygrasp_training.dataset import DatasetError, GraspDataset
from anygrasp_training.generation import GenerationConfig, Workers, generate_dataset
from anygrasp_training.generation.object_pool import draw_pool_object, load_pool_object
from anygrasp_training.labels import LabelConfig
from anygrasp_training.objects.mesh_folder import load_mesh_object
from anygrasp_training.scenes.cameras import CameraConfig
from anygrasp_training.scenes.plan import SceneConfig

SCENES = 3
CONFIG = GenerationConfig(
    seed=3,
    object_count=3,
    families=("brick", "carton", "nut"),
    views=3,
    association_grasps=32,
    scene=SceneConfig(min_objects=2, max_objects=3),
    camera=CameraConfig(width=128, height=96, focal_px=123.0),
    labels=LabelConfig(max_points=3),
)
KILLED = """
from pathlib import Path
import sys
sys.path.insert(0, sys.argv[2])
from test_anygrasp_training_generation import CONFIG, SCENES
from anygrasp_training.generation import Workers, generate_dataset
generate_dataset(Path(sys.argv[1]), SCENES, CONFIG, Workers(), progress=False)
"""


def contents(root: Path) -> dict[str, bytes]:
    """All files but the two that name the commit, which may move on while tests run."""
    files = (path for path in root.rglob("*") if path.is_file())
    files = (path for path in files if path.name not in ("README.md", "dataset.json"))
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    out = tmp_path_factory.mktemp("data") / "one_job"
    generate_dataset(out, SCENES, CONFIG, Workers(), "anygrasp-data scenes", progress=False)
    return GraspDataset(out)


def test_all_scenes_are_there_and_can_be_read(dataset):
    assert dataset.scene_ids == tuple(range(SCENES))
    for scene_id in dataset.scene_ids:
        objects = dataset.object_ids(scene_id)
        collisions = dataset.collisions(scene_id)
        assert len(collisions) == len(objects) > 0
        assert dataset.view_count(scene_id) == 3
        for object_id, hits in zip(objects, collisions, strict=True):
            assert not (hits & ~dataset.grasp_labels(object_id).positive).any()
        association = dataset.association(scene_id)
        assert association.cells.shape == (3, 32, 5)


def test_labelled_pixels_and_grasps_lie_on_the_objects(dataset):
    for scene_id in dataset.scene_ids:
        frame = dataset.frame(scene_id, 0)
        points = depth_to_points(frame.clean_depth_m, frame.intrinsics)
        for object_id, T_camera_object in zip(frame.object_ids, frame.T_camera_objects, strict=True):
            seen = points[frame.label == object_id + 1]
            in_object = transform_points(inverse(T_camera_object), seen)
            bounds = dataset.mesh(object_id).bounds
            assert (in_object > bounds[0] - 0.002).all()
            assert (in_object < bounds[1] + 0.002).all()
        grasps = dataset.grasps(scene_id, 0, max_friction=0.5, max_count=50)
        for object_id, T_camera_object in zip(frame.object_ids, frame.T_camera_objects, strict=True):
            mine = grasps[grasps.object_ids == object_id]
            on_object = transform_points(inverse(T_camera_object), mine.translations)
            labelled = dataset.grasp_labels(object_id).points_m
            gaps = np.linalg.norm(on_object[:, None] - labelled[None], axis=2).min(axis=1, initial=1.0)
            assert (gaps < 1e-5).all()


def test_the_sensor_s_depth_is_near_the_clean_one_and_has_holes(dataset):
    frame = dataset.frame(0, 0)
    valid = (frame.depth_m > 0) & (frame.clean_depth_m > 0) & (frame.clean_depth_m < 1.2)
    assert 0.3 < valid.mean() < 1
    assert np.median(np.abs(frame.depth_m - frame.clean_depth_m)[valid]) < 0.01
    assert (frame.depth_m != frame.clean_depth_m)[valid].any()


def test_cameras_and_table_agree_over_views(dataset):
    frames = [dataset.frame(1, view) for view in range(3)]
    in_table = [frame.T_table_camera @ frame.T_camera_objects for frame in frames]
    np.testing.assert_allclose(in_table[0], in_table[2], atol=1e-6)
    np.testing.assert_allclose(dataset.camera_poses(1)[2], frames[2].T_table_camera)


def test_table_and_walls_are_sampled_under_and_around_the_objects(dataset):
    for scene_id in dataset.scene_ids:
        support = dataset.support_points(scene_id)
        frame = dataset.frame(scene_id, 0)
        objects = (frame.T_table_camera @ frame.T_camera_objects)[:, :2, 3]
        on_table = support[np.abs(support[:, 2]) < 0.05]
        gaps = np.linalg.norm(objects[:, None] - on_table[None, :, :2], axis=2).min(axis=1)
        assert (gaps < 0.03).all()
        assert (np.abs(support[:, :2]) < 0.24 + 0.2 + 0.2).all()


def test_without_labels_there_are_scenes_and_meshes_to_evaluate_on(tmp_path):
    config = dataclasses.replace(CONFIG, labels=None, sensor="clean")
    layout = generate_dataset(tmp_path, 1, config, Workers(), progress=False)
    assert not (tmp_path / "grasp_label").exists()
    assert not (tmp_path / "collision_label").exists()
    assert "grasp labels | none" in layout.card.read_text()
    made = GraspDataset(tmp_path)
    for object_id in made.object_ids(0):
        assert made.mesh(object_id).is_watertight
    assert len(made.support_points(0)) > 1000
    assert (made.frame(0, 1).label > 0).any()


def test_the_card_has_counts_seed_commit_and_command(dataset):
    card = dataset.layout.card.read_text()
    for text in (f"| scenes | {SCENES}: ", "| seed | 3 |", "| commits | ", "`anygrasp-data scenes`"):
        assert text in card


def test_two_jobs_make_the_same_files_as_one_and_say_what_they_took(dataset, tmp_path, capsys):
    layout = generate_dataset(tmp_path, SCENES, CONFIG, Workers(jobs=2), "anygrasp-data scenes")
    assert contents(tmp_path) == contents(dataset.layout.root)
    printed = capsys.readouterr().out
    for what in ("objects", "scenes"):
        took = re.search(rf"3 {what} in \d+ s, (\d+) an hour; a worker took up to (\d+) MiB", printed)
        assert int(took[1]) > 3
        assert 50 < int(took[2]) < 2000
        assert f"| the latest {what}, 2 jobs | {took[0]} |" in layout.card.read_text()


def test_a_run_that_has_nothing_to_do_keeps_what_the_one_before_took(dataset):
    before = dataset.layout.card.read_text()
    assert "| the latest scenes, 1 job | 3 scenes in " in before
    generate_dataset(dataset.layout.root, SCENES, CONFIG, Workers(), "anygrasp-data scenes", progress=False)
    assert dataset.layout.card.read_text() == before


def test_meshes_of_the_user_join_the_pool_and_bad_ones_are_named_and_left_out(tmp_path, capsys):
    folder, out = tmp_path / "meshes", tmp_path / "data"
    folder.mkdir()
    whole = trimesh.creation.box((0.06, 0.05, 0.04))
    whole.export(folder / "block.stl")
    bodies = [trimesh.creation.box((0.04, 0.04, 0.04)), trimesh.creation.icosphere(2, 0.02)]
    bodies[1].apply_translation((0.03, 0, 0))
    trimesh.util.concatenate(bodies).export(folder / "knob.ply")
    whole.copy().apply_scale(1000).export(folder / "millimetres.stl")
    whole.copy().apply_scale(12).export(folder / "huge.stl")
    whole.update_faces(np.arange(len(whole.faces)) > 0)
    whole.export(folder / "open.stl")
    (folder / "empty.obj").write_text("")
    arguments = ["scenes", "--out", str(out), "--count", "1", "--views", "1", "--sensor", "clean"]
    arguments += ["--min-objects", "2", "--label-points", "2", "--seed", "1"]
    from_folder = ["--meshes", str(folder), "--objects", "0"]
    assert main([*arguments, *from_folder]) == 0
    printed = capsys.readouterr()
    assert "2 meshes, 4 left out" in printed.out
    for reason in (
        "millimetres.stl measures 60 m",
        "huge.stl measures 0.72 m",
        "open.stl is not watertight",
        "empty.obj",
    ):
        assert reason in printed.err

    made = GraspDataset(out)
    assert {made.object_info(k)["name"] for k in made.layout.object_ids()} == {"block", "knob"}
    assert "2 mesh" in made.layout.card.read_text()
    assert made.grasp_labels(0).positive.any()
    again = load_pool_object(made.layout, 1)
    direct = load_mesh_object(folder / "knob.ply")
    np.testing.assert_allclose(again.mesh.bounds, direct.mesh.bounds, atol=1e-6)
    assert [part.mesh.volume for part in again.parts] == pytest.approx(
        [p.volume for p in direct.convex_parts]
    )
    assert again.surfaces[0][1] == direct.surfaces[0][1]
    seen = np.unique(made.frame(0, 0).label)
    assert set(seen) <= {0, 1, 2}
    assert len(seen) > 1

    trimesh.creation.box((0.05, 0.05, 0.04)).export(folder / "block.stl")
    for changed in (from_folder, ["--objects", "2"]):
        assert main([*arguments, *changed]) == 1
        assert re.search("was made with another .*meshes", capsys.readouterr().err)


def test_a_folder_without_a_usable_mesh_is_an_error_that_says_why(tmp_path, capsys):
    (tmp_path / "text.ply").write_text("hello")
    arguments = ["scenes", "--out", str(tmp_path / "data"), "--count", "1", "--meshes", str(tmp_path)]
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert "none of the 1 meshes" in error
    assert "text.ply cannot be read as a mesh" in error
    assert not (tmp_path / "data").exists()


def test_a_kill_leaves_whole_scenes_and_the_next_run_goes_on(dataset, tmp_path):
    arguments = [sys.executable, "-c", KILLED, str(tmp_path), str(Path(__file__).parent)]
    process = subprocess.Popen(arguments)
    deadline = time.monotonic() + 120
    while not (tmp_path / "scenes").is_dir() or len(os.listdir(tmp_path / "scenes")) < 2:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = GraspDataset(tmp_path).scene_ids
    assert 1 <= len(done) < SCENES
    reference = contents(dataset.layout.root)
    for scene_id in done:
        prefix = f"scenes/scene_{scene_id:04d}/"
        whole = {name for name in reference if name.startswith(prefix)}
        assert {name for name in contents(tmp_path) if name.startswith(prefix)} == whole
    generate_dataset(tmp_path, SCENES, CONFIG, Workers(), "anygrasp-data scenes", progress=False)
    assert contents(tmp_path) == reference


def test_a_dask_cluster_makes_the_same_files(dataset, tmp_path):
    distributed = pytest.importorskip("distributed", reason="dask[distributed] is an optional extra")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        workers = Workers(backend="dask", scheduler=cluster.scheduler_address)
        generate_dataset(tmp_path, SCENES, CONFIG, workers, "anygrasp-data scenes", progress=False)
    assert contents(tmp_path) == contents(dataset.layout.root)


def test_a_folder_of_another_config_or_another_tool_is_refused(dataset, tmp_path):
    changed = GenerationConfig(**{**vars(CONFIG), "seed": 4})
    with pytest.raises(DatasetError, match="was made with another seed"):
        generate_dataset(dataset.layout.root, SCENES, changed, Workers(), progress=False)
    (tmp_path / "scenes").mkdir()
    with pytest.raises(DatasetError, match="was not made by this tool"):
        generate_dataset(tmp_path, 1, CONFIG, Workers(), progress=False)


def test_no_scheduler_is_an_error_that_names_it(tmp_path):
    pytest.importorskip("distributed", reason="dask[distributed] is an optional extra")
    workers = Workers(backend="dask", scheduler="tcp://127.0.0.1:1", scheduler_timeout_s=0.5)
    with pytest.raises(RuntimeError, match=r"no Dask scheduler at tcp://127\.0\.0\.1:1"):
        list(workers.run(print, [0]))


def test_train_and_similar_share_families_but_no_object_and_novel_shares_nothing():
    train, similar, novel = (
        [draw_pool_object(GenerationConfig(split=split), object_id) for object_id in range(60)]
        for split in ("train", "similar", "novel")
    )
    assert {family for family, _ in train} == {family for family, _ in similar}
    assert not set(train) & set(similar)
    assert not {family for family, _ in train} & {family for family, _ in novel}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"jobs": 0}, "jobs must be"),
        ({"backend": "slurm"}, "unknown backend"),
        ({"backend": "dask"}, "needs the address"),
        ({"scheduler": "tcp://x:1"}, "needs the address"),
    ],
)
def test_workers_that_cannot_work_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        Workers(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sensor": "kinect9"}, "sensor: unknown"),
        ({"split": "test"}, "split: unknown 'test'"),
        ({"split": "novel", "families": ("mug",)}, "split novel: unknown 'mug'"),
        ({"camera_name": "zed"}, "camera_name: unknown"),
        ({"families": ("unicorn",)}, "split train: unknown 'unicorn'"),
        ({"seed": -1}, "seed must be"),
        ({"views": 257}, "views must be"),
        ({"object_count": 2}, "object_count 2"),
        ({"object_count": -1}, "object_count must be"),
        ({"association_grasps": 0}, "association_grasps"),
    ],
)
def test_generation_configs_that_cannot_work_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        GenerationConfig(**changes)


def test_the_command_line_says_what_is_wrong_in_one_line(tmp_path, capsys):
    arguments = ["scenes", "--out", str(tmp_path), "--count", "1", "--objects", "2"]
    assert main(arguments) == 1
    assert capsys.readouterr().err.startswith(
        "anygrasp-data: GenerationConfig.object_count 2 with 0 meshes must be"
    )


def test_sequences_are_generated_from_the_command_line(tmp_path, capsys):
    arguments = ["sequences", "--out", str(tmp_path), "--count", "1", "--frames", "2", "--sensor", "clean"]
    assert main(arguments) == 0
    assert "1 sequences" in capsys.readouterr().out
    assert GraspDataset(tmp_path).frame(0, 1).time_s == pytest.approx(0.1)


def test_no_scenes_at_all_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="1 or more, got 0"):
        generate_dataset(tmp_path, 0, CONFIG, Workers(), progress=False)


def test_the_contact_sheet_is_drawn(tmp_path, capsys):
    path = tmp_path / "sheet.png"
    assert main(["objects", "--preview", str(path), "--instances", "1"]) == 0
    assert path.stat().st_size > 10_000
    assert "objects in" in capsys.readouterr().out
