"""The layout of the repository itself."""

import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[3]


def test_the_folder_operator_is_no_package() -> None:
    """It would hide the standard library's module of this name from whatever starts in the checkout."""
    assert not (CHECKOUT / "operator" / "__init__.py").exists()


def test_pytest_starts_as_a_module_from_the_checkout() -> None:
    started = subprocess.run(
        [sys.executable, "-m", "pytest", "--version"], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert started.returncode == 0, started.stderr
