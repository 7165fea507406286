"""Run the tests against what ships: `make test-wheel`, or `python tests/from_wheel.py [OPTIONS] [-- PYTEST ARGUMENTS]`.

1. The sdist is built from the checkout, and the wheel from the unpacked sdist: a file that the sdist lacks is missed.
2. The wheel is installed with its extra `torch` and the groups `test` and `docs` into a new environment, apart from the
   checkout. `--lowest` installs the lowest versions that pyproject.toml allows, by uv; `--no-torch` leaves torch out.
3. pytest runs in the unpacked sdist, whose `src` is on no path: every import, and every command that a test starts, is
   the installed wheel's. The tests that read the source read what the sdist holds.

Only the standard library is used, so that any interpreter can start it; the environment has the interpreter that runs
this script, or the one of `--python`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# What needs no torch: reading, building, Anki, the schedule. Where torch is not to be had, these run.
WITHOUT_TORCH = ("tests/content", "tests/decks", "tests/importing", "tests/anki", "tests/practice", "tests/docs")


def main() -> int:
    """Build, install, test; the exit code is pytest's, or that of the first step that fails."""
    options = _options()
    if options.dist:
        with tempfile.TemporaryDirectory(prefix="llmdrills-dist-") as name:
            build(Path(name), options.builder)
            for made in (Path(name) / "dist").iterdir():
                print(shutil.copy(made, _made(Path(options.dist))))
        return 0
    with tempfile.TemporaryDirectory(prefix="llmdrills-wheel-") as name:
        folder = Path(options.keep or name).resolve()
        try:
            wheel, source = build(folder, options.builder)
            python = install(folder, wheel, source, options)
            return check(python, source, options)
        except subprocess.CalledProcessError as error:
            print(f"{' '.join(map(str, error.cmd))}: exit {error.returncode}", file=sys.stderr)
            return error.returncode


def build(folder: Path, builder: str) -> tuple[Path, Path]:
    """The wheel, and the folder of the unpacked sdist that it was built from."""
    dist = folder / "dist"
    _run(builder, "-m", "hatchling", "build", "-t", "sdist", "-d", dist, cwd=ROOT)
    (packed,) = dist.glob("*.tar.gz")
    with tarfile.open(packed) as archive:
        archive.extractall(folder / "source", filter="data")
    (source,) = (folder / "source").iterdir()
    _run(builder, "-m", "hatchling", "build", "-t", "wheel", "-d", dist, cwd=source)
    (wheel,) = dist.glob("*.whl")
    return wheel, source


def install(folder: Path, wheel: Path, source: Path, options: argparse.Namespace) -> Path:
    """A new environment that holds the wheel and what its tests need; its interpreter."""
    environment = folder / "environment"
    _run(options.python, "-m", "venv", environment)
    python = environment / "bin" / "python"
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *options.pip_args.split()]
    _run(*pip, "--upgrade", "pip>=25.1")  # dependency groups
    wanted = str(wheel) if options.no_torch else f"{wheel}[torch]"
    groups = [f"--group={source / 'pyproject.toml'}:{name}" for name in ("test", "docs")]
    if options.lowest:
        pins = folder / "lowest.txt"
        pins.write_text(lowest(source, python, pip, options), "utf-8")
        _run(*pip, wanted, "--constraint", pins)
        _run(*pip, *groups, "--constraint", pins)
    elif options.unpinned:
        _run(*pip, wanted, *groups)
    else:
        _run(*pip, wanted, *groups, "--constraint", source / "constraints.txt")
    return python


def lowest(source: Path, python: Path, pip: list[object], options: argparse.Namespace) -> str:
    """A pin of each direct dependency, at the lowest version that pyproject.toml allows and the registry has."""
    _run(*pip, "uv")
    project = tomllib.loads((source / "pyproject.toml").read_text("utf-8"))["project"]
    direct = [*project["dependencies"], *([] if options.no_torch else project["optional-dependencies"]["torch"])]
    asked = source.parent.parent / "lowest.in"  # not among the files of the sdist, which a test looks through
    asked.write_text("\n".join(direct) + "\n", "utf-8")
    compiled = _run(
        *(python, "-m", "uv", "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--no-emit-index-url"),
        *("--resolution", "lowest-direct", "--python", python, *options.uv_args.split(), asked),
        capture=True,
    )
    names = {line.split(">")[0].split(";")[0].strip().lower() for line in direct}
    return "\n".join(line for line in compiled.splitlines() if line.split("==")[0].lower() in names) + "\n"


def check(python: Path, source: Path, options: argparse.Namespace) -> int:
    """Run pytest in the unpacked sdist, once it is certain whose llmdrills is imported."""
    found = _run(python, "-c", "import llmdrills; print(llmdrills.__file__)", cwd=source, capture=True).strip()
    if not found.startswith(str(python.parents[1])):
        print(f"llmdrills is imported from {found}, not from the wheel", file=sys.stderr)
        return 2
    print(f"testing {found} on {_run(python, '--version', capture=True).strip()}", flush=True)
    named = any((source / word.split("::")[0]).exists() for word in options.pytest)  # options such as -n 2 name nothing
    folders = WITHOUT_TORCH if options.no_torch and not named else ()
    return subprocess.run([python, "-m", "pytest", *options.pytest, *folders], cwd=source, check=False).returncode


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _run(*words: object, cwd: Path | None = None, capture: bool = False) -> str:
    clean = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    ran = subprocess.run(
        list(map(str, words)), cwd=cwd, env=clean, check=True, text=True, stdout=subprocess.PIPE if capture else None
    )
    return ran.stdout or ""


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable, help="the interpreter of the new environment")
    parser.add_argument("--builder", default=sys.executable, help="an interpreter that has hatchling")
    parser.add_argument("--pip-args", default="", help="handed to every pip call, such as a package index")
    parser.add_argument("--uv-args", default="", help="handed to uv, such as a package index")
    parser.add_argument("--dist", default="", help="only build, and put sdist and wheel into this folder")
    parser.add_argument("--keep", default="", help="work in this folder, and leave it")
    parser.add_argument("--lowest", action="store_true", help="the lowest versions instead of the pinned ones")
    parser.add_argument("--unpinned", action="store_true", help="the newest versions instead of the pinned ones")
    parser.add_argument("--no-torch", action="store_true", help="without torch, and only the tests that need none")
    parser.add_argument("pytest", nargs="*", help="arguments of pytest")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
