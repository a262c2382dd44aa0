"""What a command is to do: from the command line, else the environment, else the project's setting ``STATIC_SYNC``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from static_sync.exceptions import UsageError
from static_sync.options import COMMANDS, DESTINATION, SETTINGS, did_you_mean

if TYPE_CHECKING:
    from static_sync.options import Command, Option

SETTING = "STATIC_SYNC"
_PREFIX = "STATIC_SYNC_"
_YES, _NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
_NONE = "none"

_ALL = {option.key: option for option in (DESTINATION, *(o for command in COMMANDS.values() for o in command.options))}


class Parameters(NamedTuple):
    """``options`` are keyword arguments for the command's function; what nobody has said is not among them."""

    destination: str
    options: dict[str, Any]


def configure(command: Command, given: Mapping[str, object], environ: Mapping[str, str], root: Path) -> Parameters:
    """`resolve`, with the setting of the project in the folder ``root``, which is loaded into this process.

    With a source folder there is no project, and its setting does not count, even if it is loaded. A command that needs
    none of the project's files goes without one where there is none. Raises `UsageError`, or `ProjectError` for a
    project that does not load.
    """
    told = _told(command, given, environ)
    settings = given.get(SETTINGS.name)
    setting = None
    is_needed = command.of_project and "manifest" not in told
    if "source" not in told and (is_needed or settings or _is_project(root, environ)):
        setting = _load_setting(root, str(settings) if settings else None)
    return resolve(command, given, environ, setting)


def resolve(command: Command, given: Mapping[str, object], environ: Mapping[str, str], setting: object) -> Parameters:
    """Bring together what is said in all places; of each option the nearest to the command line holds, whole.

    ``given`` is by parameter, in texts, lists of texts and True as a command line is read, or in the types that the
    setting has; None is not given. ``setting`` is the value of the setting, None where there is none. Raises
    `UsageError`, whose text names the place.
    """
    values = {**_from_setting(setting), **_told(command, given, environ)}
    destination = values.pop(DESTINATION.key, None)
    if destination is None:
        raise UsageError(
            f"There is no destination: write {command.words} s3://BUCKET/PREFIX, or configure one, with "
            f"{DESTINATION.variable} in the environment or with {SETTING} = "
            '{"destination": "s3://BUCKET/PREFIX"} in the settings.'
        )
    options = {option.name: values[option.key] for option in command.options if option.key in values}
    if not command.of_project:
        options.pop(SETTINGS.name, None)
    return Parameters(destination, options)


def _told(command: Command, given: Mapping[str, object], environ: Mapping[str, str]) -> dict[str, Any]:
    """What the environment and the command line say to ``command``."""
    from_environment = _from_environment(environ)
    told = {}
    for option in (DESTINATION, *command.options):
        if option.key in from_environment:
            told[option.key] = from_environment[option.key]
        if (value := given.get(option.name)) is not None:
            told[option.key] = _read(option, value, "the destination" if option is DESTINATION else option.flag)
    return told


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    values = {}
    for variable, text in environ.items():
        if not variable.startswith(_PREFIX):
            continue
        option = _ALL.get(variable.removeprefix(_PREFIX).lower())
        if option is None:
            # Others may well keep variables of their own beside ours; only what looks like a slip is one.
            keys = [option.key.upper() for option in _ALL.values() if option.level != "command line"]
            if meant := did_you_mean(variable.removeprefix(_PREFIX), keys):
                raise UsageError(f"{variable} in the environment is no option{meant}")
        elif option.level == "command line":
            raise UsageError(
                f"{variable} in the environment has no effect: {option.flag} is for the command line only."
            )
        elif text.strip():  # what CI systems make of a variable that is not set
            values[option.key] = _read(option, text.strip(), f"{variable} in the environment")
    return values


def _from_setting(setting: object) -> dict[str, Any]:
    if setting is None:
        return {}
    if not isinstance(setting, Mapping):
        raise UsageError(
            f"The setting {SETTING} is {_shown(setting)}; it is a dictionary of options, for example "
            '{"destination": "s3://my-site/static"}.'
        )
    known = [key for key, option in _ALL.items() if option.level == "setting"]
    values = {}
    for key, value in setting.items():
        place = f"{SETTING}[{key!r}] in the settings"
        if key not in known:
            if key in _ALL:
                raise UsageError(f"{place} has no effect: it is of one run. Give {_ALL[key].flag} to the command.")
            meant = did_you_mean(str(key), known) or f". There are: {', '.join(sorted(known))}."
            raise UsageError(f"{place} is no option{meant}")
        if value is not None:
            values[key] = _read(_ALL[key], value, place)
    return values


