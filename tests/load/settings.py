"""The sample project's settings, on a database and a store from outside, with pages for clients."""

import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "sample_project"))

if find_spec("MySQLdb") is None and find_spec("pymysql") is not None:
    import pymysql

    pymysql.install_as_MySQLdb()

from sample.settings import *  # noqa: F403

DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "tests.load.urls"
# A thread keeps its connection from one request to the next.
DATABASES = {"default": {**json.loads(os.environ["EVENTSTORE_LOAD_DATABASE"]), "CONN_MAX_AGE": 60}}
EVENT_STORES = {"default": json.loads(os.environ["EVENTSTORE_LOAD_STORE"])}
