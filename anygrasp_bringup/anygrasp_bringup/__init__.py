# SPDX-License-Identifier: Apache-2.0
"""Launch files, configuration and the ROS support that all nodes share."""
