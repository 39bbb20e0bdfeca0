# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""A robot under control on a hand-wound clock: over the ideal mirror, or over its own bus."""

from dataclasses import replace
from typing import NamedTuple

from motions import middle
import numpy as np
import pytest

from vla_control.buses.damiao import command_id, decode_mit, decode_pos_force
from vla_control.buses.damiao import Mode as DamiaoMode
from vla_control.core.clock import ManualClock
from vla_control.core.config import available
from vla_control.core.errors import ConfigError
from vla_control.core.messages import ActionChunk, Reference
from vla_control.core.spec import JointSpec
from vla_control.robots.damiao_motors import Motor, motors_of
from vla_control.robots.factory import make_driver
from vla_control.robots.mock import Mock
from vla_control.runtime.control import RobotController
from vla_control.safety.supervisor import Event, Mode
from vla_control.sim.devices import loopback
from vla_control.sim.layout import sample_layout
from vla_control.sim.world import World

SPECIAL = range(0xFFFFFFFFFFFFFFFB, 0xFFFFFFFFFFFFFFFF)  # enable, disable, zero, clear


class Recorder:
    """A driver that keeps what is asked of it: one 'write' or 'safe' a tick."""

    def __init__(self, driver):
        self.driver = driver
        self.log = []

    def write(self, command, now):
        self.log.append('write')
        self.driver.write(command, now)

    def safe_action(self, now):
        self.log.append('safe')
        self.driver.safe_action(now)

    def __getattr__(self, name):
        return getattr(self.driver, name)


class Tap:
    """A bus that keeps the frames sent on it, as (arbitration id, data)."""

    def __init__(self, bus):
        self.bus = bus
        self.frames = []

    def send(self, arbitration_id, data):
        self.frames.append((arbitration_id, bytes(data)))
        self.bus.send(arbitration_id, data)

    def __getattr__(self, name):
        return getattr(self.bus, name)


class BatchTap(Tap):
    """The same for a bus that takes a tick's frames at once."""

    def send_all(self, frames):
        frames = list(frames)
        self.frames += [(i, bytes(data)) for i, data in frames]
        self.bus.send_all(frames)


class Sent(NamedTuple):
    """What one motor was told, in units of its joint."""

    joint: JointSpec
    motor: Motor
    mit: bool
    q: float  # [rad, m]
    v: float  # [rad/s, m/s]; a position-force motor's speed limit
    kp: float  # [N·m/rad]
    kd: float  # [N·m·s/rad]
    tau: float  # [N·m, N]; the largest force of a position-force motor
    lsb: float  # [N·m, N] one code of tau


def hung(spec):
    """Return the robot in a harness, where it asks for one; emulated robots do not fall."""
    low = spec.bus.get('low_level')
    if low is None:
        return spec
    return replace(spec, bus=spec.bus | {'low_level': low | {'harness': True}})


class Bench:
    """A controller on the ideal mirror."""

    def __init__(self, spec, **options):
        self.spec = spec
        self.home = np.clip(np.array(spec.home), spec.lower, spec.upper)
        self.clock = ManualClock(100.0)
        self.driver = Recorder(self.make_driver())
        self.controller = RobotController(spec, self.driver, **options)
        self.held = None  # what an enabling device says each tick; None: there is none
        self.start()

    def make_driver(self):
        return Mock(self.spec, q=self.home)

    def start(self):
        self.controller.configure(self.now)

    @property
    def now(self):
        return self.clock.now()

    @property
    def mode(self):
        return self.controller.mode

    @property
    def reason(self):
        return self.controller.snapshot.reason

    @property
    def sent(self):
        """The positions commanded last."""
        return self.controller.snapshot.commanded.q

    def pass_time(self):
        """Live through one control period."""
        self.clock.advance(self.spec.dt)

    def tick(self, count=1, feed=None):
        """Do some periods and return the commanded positions, one row each."""
        rows = []
        for _ in range(count):
            self.pass_time()
            if feed is not None:
                self.controller.put(feed(self.now))
            if self.held is not None:
                self.controller.enable(self.held, self.now)
            self.controller.tick(self.now)
            rows.append(self.sent)
        return np.array(rows)

    def still(self, now):
        return at_rest(now, self.sent)

    def swing(self, size=0.1, rate=3.0):
        """Return a feed that sways every arm joint gently, beginning at rest here and now."""
        start, pose = self.now, self.sent.copy()
        room = np.maximum(np.minimum(self.spec.upper - pose, pose - self.spec.lower), 0.0)
        size = np.where(self.spec.gripper, 0.0, np.minimum(size, 0.4 * room))

        def at(now):
            angle = rate * (now - start)
            return Reference(
                stamp=now,
                q=pose + size * (1 - np.cos(angle)),
                v=size * rate * np.sin(angle),
                a=size * rate * rate * np.cos(angle),
            )

        return at

    def activate(self):
        self.controller.activate(self.now)
        self.tick(3)
        assert self.mode is Mode.HOLD

    def resume(self):
        self.controller.request(Event.RESUME)
        self.tick(1)

    def run(self):
        """Activate, resume and follow; then sway."""
        self.activate()
        self.tick(2)
        self.resume()
        self.tick(5, self.still)
        assert self.mode is Mode.RUN, self.reason
        return self.swing()

    def bring(self, mode):
        """Bring a fresh bench into a mode; where it moves there, it does move."""
        if mode is Mode.UNCONFIGURED:
            return
        if mode in (Mode.HOLD, Mode.FAULT):
            self.activate()
        if mode is Mode.READY:
            self.activate()
            self.resume()
        if mode in (Mode.RUN, Mode.STOPPING):
            self.tick_swing(self.run(), 60)
        if mode is Mode.STOPPING:
            self.controller.request(Event.HOLD)
            self.tick(1)
        if mode is Mode.FAULT:
            self.controller.request(Event.FAULT, 'something broke')
            self.tick(1)
        assert self.mode is mode

    def tick_swing(self, feed, count):
        return self.tick(count, feed)


