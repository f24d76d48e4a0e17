# SPDX-License-Identifier: Apache-2.0
"""Launch files, configuration and ROS support shared by all nodes: launch runner, TF, QoS, parameters."""
