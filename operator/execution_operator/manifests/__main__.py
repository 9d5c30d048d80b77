"""`python -m execution_operator.manifests [--check]`: write the generated files of this checkout, or check them."""

import argparse
import sys
from pathlib import Path

from execution_operator.manifests.files import drift, write

CHECKOUT = Path(__file__).parents[3]


def main(arguments: list[str], root: Path = CHECKOUT) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m execution_operator.manifests", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file has drifted")
    if not parser.parse_args(arguments).check:
        write(root)
        return 0
    if not (found := drift(root)):
        return 0
    print(*found, "run `make manifests`", sep="\n", file=sys.stderr)  # noqa: T201 - the answer of a command
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
