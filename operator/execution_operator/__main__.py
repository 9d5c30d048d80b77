"""`execution-operator`, also where the package is installed for `kubectl execution` alone."""

import sys
from importlib.util import find_spec

NEEDED = ("kopf", "kubernetes", "prometheus_client", "pydantic", "temporalio")
"""The packages of the extra `operator`."""


def main() -> None:
    """Run the command line, or say what to install."""
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        extra = "gateway" if sys.argv[1:2] == ["gateway"] else "operator"
        sys.exit(f"not installed: {', '.join(missing)} (pip install 'execution-operator[{extra}]')")
    from execution_operator.main import main as run  # noqa: PLC0415 - needs what was looked for

    run()


if __name__ == "__main__":
    main()
