# SPDX-License-Identifier: Apache-2.0
"""Grasp detection from depth images: types, detectors, post-processing, nodes, CLI."""
