"""The command `python -m execution_operator.manifests [--check]`: write or check the generated files of a checkout."""

import argparse
import sys
from pathlib import Path

from execution_operator.manifests.files import drift, write

CHECKOUT = Path(__file__).parents[3]


def main(arguments: list[str], root: Path = CHECKOUT) -> int:
    """Run the command.

    Args:
        arguments: The arguments of the command line.
        root: The root directory of the checkout.

    Returns:
        The exit code: 1 if `--check` finds a difference, else 0.
    """
    parser = argparse.ArgumentParser(prog="python -m execution_operator.manifests", description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail if a file differs from what would be generated"
    )
    if not parser.parse_args(arguments).check:
        write(root)
        return 0
    if not (found := drift(root)):
        return 0
    print(*found, "run `make manifests`", sep="\n", file=sys.stderr)  # noqa: T201 - the output of a command
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
