# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""From a policy's name to the policy, in this process or in its own."""

from collections.abc import Callable

from vla_control.actions.blend import BlendMethod
from vla_control.core.config import parse
from vla_control.core.errors import ConfigError
from vla_control.core.protocols import Policy
from vla_control.core.spec import load_robot, RobotSpec
from vla_control.policies.builtin import BuiltinOptions, BuiltinPolicy, load_model
from vla_control.policies.config import load_policy_config, locate, PolicyConfig
from vla_control.policies.hold import HoldOptions, HoldPolicy
from vla_control.policies.replay import load_motion, ReplayOptions, ReplayPolicy
from vla_control.policies.wave import WaveOptions, WavePolicy
from vla_control.policies.worker import PolicyTarget, PolicyWorker, WorkerTimes

__all__ = ['KINDS', 'load_policy', 'load_policy_config', 'load_policy_for', 'make_worker']


def load_policy(name: str, spec: RobotSpec) -> Policy:
    """
    Load a policy into this process, for tests and virtual time; the graph uses make_worker.

    :param name: a name in config/policies, or a YAML file.
    :param spec: the robot it is to command.
    :raises ConfigError: when the configuration is wrong.
    :raises PolicyError: when weights or libraries are missing, or made for another robot.
    """
    return make_policy(name, load_policy_config(name), spec)


def make_policy(name: str, config: PolicyConfig, spec: RobotSpec) -> Policy:
    """
    Make a policy of a configuration.

    :param name: that of its YAML file, which relative paths are looked up beside.
    :raises ConfigError: when the configuration is wrong.
    :raises PolicyError: when weights or libraries are missing, or made for another robot.
    """
    if config.kind not in KINDS:
        raise ConfigError(f'{name}: unknown kind {config.kind!r}; there are {sorted(KINDS)}')
    if config.blend.method is BlendMethod.RTC and config.kind not in CONTINUING:
        raise ConfigError(
            f"{name}: blend.method 'rtc' needs a policy that continues a prefix, and of kind "
            f"{config.kind!r} none does; use 'splice', which joins any policy's chunks"
        )
    return KINDS[config.kind](name, config, spec)


def load_policy_for(name: str, robot: str) -> Policy:
    """Load a policy for a robot given by name; what a worker's process calls."""
    return load_policy(name, load_robot(robot))


def make_worker(name: str, robot: str, *, restarts: int = 3, priority: int = 0) -> PolicyWorker:
    """
    Make the worker that runs a policy in its own process; it is not started.

    :param name: a name in config/policies, or a YAML file.
    :param robot: a name in config/robots, or a YAML file.
    :param restarts: in a row before giving up.
    :param priority: SCHED_FIFO of the process's hand-overs, not of its inference; 0 for none.
    :raises ConfigError: when the configuration of the policy is wrong.
    """
    config = load_policy_config(name)
    target = PolicyTarget(
        function='vla_control.policies.factory:load_policy_for',
        arguments=(name, robot),
        priority=priority,
    )
    return PolicyWorker(target, WorkerTimes(deadline=config.deadline, restarts=restarts))


def _hold(name: str, config: PolicyConfig, spec: RobotSpec) -> Policy:
    return HoldPolicy(spec, parse(HoldOptions, config.options, f'{name}.options'))


def _wave(name: str, config: PolicyConfig, spec: RobotSpec) -> Policy:
    return WavePolicy(spec, parse(WaveOptions, config.options, f'{name}.options'))


def _replay(name: str, config: PolicyConfig, spec: RobotSpec) -> Policy:
    options = parse(ReplayOptions, config.options, f'{name}.options')
    return ReplayPolicy(spec, options, load_motion(locate(name, options.motion)))


def _builtin(name: str, config: PolicyConfig, spec: RobotSpec) -> Policy:
    options = parse(BuiltinOptions, config.options, f'{name}.options')
    rtc = config.blend.rtc if config.blend.method is BlendMethod.RTC else None
    model = load_model(locate(name, options.weights))
    return BuiltinPolicy(spec, model, rtc, fresh_noise=options.fresh_noise)


KINDS: dict[str, Callable[[str, PolicyConfig, RobotSpec], Policy]] = {
    'builtin': _builtin,
    'hold': _hold,
    'replay': _replay,
    'wave': _wave,
}
CONTINUING = ('builtin',)  # kinds that sample by real-time chunking where asked to
