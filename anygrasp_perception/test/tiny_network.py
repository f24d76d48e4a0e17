# SPDX-License-Identifier: Apache-2.0
"""A grasp network with a known opinion and no training: everything is graspable, straight down is best."""

import numpy as np
import torch

from anygrasp_perception.grasp import fibonacci_views
from anygrasp_perception.network import NETWORK_CONFIGS, GraspNetwork
from anygrasp_perception.network.heads import WIDTH_SCALE

CELLS = 60


def tiny_network(*, width_m=0.06, score=0.6, objectness=4.0, graspness=0.5, config="debug", seed=0):
    """The network, unfolded; what it says varies a little about the values given, from point to point."""
    torch.manual_seed(seed)
    network = GraspNetwork(NETWORK_CONFIGS[config])
    with torch.no_grad():
        for layer in (network.point_head.out, network.view_head.out, network.crop_head.out):
            layer.weight.mul_(0.02)
            layer.bias.zero_()
        network.point_head.out.bias.copy_(torch.tensor([0.0, objectness, graspness]))
        down = -fibonacci_views() @ np.array([0.0, 0.0, 1.0])
        network.view_head.out.bias.copy_(torch.from_numpy(down))
        network.crop_head.out.bias[:CELLS] = float(np.log(score / (1 - score)))
        network.crop_head.out.bias[CELLS : 2 * CELLS] = width_m * WIDTH_SCALE
    return network.eval()
