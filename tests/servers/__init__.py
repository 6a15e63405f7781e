"""Throw-away servers for tests and benchmarks: one module a server, all on loopback or sockets."""

from tests.servers.mariadb import MariaDBServer
from tests.servers.nats import NatsServer
from tests.servers.nats_cluster import NatsCluster
from tests.servers.postgres import PostgresServer
from tests.servers.process import ServerError

__all__ = ["MariaDBServer", "NatsCluster", "NatsServer", "PostgresServer", "ServerError"]
