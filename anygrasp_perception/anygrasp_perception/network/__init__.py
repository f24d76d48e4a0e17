# SPDX-License-Identifier: Apache-2.0
"""The geometry processing module (paper IV-B.1): a sparse network from points to dense grasps."""

from anygrasp_perception.network.grasp_network import GraspNetwork, GraspPrediction
from anygrasp_perception.network.network_config import NETWORK_CONFIGS, NetworkConfig
from anygrasp_perception.network.weights import WeightsError, load_network, save_network

__all__ = [
    "NETWORK_CONFIGS",
    "GraspNetwork",
    "GraspPrediction",
    "NetworkConfig",
    "WeightsError",
    "load_network",
    "save_network",
]
