"""`{model-table}` and `{recipe-table}`: tables that are read from the code when the documentation is built."""

import dataclasses
from collections.abc import Iterable, Sequence

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import regnety
from regnety.training.recipes.named_recipes import RECIPES
from regnety.training.recipes.recipe import Recipe


class ModelTable(SphinxDirective):
    """A row for each published architecture."""

    def run(self) -> list[nodes.Node]:
        """Design, size, work, and the accuracy of its default weights."""
        self.env.note_reread()
        head = ("model", "parameters", "macs", "top1", "d", "w0", "wa", "wm", "g", "stages: width x depth")
        return [_table(head, map(_model_row, _published()))]


class RecipeTable(SphinxDirective):
    """A row for each field of a recipe, a column for each named recipe."""

    def run(self) -> list[nodes.Node]:
        """The value of every field in each recipe; nested fields have dotted names, as in `--set`."""
        self.env.note_reread()
        recipes = {name: dict(_flat(make())) for name, make in RECIPES.items()}
        fields = [field for field in next(iter(recipes.values())) if field not in ("name", "design")]
        rows = [(field, *(str(values[field]) for values in recipes.values())) for field in fields]
        return [_table(("field", *recipes), rows)]


def _published() -> list[str]:
    return [name for name in regnety.list_models() if regnety.model_info(name).published is not None]


def _model_row(name: str) -> tuple[str, ...]:
    info = regnety.model_info(name)
    design, published = info.design, info.published
    counts = regnety.complexity(design.architecture(info.num_classes))
    # In one line: a phone scrolls the table sideways, and rows of four lines would make it four times as long.
    stages = ",\N{NO-BREAK SPACE}".join(f"{stage.width}x{stage.depth}" for stage in design.fitted_stages())
    first = published.imagenet[0] if published is not None and published.imagenet else None
    accuracy = "" if first is None else f"{first.top1:.2f} at {first.image_size}"
    sizes = (f"{counts.num_params / 1e6:.1f} M", f"{counts.macs / 1e9:.2f} G")
    numbers = (design.depth, design.w0, design.wa, design.wm, design.group_width)
    return (name, *sizes, accuracy, *map(str, numbers), stages)


def _flat(recipe: Recipe) -> Iterable[tuple[str, object]]:
    for field in dataclasses.fields(recipe):
        value = getattr(recipe, field.name)
        if dataclasses.is_dataclass(value) and field.name != "design":
            yield from (
                (f"{field.name}.{inner.name}", getattr(value, inner.name)) for inner in dataclasses.fields(value)
            )
        else:
            yield field.name, value


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> nodes.table:
    group = nodes.tgroup(cols=len(head))
    group += [nodes.colspec(colwidth=1) for _ in head]
    group += nodes.thead("", _row(head))
    group += nodes.tbody("", *map(_row, rows))
    return nodes.table("", group)


def _row(cells: Sequence[str]) -> nodes.row:
    return nodes.row("", *(nodes.entry("", nodes.paragraph(text=cell)) for cell in cells))


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls this."""
    app.add_directive("model-table", ModelTable)
    app.add_directive("recipe-table", RecipeTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
