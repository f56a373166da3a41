"""`regnety fetch`."""

import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from regnety.architecture.counting import weights_bytes
from regnety.catalog.models import embedded_bundle, model_info
from regnety.catalog.published import list_weights, published_models
from regnety.cli.options import quiet_option
from regnety.cli.terminal import printable
from regnety.errors import RegNetYError
from regnety.weights.fetching.hub_address import HUB_PREFIX, parse_hub_address


def complete_published(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of models that have published weights, and with a dot those of the weights themselves."""
    known: Iterable[str] = list_weights() if "." in incomplete else published_models()
    return [CompletionItem(name) for name in known if name.startswith(incomplete)]


@click.command()
@click.argument("names", metavar="NAME...", nargs=-1, shell_complete=complete_published)
@click.option("--all", "every", is_flag=True, help="All published weights, instead of names.")
@quiet_option
def fetch(names: tuple[str, ...], every: bool, quiet: bool) -> None:
    """Fetch weights to this disk, check them, and print where they are.

    NAME is that of a model, with or without the tag of its weights, or hf-hub:owner/name[@revision].

    Example:  regnety fetch regnety_040.ra3_in1k
    """
    if every and names:
        raise click.UsageError("--all and names contradict each other; give one of them")
    if not every and not names:
        raise click.UsageError("give the names of weights, or --all")
    wanted = list_weights() if every else list(dict.fromkeys(names))
    finders = [_finder(name, quiet) for name in wanted]  # all names are known before anything is fetched
    if every and not quiet:
        print(f"regnety: {_summary(wanted)}", file=sys.stderr)
    failed = False
    for find in finders:
        try:
            path = find()
        except (RegNetYError, OSError) as error:
            failed = True
            print(f"regnety: {printable(_line(error))}", file=sys.stderr)
        else:
            print(printable(f"{path}: {_bytes_of(path) / 1e6:,.1f} MB"), flush=True)
    if failed:
        click.get_current_context().exit(1)


def _finder(name: str, quiet: bool) -> Callable[[], Path]:
    """What brings the weights of a name here.

    Raises:
        UnknownModelError: there are none of that name.
    """
    if name.startswith(HUB_PREFIX):
        parse_hub_address(name)

        def find_repository() -> Path:
            from regnety.weights.fetching.hub import fetch_repo

            return fetch_repo(name, quiet=quiet)

        return find_repository
    published = model_info(name).published
    if published is None:  # it came with the package
        return embedded_bundle
    from regnety.weights.fetching.published import fetch as fetch_published

    return partial(fetch_published, published, quiet=quiet)


def _summary(names: list[str]) -> str:
    missing = [name for name in names if not _is_here(name)]
    here = len(names) - len(missing)
    return f"{len(names)} published weights, {_gigabytes(names)} in float32; {here} here, {_gigabytes(missing)} missing"


def _is_here(name: str) -> bool:
    published = model_info(name).published
    return published is not None and published.cached_file is not None


def _gigabytes(names: list[str]) -> str:
    infos = map(model_info, names)
    return f"{sum(weights_bytes(info.design.architecture(info.num_classes)) for info in infos) / 1e9:.1f} GB"


def _bytes_of(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def _line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror is not None:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split())
