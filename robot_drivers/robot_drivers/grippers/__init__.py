# SPDX-License-Identifier: Apache-2.0
"""Parallel grippers behind one interface."""
