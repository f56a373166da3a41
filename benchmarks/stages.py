"""Where each millisecond of one command goes: runs `regnety` and writes the time of every stage as JSON.

    python benchmarks/stages.py TIMES.json START_NS predict --model MODEL PHOTO

START_NS is `time.monotonic_ns()` of whoever starts this, right before. Each stage has the time that no stage inside of
it has, so that they add up to the whole; an import belongs to the package that is imported.
"""

import time

BEGAN_NS = time.monotonic_ns()

import builtins  # noqa: E402
import importlib  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402

STAGES = {
    "resolve the model": "regnety.bundle.resolver:resolve",
    "find or build the graph": "regnety.inference.engines.graph_cache:graph_of",
    "start the engine": "regnety.inference.engines.onnxruntime:OnnxRuntimeEngine.__init__",
    "decode": "regnety.images.pixels:_decoded",
    "resize and crop": "regnety.images.crop_resize:crop_resize",
    "infer": "regnety.inference.engines.onnxruntime:OnnxRuntimeEngine.run",
    "print": "regnety.cli.output.predictions:TableWriter.write",
}


class Clock:
    """Time by name; whatever runs inside of something else is taken from that."""

    def __init__(self):
        self.spent_ns = {}
        self._names = ["everything else"]
        self._since_ns = BEGAN_NS

    def enter(self, name):
        self._charge()
        self._names.append(name)

    def leave(self):
        self._charge()
        self._names.pop()

    def _charge(self):
        now_ns = time.monotonic_ns()
        name = self._names[-1]
        self.spent_ns[name] = self.spent_ns.get(name, 0) + now_ns - self._since_ns
        self._since_ns = now_ns

    def timed(self, name, function):
        def call(*arguments, **options):
            self.enter(name)
            try:
                return function(*arguments, **options)
            finally:
                self.leave()

        return call


def watch_imports(clock):
    """Charge imports to their packages, and wrap each stage before anybody can have a copy of it."""
    plain_import, plain_import_module = builtins.__import__, importlib.import_module
    waiting = {name: target.split(":") for name, target in STAGES.items()}

    def package_of(name):
        top = name.partition(".")[0]
        return f"import {'the standard library' if top in sys.stdlib_module_names else top}"

    def wrap_stages():
        for name, (module, path) in list(waiting.items()):
            owner, _, attribute = path.rpartition(".")
            place = sys.modules.get(module)
            place = getattr(place, owner, None) if owner else place
            if place is not None and hasattr(place, attribute):
                setattr(place, attribute, clock.timed(name, getattr(place, attribute)))
                del waiting[name]

    def import_by_statement(name, namespace=None, scope=None, names=(), level=0):
        full = name
        if level:
            full = namespace.get("__package__") or namespace["__name__"]
        elif name in sys.modules and not any(module in sys.modules for module, _ in waiting.values()):
            return plain_import(name, namespace, scope, names, level)
        clock.enter(package_of(full))
        try:
            return plain_import(name, namespace, scope, names, level)
        finally:
            wrap_stages()
            clock.leave()

    def import_by_function(name, package=None):
        clock.enter(package_of(package if name.startswith(".") else name))
        try:
            return plain_import_module(name, package)
        finally:
            wrap_stages()
            clock.leave()

    builtins.__import__, importlib.import_module = import_by_statement, import_by_function


def main():
    path, start_ns, *sys.argv[1:] = sys.argv[1:]
    sys.argv[0] = "regnety"
    del sys.path[0]  # this script's own folder, which `python -m` would not have
    clock = Clock()
    watch_imports(clock)
    from regnety.cli.main import run

    status = run()
    clock.leave()
    ended_ns = time.monotonic_ns()
    import json

    times = {"start of the interpreter": BEGAN_NS - int(start_ns), **clock.spent_ns}
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"spent_ns": times, "ended_ns": ended_ns}, file)
    os._exit(status)  # as the command itself ends


if __name__ == "__main__":
    main()
