"""The parts of a long benchmark, each kept as soon as it is measured: started again, it goes on where it was."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from processes import processor


class StoredParts:
    """What has been measured so far, by name, in a JSON file.

    Args:
        path: the file; parts that it has are not measured again.
        settings: what the parts depend on. A file with other settings is refused.
    """

    def __init__(self, path: Path, settings: dict[str, Any]) -> None:
        self.path = path
        self.settings = settings
        self.measured: dict[str, Any] = {}
        if path.exists():
            stored = json.loads(path.read_text("utf-8"))
            if stored["settings"] != settings or stored["processor"] != processor():
                raise SystemExit(f"{path}: was measured with other settings or on another processor; name another file")
            self.measured = stored["parts"]

    def part(self, name: str, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What was measured under this name, now or earlier."""
        if name not in self.measured:
            loads = [os.getloadavg()[0]]
            values = measure()
            loads.append(os.getloadavg()[0])
            # Other work on the machine takes from what fits into a time.
            self.measured[name] = values | {"load_before_and_after": [round(load, 1) for load in loads]}
            self._write()
            print(f"{name}: {json.dumps(values)}", flush=True)
        found: dict[str, Any] = self.measured[name]
        return found

    def _write(self) -> None:
        facts = {"processor": processor(), "settings": self.settings, "parts": self.measured}
        beside = self.path.with_name(self.path.name + ".incomplete")
        beside.write_text(json.dumps(facts, indent=1) + "\n", "utf-8")
        beside.replace(self.path)
