# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""What runs in the policy's own process; started by process.py."""

from dataclasses import replace
import importlib
import mmap
from multiprocessing.connection import Connection
import os
import signal
import sys
import threading
import time
from typing import Any

from vla_control.core.errors import VlaControlError
from vla_control.core.messages import ActionChunk
from vla_control.core.protocols import Policy
from vla_control.core.realtime import Haste
from vla_control.policies.checks import check_chunk, check_observation
from vla_control.policies.wire import (
    pack_chunk,
    pack_description,
    pack_message,
    REGION,
    Region,
    unpack_message,
    unpack_observation,
)

# What libraries of foreign policies raise for bad input; anything else ends the process.
_POLICY_FAILURES = (VlaControlError, ValueError, TypeError, LookupError, RuntimeError, OSError)


def main() -> int:
    """Load the policy the parent asks for and answer its requests until it is gone."""
    pipe_fd, region_fd, life_fd = (int(a) for a in sys.argv[1:4])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the parent, who ends us
    threading.Thread(target=_die_with_parent, args=(life_fd,), daemon=True).start()
    pipe: Connection = Connection(pipe_fd)
    memory = mmap.mmap(region_fd, REGION)
    target, _ = unpack_message(pipe.recv_bytes())
    try:
        policy = _load(target['function'], target['arguments'])
    except _POLICY_FAILURES as error:
        pipe.send_bytes(pack_message({'failed': _say(error)}))
        return 1
    pipe.send_bytes(pack_description(policy.describe()))
    haste = Haste(target['priority'])
    haste.resume()
    try:
        while True:
            request, _ = unpack_message(pipe.recv_bytes())
            pipe.send_bytes(_answer(policy, request, memory, haste))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return 0  # the parent has closed the worker


def _load(function: str, arguments: list[Any]) -> Policy:
    module, _, name = function.partition(':')
    policy: Policy = getattr(importlib.import_module(module), name)(*arguments)
    return policy


def _answer(policy: Policy, request: dict[str, Any], memory: mmap.mmap, haste: Haste) -> bytes:
    number = request['request']
    try:
        chunk = _infer(policy, request, memory, haste)
    except _POLICY_FAILURES as error:
        return pack_message({'answer': number, 'error': _say(error)})
    return pack_chunk(number, chunk)


def _infer(
    policy: Policy, request: dict[str, Any], memory: mmap.mmap, haste: Haste
) -> ActionChunk:
    observation, prefix = unpack_observation(Region(memory), request['observation'])
    description = policy.describe()
    check_observation(description, observation)
    haste.rest()
    try:
        if request['reset']:
            policy.reset()
        began = time.perf_counter()
        chunk = policy.infer(observation, prefix)
        took = time.perf_counter() - began
    finally:
        haste.resume()
    check_chunk(description, observation, chunk)
    return replace(chunk, inference=took)


def _say(error: Exception) -> str:
    kind = '' if isinstance(error, VlaControlError) else f'{type(error).__name__}: '
    return f'{kind}{error}'


def _die_with_parent(life_fd: int) -> None:
    """End the process when the parent's end of the pipe closes, however that came about."""
    os.read(life_fd, 1)
    os._exit(1)
