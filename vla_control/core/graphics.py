# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Which off-screen renderer physics uses; must run before mujoco is imported."""

import ctypes
import os


def select_renderer() -> None:
    """
    Set MUJOCO_GL and llvmpipe's thread count where the user has not.

    EGL where it has a device, else OSMesa. One rasteriser thread is as fast at our image sizes
    and leaves the other cores to the policy.
    """
    os.environ.setdefault('LP_NUM_THREADS', '0')
    if 'MUJOCO_GL' not in os.environ:
        os.environ['MUJOCO_GL'] = 'egl' if _egl_has_device() else 'osmesa'


def _egl_has_device() -> bool:
    try:
        egl = ctypes.CDLL('libEGL.so.1')
    except OSError:
        return False
    egl.eglGetProcAddress.restype = ctypes.c_void_p
    address = egl.eglGetProcAddress(b'eglQueryDevicesEXT')
    if not address:
        return False
    query = ctypes.CFUNCTYPE(
        ctypes.c_uint, ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(ctypes.c_int)
    )(address)
    count = ctypes.c_int(0)
    return bool(query(0, None, ctypes.byref(count))) and count.value > 0
