# SPDX-License-Identifier: Apache-2.0
"""The smallest friction coefficient at which two contacts hold an object (paper IV-A)."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anygrasp_perception.antipodal import friction_quality
from anygrasp_perception.arrays import Float32Array, Float64Array
from anygrasp_training.labels.contacts import PadContacts

__all__ = ["antipodal_friction", "friction_score"]

# Friction of the best and of the worst grasp that still has a score (facts of GSNet, DESIGN 3)
BEST_FRICTION = 0.1
WORST_FRICTION = 1.0


def antipodal_friction(contacts: PadContacts, closing_directions: NDArray[np.float32]) -> Float32Array:
    """Return (M,) the smallest friction coefficients that hold, infinite where none does.

    Both contacts lie on the closing line, `closing_directions` (M, 3), so the pair is antipodal when the
    line is in both friction cones: the coefficient is the tangent of the larger angle between the line and
    a contact's normal.
    """
    outward = np.stack([-closing_directions, closing_directions], axis=1)
    cosine = np.einsum("msi,msi->ms", contacts.normals, outward).min(axis=1)
    holds = contacts.touch & (cosine > 1e-3)
    cosine = np.clip(np.where(holds, cosine, 1.0), None, 1.0)
    return np.where(holds, np.sqrt(1 - cosine**2) / cosine, np.float32(np.inf)).astype(np.float32)


def friction_score(friction: ArrayLike) -> Float64Array:
    """Return grasp scores (...) in [0, 1], ln(mu_max / mu) / ln(mu_max / mu_min), mu within 0.1 and 1."""
    return friction_quality(friction, BEST_FRICTION, WORST_FRICTION)
