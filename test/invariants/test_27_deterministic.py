# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Invariant 27: the same log and the same clock give the same commands, byte for byte.

A log of joint commands, recorded from a run of chunks, is fed to the real controller and driver
over a bus in memory, and every frame is compared. So it is through messages and the driver node,
and through the virtual time of the runner.
"""

from collections import Counter
from dataclasses import replace
import os

from benches import hung
from motions import Wild
import numpy as np
import pytest

from vla_control.actions.blend import BlendConfig
from vla_control.core.messages import ActionChunk
from vla_control.policies.wave import WaveOptions, WavePolicy
from vla_control.runtime import lockstep
from vla_control.runtime.bench.safety_rig import Rig
from vla_control.runtime.bench.safety_wire import open_wire
from vla_control.safety.gate import Gate
from vla_control.safety.supervisor import Event, Mode
from vla_control.sim.devices import loopback
from vla_control.sim.layout import sample_layout
from vla_control.sim.world import World

TICKS = 400
ASKED = {  # by tick, what the operator asks for; part of every log
    2: Event.RESUME,
    180: Event.HOLD,
    215: Event.RESUME,
    300: Event.E_STOP,
    320: Event.RESET,
    330: Event.RESUME,
}


def gated(spec):
    rng = np.random.default_rng(9)
    gate, wild = Gate(spec), Wild(spec, 1, rng)
    gate.reset(rng.uniform(spec.lower, spec.upper))
    sent = [gate.step(wild.next(k, gate.state)) for k in range(150)]
    return np.array([[s.q, s.v, s.a] for s in sent]).tobytes()


def test_a_gate_sends_the_same_bytes_twice(robot):
    assert gated(robot) == gated(robot)


class Tape:
    """Every frame sent on the buses of a robot, by tick."""

    def __init__(self, wire):
        self.wire, self.bus = wire, wire.bus
        self.ears = wire.bus if isinstance(wire.bus, tuple) else (wire.bus,)
        self.ticks = []

    def end_tick(self):
        self.ticks.append([[told(*frame) for frame in ear.heard] for ear in self.ears])
        return self.wire.end_tick()

    def __getattr__(self, name):
        return getattr(self.wire, name)


def told(where, data):
    """Return a frame without the number of a call of a G1's service, which the process counts."""
    return where, data[:4] + data[12:] if str(where).startswith('rt/api/') else data


def assert_same(tape, other):
    differ = [k for k, (a, b) in enumerate(zip(tape, other, strict=True)) if a != b]
    assert not differ, f'ticks {differ[:5]} of {len(tape)} differ'


def frames(tape):
    return sum(len(heard) for tick in tape for heard in tick)


class Chunks:
    """A policy that wanders, and now and then leaps by what is still plausible."""

    def __init__(self, robot):
        self.robot, self.rng = robot, np.random.default_rng(27)

    def offer(self, rig, k):
        follower, spec, rng = rig.follower, self.robot, self.rng
        if k % 17 or not follower.open:
            return
        pose = rig.pose if follower.last is None else follower.last.q
        goal = pose + rng.uniform(-0.4, 0.4, len(pose)) * (1.0 if k % 3 else 0.1)
        goal = np.clip(np.where(spec.jaw, pose, goal), spec.lower, spec.upper)
        share = np.linspace(0.0 if k % 2 else 1.0, 1.0, 20)[:, None]
        follower.offer(
            ActionChunk(
                stamp=rig.now, dt=1 / 30, joints=spec.names, positions=pose + share * (goal - pose)
            ),
            rig.now,
        )


def ran(robot, log=None):
    """
    Return the frames of a run, its log of joint commands by tick, and how often each mode was.

    :param log: to be replayed; without one, chunks are executed and the log is made.
    """
    rig = Rig(hung(robot))
    rig.wire = tape = Tape(rig.wire)
    chunks, kept, modes = Chunks(robot), {}, Counter()
    put = rig.controller.put

    def keep(reference):
        kept[k] = reference
        put(reference)

    rig.controller.put = keep
    for k in range(TICKS):
        if k in ASKED:
            rig.request(ASKED[k])
        if log is None:
            chunks.offer(rig, k)
        rig.tick(None if log is None else log.get(k))
        modes[rig.mode] += 1
    return tape.ticks, kept, modes


def test_a_log_replayed_twice_is_the_same_bytes_on_the_bus(robot):
    tape, log, modes = ran(robot)
    assert min(modes[m] for m in (Mode.RUN, Mode.HOLD, Mode.STOPPING, Mode.FAULT)) > 3
    assert len(log) > 200 and frames(tape) > TICKS
    for _ in range(2):
        again, same, _ = ran(robot, log)
        assert same == log
        assert_same(tape, again)


