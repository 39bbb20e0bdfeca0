# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The ``vla-control`` command. Text for people goes to stderr, results to stdout."""

from collections.abc import Callable
from dataclasses import dataclass
import json
from pathlib import Path
import sys
from typing import Annotated, Any, Literal

from rich.console import Console
import tyro

from vla_control.core.errors import VlaControlError
from vla_control.policies.config import policy_of
from vla_control.runtime.bench.command import BenchOptions, run_bench, Subject
from vla_control.runtime.evaluate import EpisodeResult, evaluate, Evaluation, show
from vla_control.runtime.inventory import as_text, inventory

Request = Literal['resume', 'e_stop', 'reset', 'hold', 'home', 'start', 'stop']
JsonFlag = Annotated[bool, tyro.conf.arg(help='print one JSON object, alone, on stdout')]


@dataclass(frozen=True, kw_only=True)
class Demo:
    """Run episodes in real time through the ROS graph; write a video and a plot."""

    robot: str = 'openarm'
    """A name in config/robots, or a YAML file."""
    policy: str = ''
    """A name in config/policies, or a YAML file; <robot>_vla if none is given."""
    episodes: int = 5
    seed: int = 7
    time_limit: float = 20.0
    """[s] for one episode."""
    output: Path = Path('output')
    json: JsonFlag = False

    def run(self) -> int:
        """Run it; the exit status is 0 when at least four of five episodes succeed."""
        from vla_control.nodes.demo import run_demo
        from vla_control.runtime.demo import DemoConfig

        config = DemoConfig(
            robot=self.robot,
            policy=self.policy,
            episodes=self.episodes,
            seed=self.seed,
            time_limit=self.time_limit,
            output=self.output,
        )
        report = run_demo(config, Console(stderr=True))
        emit(report, self.json, lambda: None)
        good = report['succeeded'] >= 0.8 * self.episodes and report['limits_exceeded'] == 0
        return 0 if good else 1


@dataclass(frozen=True, kw_only=True)
class Eval(Evaluation):
    """Measure a policy's success rate over fresh seeds, in lockstep virtual time."""

    json: JsonFlag = False

    def run(self) -> int:
        """Run it."""
        config = Evaluation(**{k: getattr(self, k) for k in Evaluation.__dataclass_fields__})
        console = Console(stderr=True)
        counts: dict[str, int] = {}

        def progress(result: EpisodeResult) -> None:
            counts[result.verdict] = counts.get(result.verdict, 0) + 1
            done = sum(counts.values())
            if done % 10 == 0 or done == config.episodes:
                console.print(f'{done}/{config.episodes} {counts}')

        report = evaluate(config, progress)
        emit(report, self.json, lambda: show(report, Console()))
        return 0


@dataclass(frozen=True, kw_only=True)
class Train:
    """Make demonstrations and train the policy on them; an interrupted training goes on."""

    robot: str = 'openarm'
    out: Path = Path('output/training')
    demonstrations: int = 1600
    layouts: int = 8000
    seed: int = 0
    """Of the training; the demonstrations have seeds of their own."""
    processes: int = 2
    grounding_samples: int = 52_000
    cloning_samples: int = 280_000
    tasks: tuple[Literal['touch', 'pick', 'place'], ...] = ('touch', 'pick')
    weights: str = ''
    """To start from, also of another robot: what fits is taken. Fresh ones if empty."""
    json: JsonFlag = False

    def run(self) -> int:
        """Run it."""
        from vla_control.runtime.training import Recipe, run_recipe

        recipe = Recipe(
            robot=self.robot,
            out=self.out,
            demonstrations=self.demonstrations,
            layouts=self.layouts,
            training_seed=self.seed,
            processes=self.processes,
            grounding_samples=self.grounding_samples,
            cloning_samples=self.cloning_samples,
            tasks=self.tasks,
            weights=self.weights,
        )
        report = run_recipe(recipe, Console(stderr=True).print)
        emit(report, self.json, lambda: print(f'weights: {report["weights"]}'))
        return 0


@dataclass(frozen=True, kw_only=True)
class Bench(BenchOptions):
    """
    Measure a part of the system.

    chunks: how chunks become motion; methods, delays and faults, in virtual time.
    delay: what late answers of the trained policy cost in success, for every way to execute them.
    estop: from a call of the emergency stop over ROS to the motors, in a simulated graph.
    loop: what a driver's control cycle costs and how punctual it is, on its emulated bus.
    safety: the invariants under chunks no policy should send, judged by what went over the bus.
    soak: hours of virtual time with a fault a minute; nothing may break or grow.
    spin: what serving a node's messages costs, as a share of rclpy's own executor.
    """

    subject: tyro.conf.Positional[Subject | Literal['estop', 'spin']] = 'chunks'
    json: JsonFlag = False

    def run(self) -> int:
        """Run it; the exit status is 0 when every bar is kept."""
        say = Console(stderr=True).print
        if self.subject == 'estop':
            from vla_control.nodes.stop_bench import run_stop_bench

            result = run_stop_bench(self, say)
        elif self.subject == 'spin':
            from vla_control.nodes.spin_bench import run_spin_bench

            result = run_spin_bench(self, say)
        else:
            result = run_bench(self.subject, self, say)
        emit(result.report, self.json, lambda: result.show(Console(width=150)))
        return 0 if result.kept else 1


