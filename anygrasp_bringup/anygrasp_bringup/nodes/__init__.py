# SPDX-License-Identifier: Apache-2.0
"""What the nodes of every package share: QoS, parameters, TF, start and stop."""
