"""What huggingface_hub tells of its progress, shown as everything else."""

from typing import Any

from huggingface_hub.utils import are_progress_bars_disabled, tqdm  # type: ignore[attr-defined]

from regnety.progress import ByteProgress


def bar_class(description: str, *, quiet: bool) -> type[Any]:
    """The class of bars to hand to huggingface_hub: tqdm's, which show nothing, with ours behind them."""
    quiet = quiet or are_progress_bars_disabled()

    class Bar(tqdm):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **{**options, "disable": True})  # type: ignore[no-untyped-call]
            self._progress = ByteProgress(description, quiet=quiet).__enter__()
            self._progress.place(options.get("initial", 0), options.get("total"))

        def update(self, n: float | None = 1) -> None:
            self._progress.advance(int(n or 0))

        def update_transfer(self, n: float) -> None:
            """hf_xet's count of what came over the wire: not the bytes of the file."""

        def set_transfer_postfix_str(self, *arguments: Any, **options: Any) -> None:
            """The speed of that."""

        def close(self) -> None:
            super().close()
            self._progress.__exit__(None, None, None)

    return Bar