@dataclass(frozen=True, kw_only=True)
class Run:
    """Start the graph without ros2 launch: the same nodes as bringup.launch.py."""

    robot: str = 'openarm'
    """A name in config/robots, or a YAML file; several with commas between."""
    hardware: str = 'sim'
    """sim, mock or real."""
    policy: str = ''
    """A name in config/policies, or a YAML file; <robot>_vla if none is given."""
    teleop: str = ''
    """A name in config/teleop: a leader arm moved by hand instead of the policy."""
    instruction: str = ''
    namespace: str = ''
    """Of every node; one for each of several robots, with commas between."""
    cameras: tuple[str, ...] = ()
    """Names in config/cameras; those of the robot if none are given."""
    require_enable: str = 'auto'
    """Move only while the topic enable says true: auto (on real hardware), true or false."""
    shadow: bool = False
    """Only compare what the policy asks for with what the arm does; nothing moves."""
    resume: bool = False
    """Follow as soon as everything is active; refused on real hardware."""
    log_level: str = 'info'
    """debug, info, warn, error or fatal."""

    def run(self) -> int:
        """Run until interrupted."""
        from vla_control.runtime.options import fleet
        from vla_control.runtime.runner import run_graph

        given = {
            'robot': self.robot,
            'hardware': self.hardware,
            'policy': self.policy or ','.join(policy_of(r) for r in self.robot.split(',')),
            'teleop': self.teleop,
            'instruction': self.instruction,
            'namespace': self.namespace,
            'cameras': ','.join(self.cameras),
            'require_enable': self.require_enable,
            'shadow': str(self.shadow).lower(),
            'resume': str(self.resume).lower(),
            'log_level': self.log_level,
        }
        return run_graph(*fleet(given), resume=_resume)


@dataclass(frozen=True, kw_only=True)
class Call:
    """
    Ask a running robot for something, as ros2 service call does.

    resume: follow chunks. hold: come to rest and hold. e_stop: stop at once, and latch.
    reset: leave that stop, without motion. home: find the zero of a gripper that needs it.
    start, stop: ask the policy, or ask it no more.
    """

    request: tyro.conf.Positional[Request]
    namespace: str = ''
    """Of the robot's nodes."""
    timeout: float = 5.0
    """[s] to find the node, and again for its answer."""
    json: JsonFlag = False

    def run(self) -> int:
        """Call it; the exit status is 0 when it was done, 1 when the robot refused."""
        from vla_control.nodes.call import call_request

        done, message = call_request(self.request, self.namespace, self.timeout)
        emit({'done': done, 'message': message}, self.json, lambda: print(message))
        return 0 if done else 1


@dataclass(frozen=True, kw_only=True)
class Check:
    """Check a robot's configuration and list what there is."""

    robot: str = ''
    """A name or YAML file to check; every shipped robot if empty."""
    identify: bool = False
    """Find out which arm of a pair is behind which bus: one is to be moved by hand."""
    side: str = ''
    """The arm to move for that; the first one if none is given."""
    hardware: Literal['real', 'sim'] = 'real'
    """Whose buses to look at for that."""
    seconds: float = 30.0
    """[s] to wait for the arm to be moved."""
    json: JsonFlag = False

    def run(self) -> int:
        """Load and describe, or identify; the exit status is then 0 when all is as configured."""
        if self.identify:
            return self._identify()
        report = inventory(self.robot)
        emit(report, self.json, lambda: print(as_text(report)))
        return 0

    def _identify(self) -> int:
        from vla_control.runtime.identify import run_identify

        say = Console(stderr=True, soft_wrap=True).print
        report = run_identify(self.robot, self.hardware, self.side, self.seconds, say)
        emit(report, self.json, lambda: print(report['moved'] or 'unknown'))
        return 0 if report['matches'] else 1


COMMANDS: dict[str, Any] = {
    'demo': Demo,
    'run': Run,
    'call': Call,
    'train': Train,
    'eval': Eval,
    'bench': Bench,
    'check': Check,
}


def emit(report: dict[str, Any], as_json: bool, show: Callable[[], None]) -> None:
    """Print a result: as one JSON object, or for people."""
    if as_json:
        print(json.dumps(report, allow_nan=False, default=str))
    else:
        show()


def _resume(namespace: str) -> str:
    from vla_control.nodes.call import resume

    return resume(namespace)


def main(args: list[str] | None = None) -> int:
    """
    Run one command.

    :returns: 0 on success, 1 when a result misses its bar, 2 when it could not be run.
    """
    try:
        command = tyro.extras.subcommand_cli_from_dict(COMMANDS, prog='vla-control', args=args)
    except SystemExit as stop:
        return int(stop.code or 0)
    try:
        return int(command.run())
    except VlaControlError as error:
        print(f'vla-control: {error}', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == '__main__':
    sys.exit(main())
