import django.db.models.deletion
from django.db import migrations, models

import django_eventstore.fields


class Migration(migrations.Migration):
    dependencies = [
        ("django_eventstore", "0002_admin"),
    ]

    operations = [
        migrations.CreateModel(
            name="Consumer",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "name",
                    django_eventstore.fields.CodePointField(max_length=255, verbose_name="name"),
                ),
                (
                    "store",
                    django_eventstore.fields.CodePointField(max_length=255, verbose_name="store"),
                ),
                ("place", models.TextField(verbose_name="place")),
                (
                    "namespace",
                    django_eventstore.fields.CodePointField(
                        blank=True, max_length=150, verbose_name="namespace"
                    ),
                ),
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
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "name",
                    django_eventstore.fields.CodePointField(max_length=255, verbose_name="name"),
                ),
                ("exclusive", models.BooleanField(default=False, verbose_name="exclusive")),
                ("expires_at", models.DateTimeField(verbose_name="expires at")),
                ("error", models.TextField(blank=True, verbose_name="error")),
                (
                    "consumer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="workers",
                        to="django_eventstore.consumer",
                    ),
                ),
            ],
            options={
                "verbose_name": "worker",
                "verbose_name_plural": "workers",
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="ParkedEvent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("position", models.BigIntegerField(verbose_name="position")),
                ("shard", models.PositiveIntegerField(verbose_name="shard")),
                (
                    "actor_id",
                    django_eventstore.fields.CodePointField(
                        blank=True, max_length=255, verbose_name="actor"
                    ),
                ),
                (
                    "event_type",
                    django_eventstore.fields.CodePointField(
                        blank=True, max_length=255, verbose_name="event type"
                    ),
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
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="parked",
                        to="django_eventstore.consumer",
                    ),
                ),
            ],
            options={
                "verbose_name": "parked event",
                "verbose_name_plural": "parked events",
                "default_permissions": ("view", "change", "delete"),
            },
        ),
        migrations.CreateModel(
            name="ShardLease",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("shard", models.PositiveIntegerField(verbose_name="shard")),
                ("position", models.BigIntegerField(default=0, verbose_name="position")),
                ("receipt", models.TextField(blank=True, verbose_name="receipt")),
                ("fencing", models.BigIntegerField(default=0, verbose_name="fencing number")),
                (
                    "consumer",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="shards",
                        to="django_eventstore.consumer",
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="shards",
                        to="django_eventstore.consumerworker",
                    ),
                ),
            ],
            options={
                "verbose_name": "shard",
                "verbose_name_plural": "shards",
                "default_permissions": ("view",),
            },
        ),
        migrations.AddConstraint(
            model_name="consumerworker",
            constraint=models.UniqueConstraint(
                fields=("consumer", "name"), name="eventstore_worker_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="parkedevent",
            constraint=models.UniqueConstraint(
                fields=("consumer", "position"), name="eventstore_parked_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="shardlease",
            constraint=models.UniqueConstraint(
                fields=("consumer", "shard"), name="eventstore_shard_once"
            ),
        ),
    ]
