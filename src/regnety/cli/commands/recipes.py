"""`regnety recipes`."""

import click


@click.command()
@click.argument("name", required=False, metavar="NAME")
def recipes(name: str | None) -> None:
    """Say what the recipes of `train` are for.

    With NAME, or the file of a recipe, its fields follow as YAML, which `train --recipe` takes.

    Example:  regnety recipes paper
    """
    import inspect

    from regnety.training.recipes.named_recipes import RECIPES, load_recipe
    from regnety.training.recipes.recipe import recipe_text

    if name is None:
        width = max(map(len, RECIPES))
        for known, make in RECIPES.items():
            print(f"{known:{width}}  {str(inspect.getdoc(make)).partition(chr(10))[0]}")
        return
    recipe = load_recipe(name)
    if name in RECIPES:
        record, _, _ = str(inspect.getdoc(RECIPES[name])).partition("\n\nArgs:")
        print("".join(f"# {line}".rstrip() + "\n" for line in record.splitlines()))
    print(recipe_text(recipe), end="")
