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

MOST_PORT = 65535

COLLECTED = 10_000
"""New objects after which Python looks for cycles among them, see `gc.set_threshold`. Nearly nothing here is one.

With the default of Python 3.11, 700, a tenth of the operator's CPU went into that with 10,000 requests at once.
"""


class JsonLines(logging.Formatter):
    """One JSON object a line."""

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


def _log(level: str, form: str) -> None:
    handler = logging.StreamHandler(sys.stderr)
    text = logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    handler.setFormatter(JsonLines() if form == "json" else text)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in ("kopf", "kubernetes.aio.leaderelection"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)  # says that signals are ours, each time


def _collect_less_often() -> None:
    """Leave alone what the imports have made, and look for cycles among the rest less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECTED)


async def _run(arguments: argparse.Namespace) -> NoReturn:
    """Run to the end of the process, which is here: the Temporal SDK or kopf's thread could hang what comes after.

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
        logger.error("the operator ends: %s", error)  # noqa: TRY400 - the words say it all
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


def _lease_duration(words: str) -> int:
    if (seconds := int(words)) < MIN_DURATION_SECONDS:
        raise argparse.ArgumentTypeError(f"a lease lasts {MIN_DURATION_SECONDS} seconds at least")
    return seconds


def _address(words: str) -> tuple[str, int]:
    host, colon, port = words.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > MOST_PORT:
        raise argparse.ArgumentTypeError(f"{words!r} is no HOST:PORT")
    return host.strip("[]"), int(port)


def _shard(words: str) -> Shard:
    try:
        return Shard.parse(words)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{words!r} is no INDEX/COUNT, as 0/2 and 1/2 are") from error


def _names(words: str) -> frozenset[str]:
    return frozenset(name.strip() for name in words.split(",") if name.strip())


def _arguments() -> argparse.ArgumentParser:
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
        description="Runs the operator. The API server is found as kubectl finds it (KUBECONFIG) or as a pod does; "
        "Temporal by its own environment configuration (TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, ..., TOML profiles). "
        "OPERATOR_NAMESPACE names the operator's own namespace outside of a pod.",
    )
    run.add_argument(
        "--organizations",
        type=_names,
        default=frozenset(),
        metavar="A,B",
        help="work for these Organizations only; another operator must work for the others; default: for all",
    )
    run.add_argument(
        "--namespaces",
        type=_names,
        default=frozenset(),
        metavar="A,B",
        help="work in these namespaces only, and read Executions in no others; default: in all",
    )
    run.add_argument(
        "--shard",
        type=_shard,
        metavar="INDEX/COUNT",
        help="work on one of COUNT equal shares of the Executions, from 0; needs the API server's feature gate "
        "ShardedListAndWatch",
    )
    run.add_argument(
        "--http-address",
        type=_address,
        metavar="HOST:PORT",
        help="serve /healthz, /readyz and /metrics there; default: nowhere",
    )
    run.add_argument(
        "--leader-elect",
        action="store_true",
        help="work only while holding a Lease in the operator's own namespace, so that others can stand by",
    )
    run.add_argument("--lease-name", default="execution-operator", help="default: %(default)s")
    run.add_argument(
        "--lease-duration",
        type=_lease_duration,
        default=15,
        metavar="SECONDS",
        help="after which a leader that does not renew is replaced; default: %(default)s",
    )
    gateway.add(commands, logs)
    return parser


def main() -> None:
    """Run the command line."""
    arguments = _arguments().parse_args()
    _log(arguments.log_level, arguments.log_format)
    if arguments.command == "gateway":
        sys.exit(gateway.start(arguments))
    _collect_less_often()
    asyncio.run(_run(arguments))


if __name__ == "__main__":
    main()
