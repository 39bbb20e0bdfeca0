# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Strict YAML into frozen dataclasses: an unknown, missing or mistyped key is an error."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, MISSING
from difflib import get_close_matches
from enum import Enum
import math
import os
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints, TypeVar, Union

import yaml

from vla_control.core.errors import ConfigError

T = TypeVar('T')


def share_path(*parts: str) -> Path:
    """
    Find a file or folder this package ships: config, urdf, launch.

    The source tree comes first, so an editable install reads what is being edited; then the
    share folder of the install the package was loaded from; then every ament prefix.

    :raises ConfigError: listing where it was looked for.
    """
    package = Path(__file__).resolve().parents[2]
    prefixes = [Path(p) for p in os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep) if p]
    installed = [p for p in package.parents if (p / 'share' / 'vla_control').is_dir()]
    roots = [package] if (package / 'package.xml').is_file() else []
    roots += [p / 'share' / 'vla_control' for p in installed + prefixes]
    for root in roots:
        candidate = root.joinpath(*parts)
        if candidate.exists():
            return candidate
    raise ConfigError(
        f'{"/".join(parts)} is not among the files of vla_control; looked in '
        f'{[str(r) for r in roots]}. Install with `pip install -e .` or `colcon build`.'
    )


def available(folder: str) -> list[str]:
    """Name the YAML files in a config folder, without their ending."""
    return sorted(p.stem for p in share_path('config', folder).glob('*.yaml'))


def find_config(folder: str, name: str) -> Path:
    """
    Return the path of a named config, or of a user's own YAML file.

    :param folder: ``robots``, ``policies``, ``cameras`` or ``scenes``.
    :param name: a name without ending, or a path to a ``.yaml`` file.
    :raises ConfigError: naming what there is and the closest match.
    """
    if name.endswith(('.yaml', '.yml')):
        path = Path(name).expanduser()
        if not path.is_file():
            raise ConfigError(
                f'no file {name}; give an existing YAML file or one of {available(folder)}'
            )
        return path
    names = available(folder)
    if name not in names:
        raise ConfigError(
            f'unknown {folder} config {name!r}{closest(name, names)}; available: {names}'
        )
    return share_path('config', folder, f'{name}.yaml')


def load_yaml(path: Path) -> dict[str, Any]:
    """
    Read one YAML mapping.

    :raises ConfigError: when the file is unreadable, not YAML, not a mapping, or repeats a key.
    """
    try:
        data = yaml.load(path.read_text(), Loader=_UniqueKeyLoader)  # noqa: S506
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f'cannot read {path}: {error}') from error
    if not isinstance(data, dict):
        raise ConfigError(f'{path}: expected a mapping of keys, got {type(data).__name__}')
    return data


def closest(name: str, names: Sequence[str]) -> str:
    """Return a question after the most similar name, for the end of a message; empty if none."""
    match = get_close_matches(name, names, n=1, cutoff=0.5)
    return f' (did you mean {match[0]!r}?)' if match else ''


def parse(kind: type[T], data: Any, where: str) -> T:
    """
    Build a dataclass from plain data, checking every key and type.

    :param kind: a dataclass; nested dataclasses, tuples, dicts, enums and unions are followed.
    :param where: the path of the data, for messages, such as ``openarm.yaml: joints[2]``.
    :raises ConfigError: naming the key path, what was found and what would be right.
    """
    if not isinstance(data, Mapping):
        raise ConfigError(f'{where}: expected a mapping of keys, got {data!r}')
    hints = get_type_hints(kind)
    known = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]
    for key in data:
        if key not in known:
            raise ConfigError(
                f'{where}: unknown key {key!r}{closest(str(key), list(known))}; '
                f'known keys: {sorted(known)}'
            )
    missing = [
        name
        for name, f in known.items()
        if name not in data and f.default is MISSING and f.default_factory is MISSING
    ]
    if missing:
        raise ConfigError(f'{where}: missing {missing}; every number a robot needs must be given')
    values = {k: _convert(hints[k], v, f'{where}.{k}') for k, v in data.items()}
    return kind(**values)


def _convert(hint: Any, value: Any, where: str) -> Any:
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        if value is None and type(None) in args:
            return None
        return _convert(next(a for a in args if a is not type(None)), value, where)
    if is_dataclass(hint) and isinstance(hint, type):
        return parse(hint, value, where)
    if isinstance(hint, type) and issubclass(hint, Enum):
        names = [str(m.value) for m in hint]
        if value not in names:
            raise ConfigError(
                f'{where}: {value!r} is not one of {names}{closest(str(value), names)}'
            )
        return hint(value)
    if origin is tuple:
        return _convert_tuple(args, value, where)
    if origin in (dict, Mapping) or hint in (dict, Mapping):
        if not isinstance(value, Mapping):
            raise ConfigError(f'{where}: expected a mapping, got {value!r}')
        inner = args[1] if args else Any
        return {k: _convert(inner, v, f'{where}.{k}') for k, v in value.items()}
    return _convert_scalar(hint, value, where)


def _convert_tuple(args: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        raise ConfigError(f'{where}: expected a list, got {value!r}')
    if len(args) == 2 and args[1] is Ellipsis:
        return tuple(_convert(args[0], v, f'{where}[{i}]') for i, v in enumerate(value))
    if len(value) != len(args):
        raise ConfigError(f'{where}: expected {len(args)} values, got {len(value)}: {value!r}')
    return tuple(
        _convert(a, v, f'{where}[{i}]') for i, (a, v) in enumerate(zip(args, value, strict=True))
    )


def _convert_scalar(hint: Any, value: Any, where: str) -> Any:
    if hint is Any:
        return value
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise ConfigError(f'{where}: {value!r} is not a finite number')
        return float(value)
    if hint in (int, bool, str) and type(value) is hint:
        return value
    name = getattr(hint, '__name__', str(hint))
    raise ConfigError(f'{where}: expected {name}, got {value!r} ({type(value).__name__})')


class _UniqueKeyLoader(yaml.SafeLoader):
    """SafeLoader that refuses a key given twice, which YAML would silently overwrite."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=deep)  # type: ignore[no-untyped-call]
            if key in seen:
                raise yaml.YAMLError(f'key {key!r} is given twice{key_node.start_mark}')
            seen.add(key)
        return super().construct_mapping(node, deep=deep)
