"""`regnety fetch`."""

from collections.abc import Iterable
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from regnety.architecture.counting import weights_bytes
from regnety.catalog.addresses import HUB, parse_hub_address, split_address
from regnety.catalog.models import is_name, model_info
from regnety.catalog.published import list_weights, published_models
from regnety.cli.options.shared import quiet_option
from regnety.errors import RegNetYError, UnreachableError
from regnety.notices import say
from regnety.text import error_line, printable


def complete_published(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of models that have published weights; after a dot, names of the weights."""
    known: Iterable[str] = list_weights() if "." in incomplete else published_models()
    return [CompletionItem(name) for name in known if name.startswith(incomplete)]


@click.command()
@click.argument("names", metavar="NAME...", nargs=-1, shell_complete=complete_published)
@click.option("--all", "every", is_flag=True, help="Fetch all published weights, instead of names.")
@quiet_option
def fetch(names: tuple[str, ...], every: bool, quiet: bool) -> int:
    """Download weights, check them, and print where they are.

    NAME is a model, with or without the tag of its weights, or hf-hub:owner/name[@revision]. For a folder or file,
    which needs no download, its place is printed.

    Example:  regnety fetch regnety_040.ra3_in1k
    """
    from regnety.bundle.resolver import fetch_model

    if every and names:
        raise click.UsageError("--all and names contradict each other; give one of them")
    if not every and not names:
        raise click.UsageError("give the names of weights, or --all")
    # dict.fromkeys: a name that is given twice is fetched once
    wanted = list_weights() if every else list(dict.fromkeys(names))
    for name in names:  # a typing error in the last must not be found after an hour of downloads
        _check(name)
    if every and not quiet:
        say(_summary(wanted))
    failed = False
    unanswered: dict[str, UnreachableError | None] = {}
    for name in wanted:
        if unanswered and not _is_here(name):  # nobody answered before: the others would wait for nothing
            unanswered[name] = None
            continue
        try:
            path = fetch_model(name, quiet=quiet)
        except (RegNetYError, OSError) as error:  # one that fails does not stop the others
            if every and isinstance(error, UnreachableError):
                unanswered[name] = error
                continue
            failed = True
            say(error_line(error))
        else:
            # flush: in a pipe each line is seen when its file is there, and not after hours
            print(printable(f"{path}: {_bytes_of(path) / 1e6:,.1f} MB"), flush=True)
    if unanswered:
        first = error_line(next(error for error in unanswered.values() if error is not None))
        count = f"{len(unanswered)} of {len(wanted)} published weights"
        say(f"{count} are missing and cannot be fetched; the first: {first}")
    return int(failed or bool(unanswered))


def _check(name: str) -> None:
    """Refuse a name, folder or file that is no model, before anything is fetched."""
    if split_address(name)[0] == HUB:
        parse_hub_address(name)
    elif not is_name(name):
        from regnety.bundle.resolver import resolve

        resolve(name)


def _summary(names: list[str]) -> str:
    missing = [name for name in names if not _is_here(name)]
    here = len(names) - len(missing)
    return f"{len(names)} published weights, {_gigabytes(names)} in f32; {here} here, {_gigabytes(missing)} missing"


def _is_here(name: str) -> bool:
    published = model_info(name).published
    return published is not None and published.cached_file is not None


def _gigabytes(names: list[str]) -> str:
    infos = map(model_info, names)
    return f"{sum(weights_bytes(info.design.architecture(info.num_classes)) for info in infos) / 1e9:.1f} GB"


def _bytes_of(path: Path) -> int:
    # a model from the Hub or on this disk may be a folder
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
