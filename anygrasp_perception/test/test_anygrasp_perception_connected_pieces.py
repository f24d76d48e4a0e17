# SPDX-License-Identifier: Apache-2.0
import numpy as np
from scipy.spatial import cKDTree

from anygrasp_perception.connected_pieces import linked_pieces, pieces_within


def test_links_join_pieces_and_what_has_none_is_one_of_its_own():
    pieces = linked_pieces(5, np.array([0, 3]), np.array([3, 4]))
    assert pieces[0] == pieces[3] == pieces[4]
    assert len(set(pieces)) == 3
    assert set(pieces) == {0, 1, 2}


def test_a_chain_of_near_points_is_one_piece_and_a_gap_ends_it():
    x = np.array([0.0, 0.009, 0.018, 0.030, 0.038])
    tree = cKDTree(np.column_stack([x, np.zeros((5, 2))]))
    assert pieces_within(tree, 0.01).tolist() == [0, 0, 0, 1, 1]
    assert len(set(pieces_within(tree, 0.001))) == 5
