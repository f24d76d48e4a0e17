# SPDX-License-Identifier: Apache-2.0
"""Robot arms behind one interface."""
