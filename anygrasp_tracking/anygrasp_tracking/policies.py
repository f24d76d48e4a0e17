# SPDX-License-Identifier: Apache-2.0
"""The tracking policies that ship, by name."""

from __future__ import annotations

from pathlib import Path

from anygrasp_tracking.appearance_features import AppearanceFeatures
from anygrasp_tracking.correspondence import AssociationPolicy, CorrespondencePolicy, NearestPolicy

__all__ = ["DEFAULT_POLICY", "POLICIES", "PolicyError", "make_policy"]

# The learned one needs the detector 'network'; the others follow the grasps of any.
POLICIES = ("association", "appearance", "nearest")
DEFAULT_POLICY = "association"
# Of the features looked for, so that small errors do not add up: with it 24 % of the frames of films of the
# training split were kept, 21 % with 0.6.
_MEMORY = 0.9


class PolicyError(RuntimeError):
    """A policy that cannot be made here; the message names the fix."""


def make_policy(name: str = DEFAULT_POLICY, weights: Path | str | None = None) -> CorrespondencePolicy:
    """The policy called `name`; `weights` of the association network, the shipped ones when None or empty.

    Raises:
        ValueError: there is none of that name, or it has no use for weights.
        PolicyError: the weights cannot be used, or torch is not installed.
    """
    if name not in POLICIES:
        raise ValueError(f"no tracking policy {name!r}; choose one of {', '.join(POLICIES)}")
    if name == "association":
        return _association(weights or None)
    if weights:
        raise ValueError(f"the policy {name!r} has no use for weights {weights}; choose 'association'")
    if name == "appearance":
        return AssociationPolicy(AppearanceFeatures(), name="appearance")
    return NearestPolicy()


# torch takes seconds to import: only who asks for the network waits for it.
def _association(weights: Path | str | None) -> CorrespondencePolicy:
    try:
        from anygrasp_perception.network.weights import WeightsError
        from anygrasp_tracking.association_features import AssociationFeatures
    except ImportError as error:
        raise PolicyError(
            f"the association network needs torch and safetensors ({error}); run ./run setup, or choose "
            "'appearance'"
        ) from error
    try:
        return AssociationPolicy(AssociationFeatures(weights), memory=_MEMORY)
    except WeightsError as error:
        raise PolicyError(f"{error}; the policies 'appearance' and 'nearest' need no weights") from error
