# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import trimesh

from anygrasp_training.labels import LabelConfig, label_object
from anygrasp_training.labels.mesh_checks import check_mesh


def box():
    return trimesh.creation.box((0.04, 0.05, 0.06))


def test_a_closed_mesh_in_metres_is_accepted():
    check_mesh(box())
    check_mesh(trimesh.creation.annulus(r_min=0.01, r_max=0.02, height=0.01))


def test_an_empty_mesh_is_refused():
    with pytest.raises(ValueError, match=r"mug.obj has no triangles; load it with force='mesh'"):
        check_mesh(trimesh.Trimesh(), "mug.obj")


def test_a_mesh_in_millimetres_is_refused():
    mesh = box()
    mesh.apply_scale(1000.0)
    with pytest.raises(ValueError, match=r"measures 60 m, limit 1 m: .* mesh.apply_scale\(0.001\)"):
        check_mesh(mesh)


def test_a_mesh_with_a_hole_is_refused():
    mesh = box()
    mesh.update_faces(np.arange(len(mesh.faces)) != 0)
    with pytest.raises(ValueError, match="not watertight: 3 edges"):
        check_mesh(mesh)


def test_triangles_without_common_vertices_are_told_to_be_merged():
    soup = trimesh.Trimesh(box().triangles.reshape(-1, 3), np.arange(36).reshape(-1, 3), process=False)
    with pytest.raises(ValueError, match=r"not watertight: 36 edges .* mesh.merge_vertices\(\)"):
        check_mesh(soup)


def test_an_edge_of_four_triangles_is_refused():
    """Two boxes that touch along one edge and share its vertices."""
    box_here = trimesh.creation.box(bounds=((0, 0, 0), (0.03, 0.03, 0.03)))
    other = box_here.copy()
    other.apply_translation((0.03, 0.03, 0.0))
    joined = trimesh.util.concatenate([box_here, other])
    joined.merge_vertices()
    with pytest.raises(ValueError, match="not manifold: 1 edges belong to more than two triangles"):
        check_mesh(joined)


def test_a_mesh_inside_out_is_refused():
    mesh = box()
    mesh.invert()
    with pytest.raises(ValueError, match=r"face inwards, volume -0.00012 m\^3; mesh.fix_normals\(\)"):
        check_mesh(mesh)


def test_nan_vertices_are_refused():
    mesh = trimesh.Trimesh(np.full((3, 3), np.nan), [[0, 1, 2]], process=False)
    with pytest.raises(ValueError, match="NaN or infinite vertices"):
        check_mesh(mesh)


def test_labelling_checks_its_mesh():
    mesh = box()
    mesh.apply_scale(1000.0)
    with pytest.raises(ValueError, match="likely in millimetres"):
        label_object(mesh, np.zeros(3), LabelConfig())
