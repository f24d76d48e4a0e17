# SPDX-License-Identifier: Apache-2.0
"""Objects from the user's meshes and from wheels: what is accepted, and what the refusals say."""

import importlib.util
import sys

import numpy as np
import pytest
import trimesh

from anygrasp_training.objects.mesh_folder import MeshFileError, load_mesh_folder, load_mesh_object
from anygrasp_training.objects.mesh_wheels import load_random_urdf, load_rgb_objects

BOX_M = (0.10, 0.04, 0.02)


def write(mesh, path):
    mesh.export(path)
    return path


@pytest.mark.parametrize("suffix", ["obj", "stl", "ply"])
def test_a_box_becomes_one_part_with_the_mass_of_its_volume(tmp_path, suffix):
    mesh = trimesh.creation.box(BOX_M, transform=trimesh.transformations.translation_matrix((1, 2, 3)))
    item = load_mesh_object(write(mesh, tmp_path / f"brick.{suffix}"), density_kg_m3=500.0)
    assert (item.name, item.family, item.category) == ("brick", "brick", "mesh")
    assert item.mass_kg == pytest.approx(500.0 * 0.10 * 0.04 * 0.02, rel=1e-5)
    np.testing.assert_allclose(item.size_m, BOX_M, atol=1e-6)
    np.testing.assert_allclose(item.mesh.center_mass, 0, atol=1e-7)
    assert len(item.convex_parts) == 1


def test_scale_turns_millimetres_into_metres(tmp_path):
    path = write(trimesh.creation.box((100, 40, 20)), tmp_path / "box.stl")
    np.testing.assert_allclose(load_mesh_object(path, scale=0.001).size_m, BOX_M, atol=1e-6)


def test_overlapping_convex_bodies_become_the_parts_of_one_object(tmp_path):
    bodies = [trimesh.creation.box((0.04, 0.04, 0.04)), trimesh.creation.icosphere(2, 0.02)]
    bodies[1].apply_translation((0.03, 0, 0))
    item = load_mesh_object(write(trimesh.util.concatenate(bodies), tmp_path / "two.stl"))
    assert len(item.convex_parts) == 2
    assert item.mesh.body_count == 1
    assert item.mesh.volume < sum(part.volume for part in item.convex_parts)


def test_padding_closes_the_gap_between_bodies(tmp_path):
    bodies = [trimesh.creation.box((0.04, 0.04, 0.04)), trimesh.creation.box((0.04, 0.04, 0.04))]
    bodies[1].apply_translation((0.0402, 0, 0))
    path = write(trimesh.util.concatenate(bodies), tmp_path / "apart.stl")
    with pytest.raises(MeshFileError, match=r"apart\.stl.*2 bodies.*part_padding_m"):
        load_mesh_object(path)
    assert load_mesh_object(path, part_padding_m=0.0005).mesh.body_count == 1


def test_a_nearly_convex_mesh_keeps_its_surface_and_is_touched_at_its_hull(tmp_path):
    mesh = trimesh.creation.icosphere(2, 0.03)
    mesh.vertices[0] *= 0.9
    item = load_mesh_object(write(mesh, tmp_path / "dent.ply"), color=(1.0, 0.0, 0.0))
    assert len(item.convex_parts) == 1
    assert item.convex_parts[0].volume > item.mesh.volume
    assert item.surfaces == ((item.mesh, (1.0, 0.0, 0.0)),)
    assert (item.face_colors == (1.0, 0.0, 0.0)).all()


def test_a_closed_cavity_is_not_filled_with_mass(tmp_path):
    shell, cavity = trimesh.creation.icosphere(3, 0.03), trimesh.creation.icosphere(3, 0.01)
    solid_kg = 600.0 * (shell.volume - cavity.volume)
    cavity.invert()
    item = load_mesh_object(write(trimesh.util.concatenate([shell, cavity]), tmp_path / "ball.stl"))
    assert item.mass_kg == pytest.approx(solid_kg, rel=1e-4)
    assert len(item.convex_parts) == 1


def test_separate_concave_bodies_are_not_one_object(tmp_path):
    bodies = [trimesh.creation.torus(0.02, 0.005), trimesh.creation.torus(0.02, 0.005)]
    bodies[1].apply_translation((0.1, 0, 0))
    path = write(trimesh.util.concatenate(bodies), tmp_path / "pair.stl")
    with pytest.raises(MeshFileError, match=r"pair\.stl holds 2 separate bodies.*its own file"):
        load_mesh_object(path)


@pytest.mark.parametrize("wrong", [{"scale": 0.0}, {"density_kg_m3": -1.0}])
def test_scale_and_density_must_be_positive(tmp_path, wrong):
    path = write(trimesh.creation.box(BOX_M), tmp_path / "box.stl")
    with pytest.raises(ValueError, match="must both be positive"):
        load_mesh_object(path, **wrong)


def test_colour_of_the_file_is_kept(tmp_path):
    mesh = trimesh.creation.box(BOX_M)
    mesh.visual.vertex_colors = np.tile([255, 0, 51, 255], (len(mesh.vertices), 1)).astype(np.uint8)
    assert load_mesh_object(write(mesh, tmp_path / "red.ply")).color == pytest.approx((1.0, 0.0, 0.2))


