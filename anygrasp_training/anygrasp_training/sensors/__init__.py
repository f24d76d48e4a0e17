# SPDX-License-Identifier: Apache-2.0
"""Depth-sensor models: from perfect depth to what a D415, a D435 or an L515 would report."""
