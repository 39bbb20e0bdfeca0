# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""A recording stand-in for ``launch`` and ``launch_ros``, which are on no package registry."""

import importlib.util
from pathlib import Path
import sys
from types import ModuleType

LAUNCH = Path(__file__).parents[2] / 'launch' / 'bringup.launch.py'


class Record:
    """Remembers how it was made."""

    def __init__(self, *args, **kwargs):
        self.args, self.kwargs = args, kwargs

    def __getattr__(self, name):
        try:
            return self.__dict__['kwargs'][name]
        except KeyError:
            raise AttributeError(name) from None


class LaunchConfiguration(Record):
    def perform(self, context):
        return context[self.args[0]]


class LaunchDescription(Record):
    def run(self, **given):
        """Return what the description's functions make of some arguments."""
        declared = {a.args[0]: a for a in self.args[0] if type(a).__name__ == 'Declare'}
        context = {n: a.default_value for n, a in declared.items()} | given
        assert set(given) <= set(declared), 'an argument nobody declared'
        for name, argument in declared.items():
            assert not argument.choices or context[name] in argument.choices, name
        functions = [a for a in self.args[0] if type(a).__name__ == 'OpaqueFunction']
        return [action for f in functions for action in f.function(context)]


def kind(name, base=Record):
    return type(name, (base,), {})


CONTENT = {
    'launch': {'LaunchDescription': LaunchDescription},
    'launch.actions': {
        'DeclareLaunchArgument': kind('Declare'),
        **{
            n: kind(n)
            for n in (
                'EmitEvent',
                'LogInfo',
                'OpaqueFunction',
                'RegisterEventHandler',
                'Shutdown',
            )
        },
    },
    'launch.event_handlers': {'OnProcessExit': kind('OnProcessExit')},
    'launch.events': {'matches_action': kind('matches_action')},
    'launch.substitutions': {'LaunchConfiguration': LaunchConfiguration},
    'launch_ros': {},
    'launch_ros.actions': {'LifecycleNode': kind('LifecycleNode'), 'Node': kind('Node')},
    'launch_ros.event_handlers': {'OnStateTransition': kind('OnStateTransition')},
    'launch_ros.events': {},
    'launch_ros.events.lifecycle': {'ChangeState': kind('ChangeState')},
    'launch_ros.parameter_descriptions': {'ParameterValue': kind('ParameterValue')},
}


def load(monkeypatch):
    """Return the launch description, made with the stand-ins."""
    for name, content in CONTENT.items():
        module = ModuleType(name)
        module.__dict__.update(content, __path__=[])
        monkeypatch.setitem(sys.modules, name, module)
    spec = importlib.util.spec_from_file_location('bringup', LAUNCH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.generate_launch_description()
