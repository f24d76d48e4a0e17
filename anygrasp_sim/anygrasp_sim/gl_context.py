# SPDX-License-Identifier: Apache-2.0
"""OpenGL without a screen: finds the off-screen backend that works on this machine."""

from __future__ import annotations

import functools
import importlib
import os
import subprocess
import sys
from typing import Protocol

__all__ = ["GlContext", "RenderingUnavailable", "create_gl_context", "gl_backend"]

_OFFSCREEN_BACKENDS = ("egl", "osmesa")  # a graphics card or its software stand-in, then software alone
_PROBE = "import mujoco; context = mujoco.GLContext(8, 8); context.make_current(); context.free()"
_PROBE_TIMEOUT_S = 60.0
_INSTALL_HINT = "apt-get install -y libegl1 libgl1-mesa-dri   # or: libosmesa6"


class RenderingUnavailable(RuntimeError):
    """No OpenGL backend works on this machine; the message names the packages to install."""


class GlContext(Protocol):
    """An OpenGL context of MuJoCo's."""

    def make_current(self) -> None:
        """Direct the calling thread's OpenGL calls to this context."""
        ...

    def free(self) -> None:
        """Release it."""
        ...


@functools.cache
def gl_backend() -> str:
    """The backend to render with: MUJOCO_GL where it is set, else the first of egl and osmesa that works.

    Raises:
        RenderingUnavailable: neither works.
    """
    asked = os.environ.get("MUJOCO_GL", "").strip().lower()
    if asked:
        return asked
    failures = []
    for backend in _OFFSCREEN_BACKENDS:
        # In a child, because PyOpenGL binds to a platform once and for all, and a broken driver may crash.
        probe = subprocess.run(
            [sys.executable, "-c", _PROBE],
            env={**os.environ, "MUJOCO_GL": backend, "PYOPENGL_PLATFORM": backend},
            capture_output=True,
            text=True,
            timeout=_PROBE_TIMEOUT_S,
            check=False,
        )
        if probe.returncode == 0:
            return backend
        reason = probe.stderr.strip().splitlines()
        failures.append(f"{backend}: {reason[-1] if reason else f'exit code {probe.returncode}'}")
    raise RenderingUnavailable(
        f"no off-screen OpenGL ({'; '.join(failures)}); install it with: {_INSTALL_HINT}"
    )


def create_gl_context(width: int, height: int) -> GlContext:
    """An off-screen context of at least this size in pixels.

    Raises:
        RenderingUnavailable: no backend works, or the one named by MUJOCO_GL is unknown.
    """
    backend = gl_backend()
    if backend not in (*_OFFSCREEN_BACKENDS, "glfw"):
        raise RenderingUnavailable(f"MUJOCO_GL is {backend!r}; choose one of egl, osmesa, glfw, or unset it")
    context: GlContext = importlib.import_module(f"mujoco.{backend}").GLContext(width, height)
    return context
