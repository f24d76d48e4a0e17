# SPDX-License-Identifier: Apache-2.0
"""Off-screen pictures and depth from a camera of the MuJoCo model."""

from __future__ import annotations

import atexit
from types import TracebackType

import mujoco
import numpy as np

from anygrasp_perception.arrays import Float32Array, Uint8Array
from anygrasp_sim.gl_context import create_gl_context

__all__ = ["OffscreenCamera"]


class OffscreenCamera:
    """Renders one named camera; plain and quick for a sensor, or `fancy` with shadows and smooth edges.

    Owns an OpenGL context: use it from one thread, and close it (or use it as a context manager).

    Raises:
        ValueError: the model has no such camera, or the picture exceeds the model's off-screen buffer.
        RenderingUnavailable: no OpenGL on this machine.
    """

    def __init__(
        self,
        model: mujoco.MjModel,
        camera: str,
        width: int,
        height: int,
        *,
        fancy: bool = False,
        hidden_groups: tuple[int, ...] = (),
    ) -> None:
        names = [model.camera(i).name for i in range(model.ncam)]
        if camera not in names:
            raise ValueError(f"the model has no camera {camera!r}; choose one of {', '.join(names)}")
        limits = model.vis.global_
        if width > limits.offwidth or height > limits.offheight:
            raise ValueError(
                f"a picture of {width}x{height} exceeds the off-screen buffer of "
                f"{limits.offwidth}x{limits.offheight}; ask for a smaller one"
            )
        self._model = model
        self._rect = mujoco.MjrRect(0, 0, width, height)
        self._view = mujoco.MjvCamera()
        self._view.type = mujoco.mjtCamera.mjCAMERA_FIXED
        self._view.fixedcamid = model.camera(camera).id
        self._option = mujoco.MjvOption()
        self._option.geomgroup[:] = 1
        self._option.geomgroup[3] = 0  # collision shapes
        self._option.sitegroup[:] = 0
        for group in hidden_groups:
            self._option.geomgroup[group] = 0
        self._scene = mujoco.MjvScene(model, maxgeom=2000)
        flags = mujoco.mjtRndFlag
        for flag in (flags.mjRND_SHADOW, flags.mjRND_FOG, flags.mjRND_SKYBOX):  # even the sky has a depth
            self._scene.flags[flag] = fancy
        self._scene.flags[flags.mjRND_REFLECTION] = False
        self._gl = create_gl_context(width, height)
        self._gl.make_current()
        quality = model.vis.quality
        samples = quality.offsamples
        # Averaging samples would invent depths half way between the two sides of an edge.
        quality.offsamples = 8 if fancy else 0
        self._context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100.value)
        quality.offsamples = samples
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, self._context)
        self._context.readDepthMap = mujoco.mjtDepthMap.mjDEPTH_ZEROFAR
        # EGL shuts down at exit; what it still holds by then must be gone.
        atexit.register(self.close)
        self._closed = False

    def render(self, data: mujoco.MjData) -> tuple[Uint8Array, Float32Array]:
        """Colour (H, W, 3) RGB and depth along the optical axis (H, W) in metres, 0 where nothing is.

        Raises:
            RuntimeError: the camera was closed.
        """
        color, depth = self._draw(data, with_depth=True)
        near, far = (
            self._model.stat.extent * z for z in (self._model.vis.map.znear, self._model.vis.map.zfar)
        )
        # Reversed depth buffer: 1 at the near plane, 0 at infinity's stand-in, the far plane.
        metres = (near * far / (far - near)) / (depth.astype(np.float64) + near / (far - near))
        metres[metres > 0.999 * far] = 0.0
        return color, metres.astype(np.float32)

    def picture(self, data: mujoco.MjData) -> Uint8Array:
        """Colour (H, W, 3) RGB alone."""
        return self._draw(data, with_depth=False)[0]

    def close(self) -> None:
        """Free the OpenGL resources; safe to call twice."""
        if not self._closed:
            self._closed = True
            atexit.unregister(self.close)
            self._gl.make_current()
            self._context.free()
            self._gl.free()

    def __enter__(self) -> OffscreenCamera:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _draw(self, data: mujoco.MjData, *, with_depth: bool) -> tuple[Uint8Array, Float32Array]:
        if self._closed:
            raise RuntimeError("the camera is closed; make a new OffscreenCamera")
        self._gl.make_current()
        mujoco.mjv_updateScene(
            self._model,
            data,
            self._option,
            None,
            self._view,
            mujoco.mjtCatBit.mjCAT_ALL.value,
            self._scene,
        )
        mujoco.mjr_render(self._rect, self._scene, self._context)
        color = np.empty((self._rect.height, self._rect.width, 3), dtype=np.uint8)
        depth = np.empty((self._rect.height, self._rect.width), dtype=np.float32) if with_depth else None
        mujoco.mjr_readPixels(color, depth, self._rect, self._context)
        # OpenGL's first row is the lowest.
        empty = np.empty((0, 0), dtype=np.float32)
        return np.ascontiguousarray(color[::-1]), empty if depth is None else depth[::-1]
