# SPDX-License-Identifier: Apache-2.0
"""Grasp correspondence over time and motion prediction."""