@pytest.mark.skipif(importlib.util.find_spec("coacd") is not None, reason="coacd is installed")
def test_a_concave_mesh_without_coacd_names_file_and_fix(tmp_path):
    path = write(trimesh.creation.torus(0.04, 0.012), tmp_path / "torus.stl")
    with pytest.raises(MeshFileError, match=r"torus\.stl is concave: .* pip install coacd"):
        load_mesh_object(path)


@pytest.mark.skipif(importlib.util.find_spec("coacd") is None, reason="coacd is not installed")
def test_coacd_cuts_a_concave_mesh_into_few_convex_parts(tmp_path):
    item = load_mesh_object(write(trimesh.creation.torus(0.04, 0.012), tmp_path / "torus.stl"))
    assert 2 <= len(item.convex_parts) <= 12
    assert sum(part.volume for part in item.convex_parts) == pytest.approx(item.mesh.volume, rel=0.15)


def test_an_open_mesh_names_file_and_fix(tmp_path):
    mesh = trimesh.creation.box(BOX_M)
    mesh.update_faces(np.arange(len(mesh.faces)) > 0)
    with pytest.raises(MeshFileError, match=r"open\.stl is not watertight: 3 edges.*fill_holes"):
        load_mesh_object(write(mesh, tmp_path / "open.stl"))


def test_a_mesh_in_millimetres_names_file_and_fix(tmp_path):
    path = write(trimesh.creation.box((100, 40, 20)), tmp_path / "mm.stl")
    with pytest.raises(MeshFileError, match=r"mm\.stl measures 100 m, limit 1 m.*scale=0\.001"):
        load_mesh_object(path)


def test_a_mesh_too_small_to_be_in_metres_is_refused(tmp_path):
    path = write(trimesh.creation.box((0.001, 0.001, 0.001)), tmp_path / "speck.stl")
    with pytest.raises(MeshFileError, match=r"speck\.stl measures 0\.001 m.*scale"):
        load_mesh_object(path)


def test_a_file_without_triangles_is_refused(tmp_path):
    path = tmp_path / "points.obj"
    path.write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\n")
    with pytest.raises(MeshFileError, match=r"points\.obj"):
        load_mesh_object(path)


def test_a_file_that_is_no_mesh_is_refused(tmp_path):
    path = tmp_path / "text.ply"
    path.write_text("hello")
    with pytest.raises(MeshFileError, match=r"text\.ply cannot be read as a mesh"):
        load_mesh_object(path)


def test_folder_is_loaded_by_name_and_other_files_are_left_out(tmp_path):
    write(trimesh.creation.box(BOX_M), tmp_path / "b.stl")
    write(trimesh.creation.icosphere(2, 0.03), tmp_path / "a.obj")
    (tmp_path / "notes.txt").write_text("not a mesh")
    assert [item.name for item in load_mesh_folder(tmp_path)] == ["a", "b"]


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(MeshFileError, match="is not a folder"):
        load_mesh_folder(tmp_path / "nowhere")


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(MeshFileError, match=r"holds no mesh; put \.obj, \.ply, \.stl"):
        load_mesh_folder(tmp_path)


def test_random_urdf_out_of_range_is_refused():
    with pytest.raises(ValueError, match="1000 does not exist; choose 0 to 999"):
        load_random_urdf(1000)


def test_unknown_rgb_subset_lists_the_choices():
    with pytest.raises(ValueError, match="'val'; choose one of train, heldout, test_triplets"):
        load_rgb_objects("val")


@pytest.mark.skipif(importlib.util.find_spec("pybullet_data") is not None, reason="the wheel is installed")
def test_a_missing_wheel_says_how_to_install_it():
    with pytest.raises(ModuleNotFoundError, match="pip install --no-deps pybullet"):
        load_random_urdf(0)


@pytest.mark.skipif(importlib.util.find_spec("dm_robotics") is not None, reason="the wheel is installed")
def test_a_missing_rgb_wheel_says_how_to_install_it():
    with pytest.raises(ModuleNotFoundError, match="pip install --no-deps dm-robotics-manipulation"):
        load_rgb_objects("heldout")


def test_random_urdf_is_read_where_the_wheel_puts_it(tmp_path, monkeypatch):
    """A folder laid out like the wheel, with the same kind of file: convex bodies 0.1 mm apart, in units."""
    folder = tmp_path / "pybullet_data" / "random_urdfs" / "007"
    folder.mkdir(parents=True)
    (tmp_path / "pybullet_data" / "__init__.py").write_text("")
    bodies = [trimesh.creation.box((4, 2, 2)), trimesh.creation.box((2, 2, 4))]
    bodies[1].apply_translation((3.007, 0, 0))
    write(trimesh.util.concatenate(bodies), folder / "007.obj")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "pybullet_data", raising=False)
    item = load_random_urdf(7)
    assert len(item.convex_parts) == 2
    assert item.size_m == pytest.approx((0.0901, 0.03, 0.06), abs=0.0012)
