# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""An emulated DK1 on a pseudo-terminal in a process of its own, in real time."""

from contextlib import contextmanager
import multiprocessing
from pathlib import Path
import time

import numpy as np

from vla_control.buses.damiao import Reg, write_register
from vla_control.core.spec import load_robot
from vla_control.robots.dynamics import RobotDynamics
from vla_control.sim.damiao_adapter import DamiaoAdapter
from vla_control.sim.pty_port import PtyPort

STEP = 0.0005  # [s] of the joints, as heavy as the arm's
INERTIA = [0.4, 0.4, 0.2, 0.02, 0.02, 0.02, 2.0]  # [kg m2], [kg]
GRIPPER = 6
PATIENCE = 30.0  # [s] for the process to start or end


@contextmanager
def live_dk1(folder: Path):
    """Yield the path of the adapter and a dict that tells, afterwards, what it has heard."""
    context = multiprocessing.get_context('spawn')
    ours, theirs = context.Pipe()
    path = folder / 'adapter'
    process = context.Process(target=_live, args=(str(path), str(folder), theirs), daemon=True)
    process.start()
    theirs.close()
    assert ours.poll(PATIENCE), 'the emulated arm did not start'
    ours.recv()
    heard = {}
    try:
        yield str(path), heard
    finally:
        ours.send('end')
        if ours.poll(PATIENCE):
            heard.update(ours.recv())
        process.join(PATIENCE)


def _live(path, folder, parent):
    spec = load_robot('dk1')
    dynamics = RobotDynamics.from_spec(spec)
    device = DamiaoAdapter(PtyPort(path, Path(folder)), spec)
    device.motors.power_cycle()  # nobody has set a watchdog or homed the gripper
    gripper = device.motors.motor('gripper_left')
    # Soft and integrating, so that only a stop brings torque and not the start of a motion.
    for rid, value in ((Reg.KP_ASR, 0.02), (Reg.KI_ASR, 5.0)):
        gripper.on_frame(*write_register(gripper.address, rid, value), 0.0)
    lower = np.array([j.lower for j in spec.joints])
    upper = np.array([j.upper for j in spec.joints])
    q, v = np.array(spec.home), np.zeros(7)
    now = time.monotonic()
    device.measure(now, q, v)
    frames = 0
    parent.send('ready')
    while not parent.poll():
        frames += device.serve(time.monotonic(), STEP)
        if time.monotonic() - now > 0.02:
            now = time.monotonic() - 0.02  # the machine was busy; time was lost
        while now < time.monotonic():
            now += STEP
            torque = device.torques(now)
            weight = dynamics.gravity(q)
            weight[GRIPPER] = 0.0
            v = v + STEP * (torque - weight - 0.05 * v) / INERTIA
            # The maker's software leaves the joints limp for two seconds: somebody holds them.
            if not all(m._command and m._command[2] > 0.0 for m in device.motors.motors[:GRIPPER]):
                v[:GRIPPER] = 0.0
            q = q + STEP * v
            stopped = (q <= lower) | (q >= upper)
            q, v = np.clip(q, lower, upper), np.where(stopped, 0.0, v)
            device.measure(now, q, v)
    device.close()
    parent.send(
        {
            'reads': frames,
            'junk': device.junk,
            'ignored': sum(m.ignored for m in device.motors.motors),
            'status': [m.status for m in device.motors.motors],
            'states': [m._state() for m in device.motors.motors],
            'q': q.tolist(),
            'zero': gripper._q,
        }
    )
