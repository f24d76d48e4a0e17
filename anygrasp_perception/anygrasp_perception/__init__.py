# SPDX-License-Identifier: Apache-2.0
"""Grasp types, camera and cloud models, grasp detection and post-processing; camera and detection nodes, detect CLI."""