def test_another_log_is_other_bytes(spec):
    """One number in one tick, by a milliradian: what is compared is not blind."""
    tape, log, _ = ran(spec)
    k = sorted(log)[100]
    q = log[k].q.copy()
    q[0] += 1e-3
    again, *_ = ran(spec, log | {k: replace(log[k], q=q)})
    differ = [i for i, (a, b) in enumerate(zip(tape, again, strict=True)) if a != b]
    assert differ and k <= differ[0] <= k + 2


# From here on: the runner, which is the whole loop in virtual time, and the driver node.


class Player:
    """A recorded log in the place of the executor."""

    held, at_rest = '', False

    def __init__(self, log):
        self.left = iter(log)

    def align(self, now, q):
        """Start where it was recorded."""

    def tick(self, now):
        return next(self.left)


class Replay(lockstep.LockstepLoop):
    """The runner with a log in the place of policy and executor."""

    def wants(self, now):
        return False


@pytest.fixture
def runner(robot, monkeypatch):
    """What makes a runner at its start, and the tape of its frames."""
    if not robot.scene:
        pytest.skip(f'{robot.name} has no scene yet')
    spec = replace(robot, cameras=(), camera_files={})

    def tapped(spec):
        bus, device = loopback(spec)
        tapes.append(Tape(open_wire(spec, bus)))
        return tapes[-1].bus, device

    tapes = []
    monkeypatch.setattr(lockstep, 'loopback', tapped)
    with World(spec) as world:
        layout = sample_layout(world.scene, np.random.default_rng(1))
        start = np.clip(np.array(spec.home), spec.lower, spec.upper)
        arms = tuple(np.array(spec.names)[~spec.gripper])
        policy = WavePolicy(spec, WaveOptions(joints=arms, amplitude=0.2, period=2.0))

        def make(kind, *arguments):
            loop = kind(spec, world, policy, BlendConfig(), lockstep.Timing(), *arguments)
            loop.reset(layout, start, '')
            return loop, tapes[-1]

        yield make


def lived(loop, tape, ticks=250):
    """Run a runner; return its frames by tick, those of its start first."""
    tape.end_tick()
    for _ in range(ticks):
        loop.tick()
        tape.end_tick()
    assert loop.controller.mode is Mode.RUN, loop.controller.snapshot.reason
    return tape.ticks


def recorded(runner):
    """Return a log made by the runner's own executor, and the frames it led to."""
    loop, tape = runner(lockstep.LockstepLoop)
    log, put = [], loop.controller.put

    def keep(reference):
        log.append(reference)
        put(reference)

    loop.controller.put = keep
    ticks = lived(loop, tape)
    assert np.ptp([r.q for r in log], axis=0).max() > 0.05
    return log, ticks


def replayed(runner, kind, log, *arguments):
    loop, tape = runner(kind, *arguments)
    loop.executor = Player(log)
    return lived(loop, tape)


def test_the_runner_replays_its_own_log_to_the_byte(runner):
    log, tape = recorded(runner)
    assert_same(tape, replayed(runner, Replay, log))


@pytest.fixture
def node(robot, monkeypatch):
    """A driver node that is given its driver, and spun by nobody."""
    rclpy = pytest.importorskip('rclpy')
    from rclpy.parameter import Parameter

    from vla_control.nodes.driver_node import DriverNode

    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    begun = not rclpy.ok()
    if begun:
        rclpy.init(domain_id=2 + os.getpid() % 99)
    node = DriverNode(
        lambda spec, hardware, clock: node.given,
        parameter_overrides=[
            Parameter('robot', value=robot.name),
            Parameter('hardware', value='sim'),
        ],
    )
    yield node
    node.controller = None  # its bus is the runner's
    node.cleanup()
    node.companions.close()
    node.destroy_node()
    if begun:
        rclpy.try_shutdown()


class Wired:
    """The controller inside a driver node, told by messages as on the graph."""

    def __init__(self, node):
        self.node, self.names = node, list(node.names)

    def configure(self, now):
        self.node.configure()

    def put(self, reference):
        from rclpy.serialization import deserialize_message, serialize_message
        from trajectory_msgs.msg import JointTrajectory

        from vla_control.nodes import convert

        stamp = self.node.stamps.msg(reference.stamp)
        raw = serialize_message(convert.command_to_msg(reference, self.names, stamp))
        self.node._on_command(deserialize_message(raw, JointTrajectory))

    def __getattr__(self, name):
        return getattr(self.node.controller, name)


class OverNode(Replay):
    """The same, with a driver node around the controller: only the transport differs."""

    def __init__(self, spec, world, policy, blend, timing, node):
        super().__init__(spec, world, policy, blend, timing)
        self.node = node

    def _start(self):
        self.node.names = self.spec.names
        self.node.given, self.node.clock = self.controller.driver, self.clock
        self.controller = Wired(self.node)
        super()._start()


@pytest.mark.ros
def test_the_driver_node_makes_of_a_log_the_bytes_the_runner_makes(runner, node):
    log, tape = recorded(runner)
    assert_same(tape, replayed(runner, OverNode, log, node))
    assert node._refused == 0
    assert node.controller.snapshot.passed > 0.5 * len(log)
