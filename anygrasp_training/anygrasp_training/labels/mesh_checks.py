# SPDX-License-Identifier: Apache-2.0
"""Refuse meshes on which grasp labels would be silently wrong."""

import numpy as np
import trimesh

__all__ = ["MAX_EXTENT_M", "check_mesh"]

MAX_EXTENT_M = 1.0  # nothing a gripper of 0.1 m picks is larger; a mesh in millimetres is


def check_mesh(mesh: trimesh.Trimesh, name: str = "mesh") -> None:
    """Raise ValueError, naming `name` and the fix, unless the mesh is one closed solid in metres.

    Inside and outside are told by the side from which a ray meets a triangle, so holes, edges shared by
    more than two triangles and normals that point inwards are errors, not details.
    """
    if len(mesh.faces) == 0:
        raise ValueError(f"{name} has no triangles; load it with force='mesh' and check the file")
    if not np.isfinite(mesh.vertices).all():
        raise ValueError(f"{name} has NaN or infinite vertices; repair the file")
    extent = float(np.ptp(mesh.vertices, axis=0).max())
    if extent > MAX_EXTENT_M:
        raise ValueError(
            f"{name} measures {extent:.4g} m, limit {MAX_EXTENT_M:g} m: it is likely in millimetres; "
            f"scale it, mesh.apply_scale(0.001)"
        )
    # Each edge of a closed surface belongs to two triangles.
    uses = np.unique(mesh.edges_sorted, axis=0, return_counts=True)[1]
    open_edges, crowded_edges = int((uses == 1).sum()), int((uses > 2).sum())
    if crowded_edges:
        raise ValueError(
            f"{name} is not manifold: {crowded_edges} edges belong to more than two triangles; "
            f"unite its parts, trimesh.boolean.union(parts)"
        )
    if open_edges:
        raise ValueError(
            f"{name} is not watertight: {open_edges} edges belong to one triangle only; "
            f"mesh.merge_vertices(), then mesh.fill_holes()"
        )
    if not mesh.is_winding_consistent or mesh.volume <= 0.0:
        raise ValueError(
            f"{name} has triangles that face inwards, volume {mesh.volume:.3g} m^3; mesh.fix_normals()"
        )
