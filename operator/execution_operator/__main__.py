"""The entry point of `execution-operator`. It says what to install where only `kubectl execution` is installed."""

import sys
from importlib.util import find_spec

REQUIRED_PACKAGES = ("kopf", "kubernetes", "prometheus_client", "pydantic", "temporalio")
"""The packages of the extra `operator`."""


def main() -> None:
    """Run the command line, or exit with the missing packages and how to install them."""
    if missing := [name for name in REQUIRED_PACKAGES if find_spec(name) is None]:
        extra = "gateway" if sys.argv[1:2] == ["gateway"] else "operator"
        sys.exit(f"not installed: {', '.join(missing)} (pip install 'execution-operator[{extra}]')")
    from execution_operator.main import main as run  # noqa: PLC0415 - imports the packages checked above

    run()


if __name__ == "__main__":
    main()
