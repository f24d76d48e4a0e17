# SPDX-License-Identifier: Apache-2.0
"""Executors and drivers on a simulated cell in lock-step: no ROS, no sockets, no waiting for a clock."""
