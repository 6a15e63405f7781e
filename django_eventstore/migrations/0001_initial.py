from django.db import migrations, models

import django_eventstore.fields
from django_eventstore.backends.database import schema


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="ActorRecord",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "namespace",
                        "actor_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "namespace",
                    django_eventstore.fields.CodePointField(
                        max_length=150, verbose_name="namespace"
                    ),
                ),
                (
                    "actor_id",
                    django_eventstore.fields.CodePointField(
                        max_length=255, verbose_name="actor id"
                    ),
                ),
                ("version", models.BigIntegerField(verbose_name="latest version")),
                ("event_count", models.BigIntegerField(verbose_name="number of events")),
                (
                    "first_timestamp",
                    django_eventstore.fields.UTCDateTimeField(verbose_name="first event"),
                ),
                (
                    "last_timestamp",
                    django_eventstore.fields.UTCDateTimeField(verbose_name="newest event"),
                ),
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
                    models.CompositePrimaryKey(
                        "namespace",
                        "actor_id",
                        "version",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "namespace",
                    django_eventstore.fields.CodePointField(
                        max_length=150, verbose_name="namespace"
                    ),
                ),
                (
                    "actor_id",
                    django_eventstore.fields.CodePointField(
                        max_length=255, verbose_name="actor id"
                    ),
                ),
                ("version", models.BigIntegerField(verbose_name="version")),
                ("schema_version", models.IntegerField(verbose_name="form of the state")),
                ("timestamp", django_eventstore.fields.UTCDateTimeField(verbose_name="timestamp")),
                ("state", django_eventstore.fields.JSONTextField(verbose_name="state")),
            ],
            options={
                "verbose_name": "snapshot",
                "verbose_name_plural": "snapshots",
                "ordering": ("namespace", "actor_id", "version"),
            },
        ),
        migrations.CreateModel(
            name="EventRecord",
            fields=[
                (
                    "position",
                    models.BigAutoField(primary_key=True, serialize=False, verbose_name="position"),
                ),
                (
                    "namespace",
                    django_eventstore.fields.CodePointField(
                        max_length=150, verbose_name="namespace"
                    ),
                ),
                (
                    "actor_id",
                    django_eventstore.fields.CodePointField(
                        max_length=255, verbose_name="actor id"
                    ),
                ),
                ("version", models.BigIntegerField(verbose_name="version")),
                (
                    "event_id",
                    django_eventstore.fields.CodePointField(
                        max_length=255, verbose_name="event id"
                    ),
                ),
                (
                    "event_type",
                    django_eventstore.fields.CodePointField(
                        max_length=255, verbose_name="event type"
                    ),
                ),
                (
                    "command_id",
                    django_eventstore.fields.CodePointField(
                        blank=True, max_length=255, verbose_name="command id"
                    ),
                ),
                (
                    "correlation_id",
                    django_eventstore.fields.CodePointField(
                        blank=True, max_length=255, null=True, verbose_name="correlation id"
                    ),
                ),
                ("timestamp", django_eventstore.fields.UTCDateTimeField(verbose_name="timestamp")),
                ("data", django_eventstore.fields.JSONTextField(verbose_name="data")),
                ("metadata", django_eventstore.fields.JSONTextField(verbose_name="metadata")),
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
        # Not in a transaction of its own: MariaDB has none for changes of the schema.
        migrations.RunPython(schema.install, schema.remove, atomic=False),
    ]
