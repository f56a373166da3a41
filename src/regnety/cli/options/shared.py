"""Options that mean the same in every command that has them."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from regnety.catalog.models import DEFAULT_MODEL
from regnety.cli.output.formats import Command
from regnety.images.formats import MAX_PIXELS
from regnety.inference.engines.registry import AUTO, ENGINES, PRECISION_SPELLINGS, PRECISIONS, no_precision

ENGINE_NAMES = (AUTO, *ENGINES)


def complete_model(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of models; if none fits, the shell completes files and folders."""
    from regnety.catalog.models import list_models
    from regnety.catalog.published import list_weights

    # names with tags only once a dot is typed: 61 of them would bury the models
    known = [*list_models(), *(list_weights() if "." in incomplete else [])]
    names = [CompletionItem(name) for name in known if name.startswith(incomplete)]
    # type="file" is click's word to the shell: complete files yourself
    return names or [CompletionItem(incomplete, type="file")]


model_argument = click.argument("model", metavar="MODEL", shell_complete=complete_model)
model_option = click.option(
    "--model",
    metavar="MODEL",
    help=f"A name, hf-hub:owner/name, a folder, a checkpoint, an .onnx or .xml file; by default {DEFAULT_MODEL}.",
    shell_complete=complete_model,
)
labels_option = click.option(
    "--labels",
    metavar="NAMES",
    help="Class names: a .txt, .json or .csv file, imagenet-1k or imagenet-12k.",
)
state_dict_option = click.option(
    "--state-dict",
    metavar="NAME",
    help="State dict of a checkpoint (`inspect` lists them); averaged weights by default.",
)
max_pixels_option = click.option(
    "--max-pixels",
    type=click.IntRange(1),
    metavar="PIXELS",
    default=MAX_PIXELS,
    help="Refuse larger images (width x height) before decoding.",
)


class PrecisionType(click.Choice[str]):
    """One of these precisions, in any spelling."""

    def normalize_choice(self, choice: object, ctx: click.Context | None) -> str:
        """The short spelling."""
        # click compares choices by this, so that f32 and float32 are one
        return PRECISION_SPELLINGS.get(str(choice), str(choice))

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """One of the precisions."""
        # f16 is a precision of files (`export`), which a user may well try to compute in
        if self.normalize_choice(value, ctx) == "f16" and "f16" not in self.choices:
            self.fail(no_precision("f16"), param, ctx)
        return super().convert(value, param, ctx)


def _hush(context: click.Context, parameter: click.Parameter, quiet: bool) -> bool:
    # warnings that the cache cannot be used are notices too; other warnings of the library are not
    if quiet:
        logging.getLogger("regnety.cache").setLevel(logging.ERROR)
    return quiet


quiet_option = click.option("--quiet", "-q", is_flag=True, callback=_hush, help="Print no notices and no progress.")
workers_option = click.option(
    "--workers",
    type=click.IntRange(1, 1024),
    metavar="NUMBER",
    help="Threads that take one image after another; one per core by default.",
)
engine_option = click.option(
    "--engine", type=click.Choice(ENGINE_NAMES), default="auto", help="Engine that runs the model."
)
recursive_option = click.option("--recursive", "-r", is_flag=True, help="Search sub-folders too.")
resume_option = click.option("--resume", is_flag=True, help="Continue an interrupted job; skip images that have rows.")


def data_option(text: str) -> Callable[[Command], Command]:
    """--data of a command that needs labelled photographs, with this help."""
    return click.option("--data", type=click.Path(), required=True, metavar="DATA", help=text)


def file_option(text: str) -> Callable[[Command], Command]:
    """--output of a command that writes a file where it is asked to, with this help; the command gets a Path."""
    return click.option("--output", "-o", type=click.Path(path_type=Path), metavar="FILE", help=text)


def folder_option(text: str) -> Callable[[Command], Command]:
    """--output of a command that makes a folder, with this help; the command gets a Path."""
    return click.option("--output", "-o", type=click.Path(path_type=Path), required=True, metavar="FOLDER", help=text)


def precision_option(default: str | None, *, shown: str | None = None) -> Callable[[Command], Command]:
    """--precision with its default; `shown` is the help's word for a default that depends on the model."""
    return click.option(
        "--precision",
        type=PrecisionType(PRECISIONS),
        default=default,
        show_default=shown is None,
        help="Precision to compute in; auto is bf16 where a named engine has it, or "
        f"where it is fastest for many images{f'; by default {shown}' if shown else ''}.",
    )
