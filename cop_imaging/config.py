"""Configuration as a value: load, override, nearest name. It knows no threshold.

Every stage declares its own frozen section (a subclass of ``Section``) beside its code; ``pipeline`` assembles
them. A field is made with ``quantity`` so that it always carries unit, permitted range and source.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from cop_imaging.errors import ConfigError

__all__ = ["Section", "asset_path", "changes", "digest", "load_config", "quantity", "to_toml"]


class Section(BaseModel):
    """A frozen, closed group of configuration fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @field_validator("*")
    @classmethod
    def _range_ascends(cls, value: Any, info: ValidationInfo) -> Any:
        if cls.model_fields[str(info.field_name)].annotation == tuple[float, float] and not value[0] < value[1]:
            raise ValueError("a range goes from its lower to its upper end")
        return value


C = TypeVar("C", bound=Section)


def quantity(
    default: Any,
    *,
    means: str,
    unit: str,
    source: str,
    low: float | None = None,
    high: float | None = None,
) -> Any:
    """A configuration field with its meaning, unit, permitted range (inclusive) and source."""
    return Field(
        default,
        ge=low,
        le=high,
        description=means,
        json_schema_extra={"unit": unit, "source": source},
        validate_default=True,
    )


def asset_path(kind: str, name: str = "") -> Path:
    """Where ``models/NAME`` or ``configs/NAME`` lies: inside the installed package, or in the checkout.

    Raises
    ------
    ConfigError
        If there is no such asset in either place.
    """
    package = Path(__file__).resolve().parent
    for root in (package, package.parent):
        path = root / kind / name if name else root / kind
        if path.exists():
            return path
    raise ConfigError(f"{kind}/{name} is not part of this installation; reinstall cop-imaging")


def load_config(model: type[C], path: Path | None = None, overrides: Sequence[str] = ()) -> C:
    """Defaults, then the TOML file, then ``section.field=value`` overrides.

    Raises
    ------
    ConfigError
        If a key is unknown (the nearest valid one is named), a value has the wrong type or range, an override
        has no ``=``, or the file cannot be read as TOML.
    """
    data: dict[str, Any] = {}
    if path is not None:
        try:
            data = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"the configuration file {path} cannot be read: {error.strerror}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"the configuration file {path} is not valid TOML: {error}") from error
        check_keys(model, data, where=str(path))
    for override in overrides:
        key, sign, text = override.partition("=")
        if not sign:
            raise ConfigError(f"--set wants section.field=value, not {override!r}")
        parts = key.strip().split(".")
        nested: Any = _parse_value(text.strip())
        for part in reversed(parts):
            nested = {part: nested}
        check_keys(model, nested, where="--set")
        _merge(data, nested)
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"{name} = {first['input']!r} is refused: {first['msg']}{_range_hint(model, first['loc'])}"
        ) from error


def check_keys(model: type[BaseModel], data: Mapping[str, Any], *, where: str, prefix: str = "") -> None:
    """Refuse unknown keys by name, with the nearest valid one.

    Raises
    ------
    ConfigError
        If a key is not a field, or a section is given where a value belongs.
    """
    for key, value in data.items():
        field = model.model_fields.get(key)
        if field is None:
            valid = _all_keys(model, prefix)
            near = difflib.get_close_matches(f"{prefix}{key}", valid, n=1, cutoff=0.0)
            raise ConfigError(f"{where}: there is no configuration key {prefix + key!r}; did you mean {near[0]!r}?")
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            if not isinstance(value, Mapping):
                example = _all_keys(inner, f"{prefix}{key}.")[0]
                raise ConfigError(f"{where}: {prefix + key!r} is a section, give a field of it such as {example!r}")
            check_keys(inner, value, where=where, prefix=f"{prefix}{key}.")
        elif isinstance(value, Mapping) and not str(inner).startswith(("dict", "collections.abc.Mapping")):
            raise ConfigError(f"{where}: {prefix + key!r} is a value, not a section")


def digest(config: BaseModel) -> str:
    """SHA-256 over every value in force."""
    return hashlib.sha256(json.dumps(config.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()


def changes(config: BaseModel) -> dict[str, str]:
    """Fields that differ from the defaults, as ``{dotted name: value}``."""
    return _difference(config.model_dump(mode="json"), type(config)().model_dump(mode="json"), "")


def to_toml(config: Section) -> str:
    """The configuration as commented TOML: meaning, unit, range and source beside every field."""
    lines: list[str] = []
    _write_section(config, "", lines)
    return "\n".join(lines).strip() + "\n"


def _write_section(section: BaseModel, prefix: str, lines: list[str]) -> None:
    fields = type(section).model_fields
    nested = [n for n in fields if isinstance(getattr(section, n), BaseModel)]
    if prefix:
        doc = (type(section).__doc__ or "").strip().splitlines()
        lines += ["", f"[{prefix.rstrip('.')}]", *([f"# {doc[0]}"] if doc else [])]
    for name in fields:
        if name in nested:
            continue
        field = fields[name]
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        limits = [f"{c.ge}" for c in field.metadata if hasattr(c, "ge")] + [
            f"{c.le}" for c in field.metadata if hasattr(c, "le")
        ]
        about = f"{field.description} [{extra.get('unit', '')}]" + (f", range {' to '.join(limits)}" if limits else "")
        lines.append(f"# {about}; source: {extra.get('source', '')}")
        lines.append(f"{name} = {_toml_value(getattr(section, name))}")
    for name in nested:
        _write_section(getattr(section, name), f"{prefix}{name}.", lines)


def _toml_value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k} = {_toml_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_toml_value(v) for v in value) + "]"
    # TOML knows no surrogate pairs, and wants DEL escaped, which JSON leaves as it is.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _parse_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _merge(into: dict[str, Any], new: Mapping[str, Any]) -> None:
    for key, value in new.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = dict(value) if isinstance(value, Mapping) else value


def _all_keys(model: type[BaseModel], prefix: str) -> list[str]:
    keys: list[str] = []
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            keys += _all_keys(inner, f"{prefix}{name}.")
        else:
            keys.append(f"{prefix}{name}")
    return keys


def _range_hint(model: type[BaseModel], location: tuple[int | str, ...]) -> str:
    field = None
    for part in location:
        field = model.model_fields.get(str(part))
        if field is None:
            return ""
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            model = field.annotation
    if field is None or not isinstance(field.json_schema_extra, dict):
        return ""
    return f" (unit: {field.json_schema_extra['unit']}; {field.description})"


def _difference(now: Any, default: Any, prefix: str) -> dict[str, str]:
    if isinstance(now, dict) and isinstance(default, dict):
        out: dict[str, str] = {}
        for key in now:
            out |= _difference(now[key], default.get(key), f"{prefix}.{key}" if prefix else key)
        return out
    return {} if now == default else {prefix: json.dumps(now)}
