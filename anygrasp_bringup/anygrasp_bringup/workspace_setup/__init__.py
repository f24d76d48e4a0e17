# SPDX-License-Identifier: Apache-2.0
"""Makes a fresh checkout runnable, for `./run`: system packages, .venv, dependencies, messages, packages.

Standard library only: it runs before anything is installed.
"""
