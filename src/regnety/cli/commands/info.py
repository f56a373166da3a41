"""`regnety info`."""

import json
import textwrap
from typing import Any

import click

from regnety.cli.output import terminal
from regnety.cli.output.formats import ReportFormat, report_format_option
from regnety.errors import how_to_install
from regnety.inference.engines.registry import ENGINES


@click.command()
@click.option("--clear-cache", is_flag=True, help="Empty the cache of all that can be made again; keep weights.")
@click.option("--weights", is_flag=True, help="With --clear-cache, also remove fetched weights.")
@click.option("--placed-weights", is_flag=True, help="With --clear-cache, also remove weights put there by hand.")
@report_format_option
def info(clear_cache: bool, weights: bool, placed_weights: bool, output_format: ReportFormat) -> None:
    """Show versions, engines, the processor and the cache.

    Example:  regnety info --clear-cache
    """
    if (weights or placed_weights) and not clear_cache:
        raise click.UsageError(f"{'--weights' if weights else '--placed-weights'} says what --clear-cache removes too")
    from regnety.inference.engines.system_info import system_info

    freed = _clear(weights, placed_weights) if clear_cache else None  # first, so that the facts are those after it
    facts = system_info()
    if freed is not None:
        facts["freed_bytes"] = freed
    if output_format is ReportFormat.json:
        print(json.dumps(facts, indent=2))
    else:
        _print(facts)


def _clear(weights: bool, placed_weights: bool) -> int:
    from regnety.storage.cache import empty_cache

    freed = empty_cache()
    if weights or placed_weights:
        from regnety.weights.fetching.kept_weights import remove_weights

        freed += remove_weights(fetched=weights, placed=placed_weights)
    return freed


def _print(facts: dict[str, Any]) -> None:
    from regnety.inference.engines.system_info import EXTRAS

    width = terminal.width()  # None in a pipe, where a line stays whole for grep

    def line(name: str, text: str) -> None:
        # 16: the names' column; hyphens belong to versions and paths, so no line breaks there
        lines = textwrap.wrap(text, max(20, width - 16), break_on_hyphens=False) if width else [text]
        for number, part in enumerate(lines):
            print(f"{'' if number else name:<14}  {part}")

    line("regnety", f"{facts['regnety']}, Python {facts['python']}, {facts['system']}")
    bf16 = {True: "has bf16", False: "has no bf16", None: "does not say whether it has bf16"}[facts["bf16"]]
    flags = ", ".join(facts["flags"]) or "unknown abilities"
    line("processor", f"{facts['processor'] or 'unknown'}, {facts['cores']} cores: {flags}; {bf16}")
    for number, (engine, version) in enumerate(facts["engines"].items()):
        line("" if number else "engines", f"{engine} {version or _how_to_install(ENGINES[engine].extra or engine)}")
    line("", f"auto takes {facts['auto']}{_faster(facts)}")
    line("libraries", ", ".join(f"{name} {version or 'missing'}" for name, version in facts["libraries"].items()))
    for number, (extra, version) in enumerate(facts["extras"].items()):
        found = f"{EXTRAS[extra]} {version}" if version else _how_to_install(extra)
        line("" if number else "extras", f"{extra}: {found}")
    line("cache", facts["cache"] or "there is none, as this user has no home directory; set REGNETY_CACHE to a folder")
    for name, size in facts["cache_bytes"].items():
        line("", f"{name} {_megabytes(size)}")
    if facts["cache"] and not facts["cache_bytes"]:
        line("", "is empty")
    if "freed_bytes" in facts:
        line("", f"{_megabytes(facts['freed_bytes'])} removed")
        if kept := _kept_weights():
            line("", kept)


def _kept_weights() -> str | None:
    """Which weights --clear-cache left, and the options that remove them."""
    from regnety.weights.fetching.kept_weights import count_weights

    fetched, placed = count_weights()
    how = {"--weights": (fetched, "fetched"), "--placed-weights": (placed, "put there by hand")}
    parts = [f"{count} {which} ({option})" for option, (count, which) in how.items() if count]
    return f"weights kept: {' and '.join(parts)}" if parts else None


def _how_to_install(extra: str) -> str:
    return f"is not installed: {how_to_install(extra)}"


def _faster(facts: dict[str, Any]) -> str:
    """What is better for many images."""
    if sum(row.tried and facts["engines"][row.name] is not None for row in ENGINES.values()) > 1:
        return "; for many images, whichever engine is fastest"
    from regnety.inference.engines.selection import faster_engine

    faster = faster_engine()
    return "" if faster is None else f"; for many images, {faster.title} would be faster here"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