class BusBench(Bench):
    """
    A controller on the robot's own driver, its bus in memory and its emulated electronics.

    The joints stand still, as if held by hand, unless ``step`` is replaced by physics.
    """

    def make_driver(self):
        self.spec = hung(self.spec)
        try:
            self.bus, self.device = loopback(self.spec)
        except ConfigError as error:
            pytest.skip(f'no emulated electronics yet: {error}')
        buses = self.bus if self.spec.parts else [self.bus]
        self.taps = [(BatchTap if hasattr(b, 'send_all') else Tap)(b) for b in buses]
        self.q, self.v = self.home.copy(), np.zeros(len(self.home))
        self.clock = ManualClock(100.0, wait=self.live)
        self.device.measure(self.now, self.q, self.v)
        bus = self.taps if self.spec.parts else self.taps[0]
        return make_driver(self.spec, 'sim', self.clock, bus=bus)

    def told(self):
        """Return what the motors were told since the last call, oldest first, decoded."""
        found = []
        for part, tap in zip(self.spec.parts.values() or [self.spec], self.taps, strict=True):
            if 'ranges' not in part.bus:
                pytest.skip(f'{part.name} speaks no protocol whose frames are decoded here')
            motors = motors_of(part)
            ids = {command_id(m.mode, m.tx): i for i, m in enumerate(motors)}
            for arbitration_id, data in tap.frames:
                if arbitration_id in ids and int.from_bytes(data, 'big') not in SPECIAL:
                    i = ids[arbitration_id]
                    found.append(decoded(part.joints[i], motors[i], data))
            tap.frames.clear()
        return found

    def live(self, seconds):
        """Let the electronics live through some time, in steps of at most 2 ms."""
        steps = max(1, int(np.ceil(seconds / 0.002 - 1e-9)))
        for _ in range(steps):
            self.device.serve(self.now)
            self.step(self.device.torques(self.now), seconds / steps)
            self.clock.advance(seconds / steps)
            self.device.measure(self.now, self.q, self.v)

    def step(self, torques, seconds):
        """Move the joints."""

    def pass_time(self):
        self.clock.sleep_until(self.now + self.spec.dt)


class WorldBench(BusBench):
    """The same in physics: gravity pulls, and the table is in the way."""

    def __init__(self, spec, scene=None, layout_seed=0, **options):
        if not spec.scene or spec.scene not in available('scenes'):
            pytest.skip(f'{spec.name} has no scene yet')
        self.world = World(spec, scene)
        layout = sample_layout(self.world.scene, np.random.default_rng(layout_seed))
        self.world.reset(layout, np.clip(np.array(spec.home), spec.lower, spec.upper))
        super().__init__(spec, **options)

    def live(self, seconds):
        steps = round(seconds / self.world.timestep)
        for _ in range(max(1, steps)):
            self.device.serve(self.now)
            torques = self.device.torques(self.now)
            if self.device.holding:  # else somebody carries the arm
                self.world.step(torques)
            self.clock.advance(self.world.timestep)
            self.q, self.v = self.world.positions, self.world.velocities
            self.device.measure(self.now, self.q, self.v)

    def close(self):
        self.world.close()


def decoded(joint, motor, data):
    scale = motor.scale
    if motor.mode is not DamiaoMode.MIT:
        q, speed, current = decode_pos_force(data)
        force, lsb = (abs(scale) * motor.full_torque * x for x in (current, 1e-4))
        return Sent(joint, motor, False, (q - motor.offset) / scale, speed / abs(scale), 0.0, 0.0,
                    force, lsb)  # fmt: skip
    q, v, kp, kd, tau = decode_mit(motor.ranges, data)
    lsb = abs(scale) * 2 * motor.ranges.torque / 4095
    return Sent(joint, motor, True, (q - motor.offset) / scale, v / scale, kp * scale**2,
                kd * scale**2, tau * scale, lsb)  # fmt: skip


def at_rest(stamp, pose):
    zero = np.zeros(len(pose))
    return Reference(stamp=stamp, q=np.array(pose), v=zero, a=zero)


def steady_chunk(spec, pose=None, stamp=0.0, steps=20, dt=1 / 30):
    """Return a chunk that stays at a pose."""
    pose = middle(spec) if pose is None else pose
    return ActionChunk(stamp=stamp, dt=dt, joints=spec.names, positions=np.tile(pose, (steps, 1)))
