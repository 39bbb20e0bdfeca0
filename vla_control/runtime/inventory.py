# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""What there is to choose from, every robot of it checked."""

from typing import Any

from vla_control.core.config import available
from vla_control.core.spec import load_robot


def inventory(robot: str = '') -> dict[str, Any]:
    """
    Load robots and list what there is, as plain data.

    :param robot: a name or YAML file; every shipped robot if empty.
    :raises ConfigError: when one is not right.
    """
    specs = [load_robot(name) for name in ([robot] if robot else available('robots'))]
    return {
        'robots': {
            s.name: {'title': s.title, 'joints': list(s.names), 'control_rate': s.control_rate}
            for s in specs
        },
        'policies': available('policies'),
        'cameras': available('cameras'),
    }


def as_text(report: dict[str, Any]) -> str:
    """Return an inventory for people."""
    lines = [
        f'{name}: {r["title"]}, {len(r["joints"])} joints, {r["control_rate"]:g} Hz, ok'
        for name, r in report['robots'].items()
    ]
    lines += [f'{kind}: {", ".join(report[kind])}' for kind in ('policies', 'cameras')]
    return '\n'.join(lines)
