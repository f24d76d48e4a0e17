# SPDX-License-Identifier: Apache-2.0
"""Learned grasp features, for the `association` policy (paper IV-B.2)."""

from __future__ import annotations

from pathlib import Path

from anygrasp_perception.arrays import Float64Array
from anygrasp_tracking.association_input import gather_input
from anygrasp_tracking.association_network import AssociationNetwork
from anygrasp_tracking.association_weights import load_association, shipped_association_weights
from anygrasp_tracking.tracking_frame import TrackingFrame

__all__ = ["AssociationFeatures"]


class AssociationFeatures:
    """Describes the grasps of a frame by the association network, as an `AssociationPolicy` takes it."""

    def __init__(
        self,
        weights: Path | str | None = None,
        network: AssociationNetwork | None = None,
        device: str = "cpu",
    ) -> None:
        """Load `weights`, the shipped ones by default, or take a network. Raises WeightsError."""
        self.network = network or load_association(weights or shipped_association_weights(), device)

    def __call__(self, frame: TrackingFrame) -> Float64Array:
        """Features (N, 256) of unit length.

        Raises:
            FeaturesMissing: the frame has no features of a geometry network, or of other sizes.
        """
        described = self.network.describe(gather_input(frame, self.network.config))
        return described.double().numpy()
