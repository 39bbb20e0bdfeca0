# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Declares the parameters of a node from the table and reads them, all checked."""

from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter

from vla_control.runtime.parameters import check_names, Parameter, PARAMETERS, Value


def declare(node: Node, executable: str) -> dict[str, Any]:
    """
    Declare every parameter of a node, with description and range, and return the values.

    All are read-only: they take effect when the process starts.

    :raises ConfigError: when a given name is unknown, or a value has the wrong type or range.
    """
    # rclpy has no public way to ask for overrides that nobody declared.
    given: dict[str, RosParameter] = node._parameter_overrides
    check_names(executable, list(given))
    values: dict[str, Any] = {}
    for parameter in PARAMETERS[executable]:
        value = parameter.default
        if parameter.name in given:
            value = parameter.check(given[parameter.name].value, executable)
        values[parameter.name] = value
        node.declare_parameter(
            parameter.name, _plain(value), _description(parameter), ignore_override=True
        )
    return values


def _plain(value: Value) -> Any:
    # An empty list has no element type in ROS, so [''] stands for it.
    return (list(value) or ['']) if isinstance(value, tuple) else value


def _description(parameter: Parameter) -> ParameterDescriptor:
    choices = f'one of {list(parameter.choices)}' if parameter.choices else ''
    description = ParameterDescriptor(
        name=parameter.name,
        description=parameter.description,
        additional_constraints=choices,
        read_only=True,
    )
    if parameter.lower is None or parameter.upper is None:
        return description
    if type(parameter.default) is int:
        description.integer_range = [
            IntegerRange(from_value=int(parameter.lower), to_value=int(parameter.upper), step=1)
        ]
    else:
        description.floating_point_range = [
            FloatingPointRange(from_value=parameter.lower, to_value=parameter.upper)
        ]
    return description
