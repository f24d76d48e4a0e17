# SPDX-License-Identifier: Apache-2.0
"""Runs Python launch files where ROS 2's own `launch` is not installed (PyPI has none)."""
