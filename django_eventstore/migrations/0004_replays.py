import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("django_eventstore", "0003_projections"),
    ]

    operations = [
        migrations.CreateModel(
            name="ReplayRun",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
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
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="replay",
                        to="django_eventstore.consumer",
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
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kind", models.CharField(max_length=20, verbose_name="kind")),
                ("key", models.CharField(max_length=64, verbose_name="key")),
                ("count", models.BigIntegerField(verbose_name="count")),
                ("position", models.BigIntegerField(default=0, verbose_name="position")),
                ("detail", models.TextField(verbose_name="detail")),
                (
                    "run",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="findings",
                        to="django_eventstore.replayrun",
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
    ]
