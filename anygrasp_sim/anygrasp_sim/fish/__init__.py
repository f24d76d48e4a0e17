# SPDX-License-Identifier: Apache-2.0
"""The fish cell: a Rizon 4 with long fingers over a tank of swimming robot fish (paper V-B, Fig. 5)."""
