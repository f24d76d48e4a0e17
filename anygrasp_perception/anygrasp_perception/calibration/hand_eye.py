# SPDX-License-Identifier: Apache-2.0
"""Five closed solutions of the hand-eye equation `P X = X Q`, with motions of the robot and of the board.

The five that OpenCV has in `calibrateHandEye`, which its Python package 5.0.0 lacks. Each is weak somewhere
(turns by 180 degrees, small turns, noise in translation), so `solve_hand_eye` computes all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.spatial.transform import Rotation

from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.se3 import inverse, make_transform

__all__ = ["METHODS", "Motions", "relative_motions", "solve_hand_eye"]


@dataclass(frozen=True, eq=False)
class Motions:
    """Pairs of motions between views, with `P X = X Q`; turns as rotation vectors too."""

    R_p: Float64Array  # (K, 3, 3)
    t_p: Float64Array  # (K, 3)
    R_q: Float64Array
    t_q: Float64Array
    r_p: Float64Array  # (K, 3)
    r_q: Float64Array


def relative_motions(A: Sequence[Float64Array], C: Sequence[Float64Array]) -> Motions:
    """Return the motions between all views of `A_i Z = X C_i`: `P = A_j inv(A_i)`, `Q = C_j inv(C_i)`."""
    P = np.array([A[j] @ inverse(A[i]) for i, j in combinations(range(len(A)), 2)])
    Q = np.array([C[j] @ inverse(C[i]) for i, j in combinations(range(len(C)), 2)])
    return Motions(
        P[:, :3, :3],
        P[:, :3, 3],
        Q[:, :3, :3],
        Q[:, :3, 3],
        Rotation.from_matrix(P[:, :3, :3]).as_rotvec(),
        Rotation.from_matrix(Q[:, :3, :3]).as_rotvec(),
    )


def solve_hand_eye(motions: Motions) -> dict[str, Float64Array]:
    """Return X (4, 4) by method, without those that found no rigid transform."""
    found = {}
    for name, method in METHODS.items():
        try:
            X = method(motions)
        except (np.linalg.LinAlgError, ValueError):  # degenerate for this method, perhaps not for another
            continue
        if np.isfinite(X).all():
            found[name] = X
    return found


def _tsai(m: Motions) -> Float64Array:
    """Tsai and Lenz 1989: the turn of X by a linear equation in its Gibbs vector."""
    p, q = _half_angle_vectors(m.r_p), _half_angle_vectors(m.r_q)
    rows, sides = _skew(p + q).reshape(-1, 3), (q - p).reshape(-1)
    gibbs = np.linalg.lstsq(rows, sides, rcond=None)[0]  # axis times tan(angle / 2)
    angle = 2.0 * np.arctan(np.linalg.norm(gibbs))
    axis = gibbs / max(float(np.linalg.norm(gibbs)), 1e-12)
    return _with_translation(Rotation.from_rotvec(axis * angle).as_matrix(), m)


def _park(m: Motions) -> Float64Array:
    """Park and Martin 1994: the rotation that maps the logarithms best onto each other."""
    return _with_translation(_procrustes(m.r_p, m.r_q), m)


def _horaud(m: Motions) -> Float64Array:
    """Horaud and Dornaika 1995: the unit quaternion that maps the unit axes best onto each other."""
    p, q = _unit(m.r_p), _unit(m.r_q)
    cost = np.zeros((4, 4))
    for a, b in zip(p, q, strict=True):  # |a h - h b|^2 is quadratic in the quaternion h
        difference = _left(np.append(0.0, a)) - _right(np.append(0.0, b))
        cost += difference.T @ difference
    w, x, y, z = np.linalg.eigh(cost)[1][:, 0]
    return _with_translation(Rotation.from_quat((x, y, z, w)).as_matrix(), m)


def _andreff(m: Motions) -> Float64Array:
    """Andreff, Horaud and Espiau 1999: rotation and translation in one linear system, then made rigid."""
    eye, count = np.eye(3), len(m.t_p)
    rows, sides = np.zeros((12 * count, 12)), np.zeros(12 * count)
    for k in range(count):
        # Row-major: vec(R_p R R_q^T) = (R_p kron R_q) vec(R).
        rows[12 * k : 12 * k + 9, :9] = np.eye(9) - np.kron(m.R_p[k], m.R_q[k])
        rows[12 * k + 9 : 12 * k + 12, :9] = np.kron(eye, m.t_q[k][None])
        rows[12 * k + 9 : 12 * k + 12, 9:] = eye - m.R_p[k]
        sides[12 * k + 9 : 12 * k + 12] = m.t_p[k]
    solution = np.linalg.lstsq(rows, sides, rcond=None)[0]
    return _with_translation(_nearest_rotation(np.asarray(solution[:9].reshape(3, 3))), m)


def _daniilidis(m: Motions) -> Float64Array:
    """Daniilidis 1999: the dual quaternion of X from the null space of the screws."""
    a, b = _dual_quaternions(m.R_p, m.t_p), _dual_quaternions(m.R_q, m.t_q)
    rows = []
    for (a_real, a_dual), (b_real, b_dual) in zip(a, b, strict=True):
        real = _left(a_real) - _right(b_real)
        dual = _left(a_dual) - _right(b_dual)
        rows += [np.hstack([real, np.zeros((4, 4))]), np.hstack([dual, real])]
    v1, v2 = np.linalg.svd(np.vstack(rows), full_matrices=False)[2][-2:]
    # lambda1 v1 + lambda2 v2 with a unit real part, orthogonal to the dual part.
    aa, ab, bb = v1[:4] @ v1[4:], v1[:4] @ v2[4:] + v2[:4] @ v1[4:], v2[:4] @ v2[4:]
    if abs(aa) > abs(bb):  # solve for the ratio that is not near infinity
        ratios = [(ratio, 1.0) for ratio in _real_roots(aa, ab, bb)]
    else:
        ratios = [(1.0, ratio) for ratio in _real_roots(bb, ab, aa)]
    candidates = [l1 * v1 + l2 * v2 for l1, l2 in ratios]
    if not candidates:
        raise ValueError("no dual quaternion of unit length")
    best = max(candidates, key=lambda h: float(np.linalg.norm(h[:4]) / np.linalg.norm(h)))
    best = best / np.linalg.norm(best[:4])
    w, x, y, z = best[:4]
    t = 2.0 * _left(best[4:]) @ np.array([w, -x, -y, -z])
    return make_transform(Rotation.from_quat((x, y, z, w)).as_matrix(), t[1:])


METHODS: dict[str, Callable[[Motions], Float64Array]] = {
    "Tsai": _tsai,
    "Park": _park,
    "Horaud": _horaud,
    "Andreff": _andreff,
    "Daniilidis": _daniilidis,
}


def _with_translation(R: Float64Array, m: Motions) -> Float64Array:
    """X with the rotation R and the translation of `(R_p - I) t = R t_q - t_p`."""
    rows = (m.R_p - np.eye(3)).reshape(-1, 3)
    sides = (m.t_q @ R.T - m.t_p).reshape(-1)
    return make_transform(R, np.linalg.lstsq(rows, sides, rcond=None)[0])


def _procrustes(p: Float64Array, q: Float64Array) -> Float64Array:
    return _nearest_rotation(np.asarray(p.T @ q))


def _nearest_rotation(M: Float64Array) -> Float64Array:
    U, _, Vt = np.linalg.svd(M if np.linalg.det(M) >= 0 else -M)
    return np.asarray(U @ np.diag([1.0, 1.0, np.linalg.det(U @ Vt)]) @ Vt)


def _half_angle_vectors(r: Float64Array) -> Float64Array:
    angles = np.linalg.norm(r, axis=1, keepdims=True)
    return np.asarray(_unit(r) * 2.0 * np.sin(angles / 2.0))


def _unit(r: Float64Array) -> Float64Array:
    return np.asarray(r / np.maximum(np.linalg.norm(r, axis=1, keepdims=True), 1e-12))


def _skew(v: Float64Array) -> Float64Array:
    """(K, 3, 3) matrices of the cross product with each of (K, 3)."""
    x, y, z = v.T
    zero = np.zeros_like(x)
    return np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(-1, 3, 3)


def _left(q: Float64Array) -> Float64Array:
    """(4, 4) matrix of `q h` for quaternions w x y z."""
    w, x, y, z = q
    return np.array([[w, -x, -y, -z], [x, w, -z, y], [y, z, w, -x], [z, -y, x, w]])


def _right(q: Float64Array) -> Float64Array:
    """(4, 4) matrix of `h q`."""
    w, x, y, z = q
    return np.array([[w, -x, -y, -z], [x, w, z, -y], [y, -z, w, x], [z, y, -x, w]])


def _dual_quaternions(R: Float64Array, t: Float64Array) -> list[tuple[Float64Array, Float64Array]]:
    """Real and dual parts, w x y z, with w of the real part not negative, so that screws compare."""
    found = []
    for (x, y, z, w), translation in zip(Rotation.from_matrix(R).as_quat(canonical=True), t, strict=True):
        real = np.array([w, x, y, z])
        found.append((real, 0.5 * _left(np.append(0.0, translation)) @ real))
    return found


def _real_roots(a: float, b: float, c: float) -> list[float]:
    return [float(root.real) for root in np.roots([a, b, c]) if abs(root.imag) < 1e-6 * (1 + abs(root))]
