"""The arguments of `execution-operator gateway`. The packages of the gateway are imported only when it runs."""

import argparse
import sys
from pathlib import Path
from typing import Any

DESCRIPTION = """\
Serves POST /api/v1/executions/{execution_id}/terminate, and /api/v1/executions/terminate for up to 1,000 at once.
Callers authenticate with a Bearer token of the Kubernetes API server. Each change is made with that token, so its RBAC
rights apply. The gateway's own account (KUBECONFIG, or the pod's) only watches Executions. Other paths: /docs,
/openapi.json, /healthz, /readyz, /metrics.
"""


def add(commands: Any, logs: argparse.ArgumentParser) -> None:
    """Add the subcommand. `logs` has the options for logging."""
    parser = commands.add_parser("gateway", parents=[logs], help="serve the REST call", description=DESCRIPTION)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8080, help="port to listen on (default: %(default)s)")
    parser.add_argument(
        "--tls-cert-file", type=Path, metavar="FILE", help="certificate chain; a renewed file is loaded within seconds"
    )
    parser.add_argument("--tls-key-file", type=Path, metavar="FILE", help="private key of the certificate")
    parser.add_argument(
        "--wait", type=float, default=30.0, metavar="SECONDS", help="maximum wait for an outcome (default: %(default)g)"
    )
    parser.add_argument(
        "--hide-existence",
        action="store_true",
        help="answer 404 instead of 403 for Executions that the caller may not read",
    )
    parser.add_argument(
        "--rate", type=float, default=100.0, help="terminations a second for each caller (default: %(default)g)"
    )
    parser.add_argument(
        "--burst", type=int, default=1000, help="terminations at once for each caller (default: %(default)s)"
    )
    parser.add_argument(
        "--max-body",
        type=int,
        default=1 << 20,
        metavar="BYTES",
        help="maximum size of a request body (default: %(default)s)",
    )
    parser.add_argument(
        "--arrival",
        type=float,
        default=10.0,
        metavar="SECONDS",
        help="time in which a request body must arrive (default: %(default)g)",
    )


def start(arguments: argparse.Namespace) -> int:
    """Run the gateway; return the exit code."""
    try:
        from execution_operator.gateway.limits import Limits  # noqa: PLC0415
        from execution_operator.gateway.server import Address, run  # noqa: PLC0415
        from execution_operator.gateway.terminate import Options  # noqa: PLC0415 - the extra may not be installed
    except ModuleNotFoundError as error:
        print(f"the package {error.name} is not installed: pip install 'execution-operator[gateway]'", file=sys.stderr)  # noqa: T201
        return 2
    if (arguments.tls_cert_file is None) != (arguments.tls_key_file is None):
        print("--tls-cert-file and --tls-key-file must be given together", file=sys.stderr)  # noqa: T201
        return 2
    return run(
        Address(arguments.host, arguments.port, arguments.tls_cert_file, arguments.tls_key_file),
        Options(wait=arguments.wait, hide=arguments.hide_existence),
        Limits(rate=arguments.rate, burst=arguments.burst, body=arguments.max_body, arrival=arguments.arrival),
    )
