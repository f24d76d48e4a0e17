# SPDX-License-Identifier: Apache-2.0
"""Catching what moves: Algorithm 1 of the paper, what it sees, and how it went."""
