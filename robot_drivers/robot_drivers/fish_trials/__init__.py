# SPDX-License-Identifier: Apache-2.0
"""Trials of fish catching in the simulated cell: perception, executor and physics in lock-step."""
