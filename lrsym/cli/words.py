"""The words of a command, before any verb sees them: what is given twice, without its partner, or is no number."""

from collections.abc import Mapping, Sequence
from typing import Any

from typer.core import TyperCommand, TyperOption

from lrsym.api.numbers import Number
from lrsym.errors import UsageError

_TRAINING = ("--workers", "--pack", "--device", "--engine", "--max-core-hours", "--max-gpu-hours")

NEEDS: Mapping[str, Mapping[str, str]] = {
    "plan": {"--metric": "--until"},
    "status": {"--every": "--watch"},
    "query": {"--set": "--sweep"},
    "plot phase": {"--level": "--refined"},
}
"""Options of a verb that mean nothing without another, by that other."""

EXCLUDES: Mapping[str, Mapping[str, Sequence[str]]] = {
    "plan": {"--until": ("--limit", "--shard", "--retry", "--budget", "--no-pilot", *_TRAINING)},
    "status": {"--watch": ("--json",)},
    "query": {"--json": ("--csv",)},
    "plot phase": {"--refined": ("--minus", "--live", "--threshold"), "--minus": ("--live", "--threshold")},
    "claims": {"--register": ("--run", "--out", "--no-page", "--theme", *_TRAINING), "--no-page": ("--out", "--theme")},
    "new": {"--list": ("--from",)},
    "axes": {"--markdown": ("--json",)},
}
"""Options of a verb that leave no room for others."""


class Verb(TyperCommand):
    """A verb that looks at its words before it takes them."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Return what typer does. Raise UsageError, one line, for words that make no sense together."""
        if not ctx.resilient_parsing:  # as for completion, where a command is not at its end
            given = self._given(ctx, args)
            if "--help" not in given:
                verb = ctx.command_path.removeprefix("lrsym").strip()
                self._check_values(given)
                _check_together(verb, given)
        return super().parse_args(ctx, args)

    def _given(self, ctx: Any, args: Sequence[str]) -> dict[str, list[Any]]:
        """Return the options in `args`, by their first name, each with all its values in their order."""
        parser, options = self.make_parser(ctx), [p for p in self.get_params(ctx) if isinstance(p, TyperOption)]
        for option in options:
            if not option.is_flag:  # all of them, where a parser would keep the last
                parser.add_option(obj=option, opts=option.opts, dest=option.name, action="append", nargs=option.nargs)
        values, _, _ = parser.parse_args(args=[*args])
        found = {_name(option): values[option.name] for option in options if values.get(option.name) is not None}
        return {name: value if isinstance(value, list) else [value] for name, value in found.items()}

    def _check_values(self, given: Mapping[str, Sequence[Any]]) -> None:
        for option in self.params:
            name, values = _name(option), given.get(_name(option), ())
            if len(values) > 1 and not option.multiple:
                listed = ", ".join(map(str, values))
                raise UsageError(f"{name} takes one value, got {len(values)}: {listed}; leave out all but one")
            descriptor = getattr(option, "type_descriptor", None)
            rule = descriptor.parameter_info.parser if descriptor else None
            if isinstance(rule, Number):
                for value in values:
                    rule.check_text(name, value)


def _name(option: Any) -> str:
    """Return what an option is called in messages: its long name where it has one."""
    return next((name for name in option.opts if name.startswith("--")), option.opts[0])


def _check_together(verb: str, given: Mapping[str, Sequence[Any]]) -> None:
    for name, partner in NEEDS.get(verb, {}).items():
        if name in given and partner not in given:
            shown = ", ".join(str(value)[:60] for value in given[name])
            raise UsageError(f"{name} is for {partner}, got {shown} without it; add {partner}, or leave {name} out")
    for name, others in EXCLUDES.get(verb, {}).items():
        if name in given and (other := next((other for other in others if other in given), None)):
            raise UsageError(f"{name} and {other} exclude each other, got both; leave one of them out")