def _read(option: Option, value: object, place: str) -> Any:
    """The value of an option, checked, in the type its function takes; ``place`` is where it was found."""
    if value in (_NONE, [_NONE]) and option.level == "setting" and option is not DESTINATION:
        return () if option.kind in ("list", "rules") else None
    match option.kind:
        case "switch":
            return _switch(value, place)
        case "number":
            return _number(option, value, place)
        case "list":
            return tuple(_choice(option, item, place) for item in _items(value, place))
        case "rules":
            return _rules(value, place)
        case "path":
            return Path(_text(value, place)) if not isinstance(value, Path) else value
        case "text":
            text = _choice(option, _text(value, place), place)
            return _destination(text, place) if option is DESTINATION else text


def _switch(value: object, place: str) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in (*_YES, *_NO):
        return value.lower() in _YES
    raise UsageError(f"{place} is {_shown(value)}: give one of {', '.join((*_YES, *_NO))}.")


def _number(option: Option, value: object, place: str) -> int:
    number = None
    if isinstance(value, str) and value.removeprefix("-").isdecimal():
        number = int(value)
    elif isinstance(value, int) and not isinstance(value, bool):
        number = value
    if number is None or number < option.smallest or (option.largest is not None and number > option.largest):
        limits = f"from {option.smallest} " + (f"to {option.largest}" if option.largest is not None else "on")
        raise UsageError(f"{place} is {_shown(value)}: give a whole number {limits}.")
    return number


def _text(value: object, place: str) -> str:
    if not isinstance(value, str):
        raise UsageError(f"{place} is {_shown(value)}: give a text.")
    if not value.strip():
        raise UsageError(f"{place} is empty: is the variable set that it was made of? Leave it out, or say none.")
    if not value.isprintable():
        raise UsageError(f"{place} is {_shown(value)}, which has a line break or another character nobody can see.")
    return value


def _choice(option: Option, text: str, place: str) -> str:
    if option.choices and text not in option.choices:
        meant = did_you_mean(text, option.choices) or f": there are {', '.join(option.choices)}."
        raise UsageError(f"{place} is {text!r}{meant}")
    return text


def _items(value: object, place: str) -> list[str]:
    """The items of a list: one text with commas, or several."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple):
        raise UsageError(f"{place} is {_shown(value)}: give a list of texts.")
    items = [item.strip() for text in texts for item in _text(text, place).split(",")]
    if not all(items):
        raise UsageError(f"{place} is {_shown(value)}, which has an empty item.")
    return items


def _rules(value: object, place: str) -> tuple[tuple[str, str], ...]:
    """Rules from a dictionary, from pairs, or from texts GLOB=VALUE with semicolons or line breaks between them."""
    pairs: list[Any]
    if isinstance(value, Mapping):
        pairs = list(value.items())
    elif isinstance(value, str):
        pairs = [_rule(text, place) for text in value.replace("\n", ";").split(";") if text.strip()]
    elif isinstance(value, list | tuple):
        pairs = [_rule(item, place) if isinstance(item, str) else item for item in value]
    else:
        raise UsageError(f"{place} is {_shown(value)}: give a dictionary of patterns and values.")
    for pair in pairs:
        if not (isinstance(pair, list | tuple) and len(pair) == 2 and all(isinstance(part, str) for part in pair)):
            raise UsageError(f"{place} has {_shown(pair)}: a rule is a pattern and a value, both texts.")
    from static_sync.cache_policy import CachePolicy

    try:
        CachePolicy(pairs)
    except UsageError as error:
        raise UsageError(f"{place}: {error}") from None
    return tuple((pattern, header.strip()) for pattern, header in pairs)


def _rule(text: str, place: str) -> tuple[str, str]:
    pattern, equals, value = text.strip().partition("=")
    if not equals or not pattern.strip():
        raise UsageError(f"{place} is {text!r}: write GLOB=VALUE, for example '*.html=no-cache'.")
    return pattern.strip(), value.strip()


def _destination(text: str, place: str) -> str:
    from static_sync.destination import Destination

    if "://" not in text and (meant := did_you_mean(text, COMMANDS)):
        raise UsageError(f"{text} is neither a destination nor a command{meant}")
    try:
        Destination.parse(text)
    except UsageError as error:
        raise UsageError(str(error) if place == "the destination" else f"{place}: {error}") from None
    return text


def _is_project(root: Path, environ: Mapping[str, str]) -> bool:
    django_conf = sys.modules.get("django.conf")
    is_loaded = django_conf is not None and django_conf.settings.configured
    return is_loaded or bool(environ.get("DJANGO_SETTINGS_MODULE")) or (root / "manage.py").is_file()


def _load_setting(root: Path, settings: str | None) -> object:
    from contextlib import redirect_stdout

    from static_sync.collecting.project import load_project

    # Settings that print would otherwise spoil the JSON on standard output.
    with redirect_stdout(sys.stderr):
        load_project(root.absolute(), settings)
    from django.conf import settings as loaded

    return getattr(loaded, SETTING, None)


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
