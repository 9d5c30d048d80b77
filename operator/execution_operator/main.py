"""`execution-operator`: the command line, logs and signals."""

import argparse
import asyncio
import gc
import json
import logging
import os
import signal
import socket
import sys
import uuid
from datetime import UTC, datetime
from typing import NoReturn

from execution_operator import __version__
from execution_operator.app import Operator, UnshardedError
from execution_operator.gateway import command as gateway
from execution_operator.kube.client import Api
from execution_operator.kube.config import load_configuration, own_namespace
from execution_operator.kube.lease import MIN_DURATION_SECONDS, Lease, LeaseLostError
from execution_operator.kube.scope import WatchScope
from execution_operator.kube.shard import Shard

logger = logging.getLogger(__name__)

MAX_PORT = 65535

GC_THRESHOLD = 10_000
"""New objects after which Python searches them for cycles (`gc.set_threshold`). The operator makes hardly any cycles.

With the default of Python 3.11, 700, this search took a tenth of the operator's CPU for 10,000 requests at once.
"""


class JsonLines(logging.Formatter):
    """Formats each log record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON."""
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "ids", {}),
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False)


def _configure_logs(level: str, form: str) -> None:
    handler = logging.StreamHandler(sys.stderr)
    text = logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    handler.setFormatter(JsonLines() if form == "json" else text)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in ("kopf", "kubernetes.aio.leaderelection"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("kopf._core.reactor.running").setLevel(
        logging.ERROR
    )  # warns at each start that it handles no signals


def _collect_less_often() -> None:
    """Exclude the imported objects from garbage collection, and collect the others less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)


async def _run(arguments: argparse.Namespace) -> NoReturn:
    """Run the operator, and end the process here. The Temporal SDK or kopf's thread could hang a regular exit.

    Source: temporalio/sdk-python#300.
    """
    stop, loop, code = asyncio.Event(), asyncio.get_running_loop(), 0
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        api = Api(await load_configuration())
        share = WatchScope(arguments.shard, arguments.organizations, arguments.namespaces)
        await Operator(api, share, _lease(api, arguments), arguments.http_address).run(stop)
    except (LeaseLostError, UnshardedError) as error:
        logger.error("the operator ends: %s", error)  # noqa: TRY400 - the message says it all
        code = 1
    except Exception:
        logger.exception("the operator ended")
        code = 1
    logging.shutdown()
    os._exit(code)


def _lease(api: Api, arguments: argparse.Namespace) -> Lease | None:
    if not arguments.leader_elect:
        return None
    identity = f"{socket.gethostname()}_{uuid.uuid4()}"
    name = f"{arguments.lease_name}-{arguments.shard.index}" if arguments.shard else arguments.lease_name
    return Lease(api, own_namespace(), name, identity, arguments.lease_duration)


def _lease_duration(text: str) -> int:
    if (seconds := int(text)) < MIN_DURATION_SECONDS:
        raise argparse.ArgumentTypeError(f"must be at least {MIN_DURATION_SECONDS} seconds")
    return seconds


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > MAX_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT, for instance 0.0.0.0:8080")
    return host.strip("[]"), int(port)


def _shard(text: str) -> Shard:
    try:
        return Shard.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not INDEX/COUNT, for instance 0/2") from error


def _names(text: str) -> frozenset[str]:
    return frozenset(name.strip() for name in text.split(",") if name.strip())


def argument_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="execution-operator", description="Terminates Temporal workflows on request.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    logs = argparse.ArgumentParser(add_help=False)
    logs.add_argument("--log-format", choices=("text", "json"), default="text", help="default: text")
    logs.add_argument(
        "--log-level", choices=("debug", "info", "warning", "error"), default="info", help="default: info"
    )
    run = commands.add_parser(
        "run",
        parents=[logs],
        help="run the operator",
        description="Runs the operator. It finds the API server as kubectl does (KUBECONFIG) or as a pod does, and "
        "Temporal by Temporal's environment configuration (TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, ..., TOML profiles). "
        "Outside of a pod, OPERATOR_NAMESPACE names the operator's own namespace.",
    )
    _add_scope(run)
    run.add_argument(
        "--http-address",
        type=_address,
        metavar="HOST:PORT",
        help="serve /healthz, /readyz and /metrics on this address; default: do not serve them",
    )
    _add_lease(run)
    gateway.add(commands, logs)
    return parser


def _add_scope(run: argparse.ArgumentParser) -> None:
    """Add the options that limit what this operator works on."""
    run.add_argument(
        "--organizations",
        type=_names,
        default=frozenset(),
        metavar="A,B",
        help="work for these Organizations only; run another operator for the others; default: all",
    )
    run.add_argument(
        "--namespaces",
        type=_names,
        default=frozenset(),
        metavar="A,B",
        help="work in these namespaces only, and read Executions in no other; default: all",
    )
    run.add_argument(
        "--shard",
        type=_shard,
        metavar="INDEX/COUNT",
        help="work on one of COUNT equal shares of the Executions; INDEX starts at 0; needs the API server's feature "
        "gate ShardedListAndWatch",
    )


def _add_lease(run: argparse.ArgumentParser) -> None:
    """Add the options of leader election."""
    run.add_argument(
        "--leader-elect",
        action="store_true",
        help="reconcile only while holding a Lease in the operator's own namespace; other replicas stand by",
    )
    run.add_argument("--lease-name", default="execution-operator", help="default: %(default)s")
    run.add_argument(
        "--lease-duration",
        type=_lease_duration,
        default=15,
        metavar="SECONDS",
        help="a leader that does not renew its Lease for this long is replaced; default: %(default)s",
    )


def main() -> None:
    """Run the command line."""
    arguments = argument_parser().parse_args()
    _configure_logs(arguments.log_level, arguments.log_format)
    if arguments.command == "gateway":
        sys.exit(gateway.start(arguments))
    _collect_less_often()
    asyncio.run(_run(arguments))


if __name__ == "__main__":
    main()
