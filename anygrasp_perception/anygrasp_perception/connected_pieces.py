# SPDX-License-Identifier: Apache-2.0
"""Which points hang together: by links between them, or by lying close to each other."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from anygrasp_perception.arrays import IntpArray

__all__ = ["linked_pieces", "pieces_within"]


def linked_pieces(count: int, first: IntpArray, second: IntpArray) -> IntpArray:
    """Return the piece (count,), from 0, of each of `count` points that links (E,) and (E,) connect."""
    graph = coo_matrix((np.ones(len(first), dtype=np.int8), (first, second)), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.intp)


def pieces_within(tree: cKDTree, reach_m: float) -> IntpArray:
    """Return the piece (N,), from 0, of each of the tree's points; two within `reach_m` are of one piece."""
    return linked_pieces(tree.n, *tree.query_pairs(reach_m, output_type="ndarray").T)
