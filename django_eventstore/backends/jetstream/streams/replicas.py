"""What to do where a server cannot keep as many replicas as the options ask for."""

from __future__ import annotations

from typing import Any, Final

from ....exceptions import UnsupportedOperation
from ..client.call import ApiError, Call
from ..config import JetStreamConfig

NOT_CLUSTERED: Final = 10074
NO_SUITABLE_PEERS: Final = 10005


async def check_cluster(call: Call, config: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Make sure that a stream can get more replicas, before the server is asked for them.

    nats-server 2.9 refuses replicas without a cluster, but writes them down all the same, and
    then cannot open the stream when it starts again.

    Args:
        call: the call.
        config: the stream's configuration as it is.
        wanted: as it is to be.

    Raises:
        UnsupportedOperation: the server is not in a cluster.
    """
    if wanted["num_replicas"] > config.get("num_replicas", 1):
        info = await call.api(f"STREAM.INFO.{wanted['name']}")
        # A server that is alone says no more there than that it leads.
        if "name" not in (info.get("cluster") or {}):
            raise _needs_cluster(call.options, wanted)


def check_refusal(options: JetStreamConfig, wanted: dict[str, Any], error: ApiError) -> None:
    """Say what to set, if the server refuses ``wanted`` for want of servers.

    Raises:
        UnsupportedOperation: it does.
    """
    if error.err_code == NOT_CLUSTERED:
        raise _needs_cluster(options, wanted) from error
    if error.err_code == NO_SUITABLE_PEERS:
        asked = f"replicas={options.replicas}"
        if options.placement_cluster:
            asked += f", placement_cluster={options.placement_cluster!r}"
        if options.placement_tags:
            asked += f", placement_tags={options.placement_tags!r}"
        raise UnsupportedOperation(
            f"The cluster at {_servers(options)} has too few servers for the stream "
            f"{wanted['name']!r} with {asked} ({error.description}). Ask for fewer replicas, or "
            f"for another placement, or add servers to the cluster."
        ) from error


def _needs_cluster(options: JetStreamConfig, wanted: dict[str, Any]) -> UnsupportedOperation:
    return UnsupportedOperation(
        f"The stream {wanted['name']!r} cannot have replicas={options.replicas}: the server at "
        f"{_servers(options)} is not in a cluster. Set replicas to 1, or run a cluster of "
        f"{max(options.replicas, 3)} servers or more."
    )


def _servers(options: JetStreamConfig) -> str:
    return ", ".join(options.safe_servers)
