from django.db import migrations, models
from django.db.models import CASCADE, SET_NULL

from django_eventstore.migrations import _triggers
from django_eventstore.models.fields import CodePointField, JSONTextField, UTCDateTimeField

ID = (
    "id",
    models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID"),
)


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="EventRecord",
            fields=[
                (
                    "position",
                    models.BigAutoField(primary_key=True, serialize=False, verbose_name="position"),
                ),
                ("namespace", CodePointField(max_length=150, verbose_name="namespace")),
                ("actor_id", CodePointField(max_length=255, verbose_name="actor id")),
                ("version", models.BigIntegerField(verbose_name="version")),
                ("event_id", CodePointField(max_length=255, verbose_name="event id")),
                ("event_type", CodePointField(max_length=255, verbose_name="event type")),
                (
                    "command_id",
                    CodePointField(blank=True, max_length=255, verbose_name="command id"),
                ),
                (
                    "correlation_id",
                    CodePointField(
                        blank=True, max_length=255, null=True, verbose_name="correlation id"
                    ),
                ),
                ("timestamp", UTCDateTimeField(verbose_name="timestamp")),
                ("data", JSONTextField(verbose_name="data")),
                ("metadata", JSONTextField(verbose_name="metadata")),
            ],
            options={
                "verbose_name": "event",
                "verbose_name_plural": "events",
                "ordering": ("position",),
                "indexes": [
                    models.Index(fields=["namespace", "position"], name="eventstore_event_position")
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("namespace", "event_id"), name="eventstore_event_id"
                    ),
                    models.UniqueConstraint(
                        fields=("namespace", "actor_id", "version"), name="eventstore_event_version"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ActorRecord",
            fields=[
                ("pk", models.CompositePrimaryKey("namespace", "actor_id", serialize=False)),
                ("namespace", CodePointField(max_length=150, verbose_name="namespace")),
                ("actor_id", CodePointField(max_length=255, verbose_name="actor id")),
                ("version", models.BigIntegerField(verbose_name="latest version")),
                ("event_count", models.BigIntegerField(verbose_name="number of events")),
                ("first_timestamp", UTCDateTimeField(verbose_name="first event")),
                ("last_timestamp", UTCDateTimeField(verbose_name="newest event")),
            ],
            options={
                "verbose_name": "actor",
                "verbose_name_plural": "actors",
                "ordering": ("namespace", "actor_id"),
            },
        ),
        migrations.CreateModel(
            name="SnapshotRecord",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey("namespace", "actor_id", "version", serialize=False),
                ),
                ("namespace", CodePointField(max_length=150, verbose_name="namespace")),
                ("actor_id", CodePointField(max_length=255, verbose_name="actor id")),
                ("version", models.BigIntegerField(verbose_name="version")),
                ("schema_version", models.IntegerField(verbose_name="form of the state")),
                ("timestamp", UTCDateTimeField(verbose_name="timestamp")),
                ("state", JSONTextField(verbose_name="state")),
            ],
            options={
                "verbose_name": "snapshot",
                "verbose_name_plural": "snapshots",
                "ordering": ("namespace", "actor_id", "version"),
            },
        ),
        migrations.CreateModel(
            name="SkippedEvent",
            fields=[
                ID,
                ("store", CodePointField(max_length=255, verbose_name="store")),
                ("namespace", CodePointField(blank=True, max_length=150, verbose_name="namespace")),
                ("position", models.BigIntegerField(verbose_name="position")),
                ("actor_id", CodePointField(blank=True, max_length=255, verbose_name="actor")),
                ("problem", models.TextField(verbose_name="problem")),
                ("reason", models.TextField(verbose_name="reason")),
                ("user", models.CharField(max_length=255, verbose_name="user")),
                ("skipped_at", models.DateTimeField(auto_now_add=True, verbose_name="skipped at")),
            ],
            options={
                "verbose_name": "skipped event",
                "verbose_name_plural": "skipped events",
                "ordering": ("-skipped_at", "-id"),
                "default_permissions": ("view",),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("store", "namespace", "position"), name="eventstore_skipped_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Consumer",
            fields=[
                ID,
                ("name", CodePointField(max_length=255, verbose_name="name")),
                ("store", CodePointField(max_length=255, verbose_name="store")),
                ("place", models.TextField(verbose_name="place")),
                ("namespace", CodePointField(blank=True, max_length=150, verbose_name="namespace")),
                (
                    "generation",
                    models.PositiveBigIntegerField(default=0, verbose_name="generation"),
                ),
                ("status", models.CharField(default="live", max_length=20, verbose_name="status")),
                ("shard_count", models.PositiveIntegerField(verbose_name="shards")),
                ("fencing", models.BigIntegerField(default=0, verbose_name="fencing number")),
            ],
            options={
                "verbose_name": "consumer",
                "verbose_name_plural": "consumers",
                "default_permissions": ("view",),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("name", "namespace", "generation"), name="eventstore_consumer_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ConsumerWorker",
            fields=[
                ID,
                ("name", CodePointField(max_length=255, verbose_name="name")),
                ("exclusive", models.BooleanField(default=False, verbose_name="exclusive")),
                ("expires_at", models.DateTimeField(verbose_name="expires at")),
                ("error", models.TextField(blank=True, verbose_name="error")),
                (
                    "consumer",
                    models.ForeignKey(
                        "django_eventstore.consumer", CASCADE, related_name="workers"
                    ),
                ),
            ],
            options={
                "verbose_name": "worker",
                "verbose_name_plural": "workers",
                "default_permissions": ("view",),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("consumer", "name"), name="eventstore_worker_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ShardLease",
            fields=[
                ID,
                ("shard", models.PositiveIntegerField(verbose_name="shard")),
                ("position", models.BigIntegerField(default=0, verbose_name="position")),
                ("receipt", models.TextField(blank=True, verbose_name="receipt")),
                ("fencing", models.BigIntegerField(default=0, verbose_name="fencing number")),
                (
                    "consumer",
                    models.ForeignKey(
                        "django_eventstore.consumer", CASCADE, related_name="shards", db_index=False
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        "django_eventstore.consumerworker",
                        SET_NULL,
                        related_name="shards",
                        blank=True,
                        null=True,
                    ),
                ),
            ],
            options={
                "verbose_name": "shard",
                "verbose_name_plural": "shards",
                "default_permissions": ("view",),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("consumer", "shard"), name="eventstore_shard_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ParkedEvent",
            fields=[
                ID,
                ("position", models.BigIntegerField(verbose_name="position")),
                ("shard", models.PositiveIntegerField(verbose_name="shard")),
                ("actor_id", CodePointField(blank=True, max_length=255, verbose_name="actor")),
                (
                    "event_type",
                    CodePointField(blank=True, max_length=255, verbose_name="event type"),
                ),
                ("attempts", models.PositiveIntegerField(default=0, verbose_name="attempts")),
                ("error", models.TextField(blank=True, verbose_name="error")),
                (
                    "next_try_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="next try at"),
                ),
                ("parked_at", models.DateTimeField(auto_now_add=True, verbose_name="parked at")),
                (
                    "consumer",
                    models.ForeignKey(
                        "django_eventstore.consumer", CASCADE, related_name="parked", db_index=False
                    ),
                ),
            ],
            options={
                "verbose_name": "parked event",
                "verbose_name_plural": "parked events",
                "default_permissions": ("view", "change", "delete"),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("consumer", "position"), name="eventstore_parked_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ReplayRun",
            fields=[
                ID,
                ("task", models.TextField(verbose_name="task")),
                ("end", models.BigIntegerField(verbose_name="end")),
                ("events", models.BigIntegerField(default=0, verbose_name="events")),
                ("actors", models.BigIntegerField(default=0, verbose_name="actors")),
                (
                    "without_fold",
                    models.BigIntegerField(default=0, verbose_name="actors without a fold"),
                ),
                ("skipped", models.BigIntegerField(default=0, verbose_name="skipped events")),
                ("worked_at", models.DateTimeField(verbose_name="worked at")),
                (
                    "consumer",
                    models.OneToOneField(
                        "django_eventstore.consumer", CASCADE, related_name="replay"
                    ),
                ),
            ],
            options={
                "verbose_name": "replay",
                "verbose_name_plural": "replays",
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="ReplayFinding",
            fields=[
                ID,
                ("kind", models.CharField(max_length=20, verbose_name="kind")),
                ("key", models.CharField(max_length=64, verbose_name="key")),
                ("count", models.BigIntegerField(verbose_name="count")),
                ("position", models.BigIntegerField(default=0, verbose_name="position")),
                ("detail", models.TextField(verbose_name="detail")),
                (
                    "run",
                    models.ForeignKey(
                        "django_eventstore.replayrun",
                        CASCADE,
                        related_name="findings",
                        db_index=False,
                    ),
                ),
            ],
            options={
                "verbose_name": "replay finding",
                "verbose_name_plural": "replay findings",
                "default_permissions": ("view",),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("run", "kind", "key"), name="eventstore_finding_once"
                    )
                ],
            },
        ),
        # Has no table: makes the permissions of the admin's pages.
        migrations.CreateModel(
            name="EventStore",
            fields=[ID],
            options={
                "verbose_name": "event store",
                "verbose_name_plural": "event stores",
                "permissions": (
                    ("view_payload", "Can view the data of events, states and raw content"),
                    ("view_redacted", "Can view redacted values (each view is logged)"),
                    ("skip_malformedevent", "Can mark malformed events as skipped"),
                ),
                "managed": False,
                "default_permissions": ("view",),
            },
        ),
        # What no model says. Not in a transaction of its own: MariaDB has none for changes of the
        # schema.
        migrations.RunPython(_triggers.install, _triggers.remove, atomic=False),
    ]
