from django.db import migrations, models

import django_eventstore.fields


class Migration(migrations.Migration):
    dependencies = [
        ("django_eventstore", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="EventStore",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
            ],
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
        migrations.CreateModel(
            name="SkippedEvent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "store",
                    django_eventstore.fields.CodePointField(max_length=255, verbose_name="store"),
                ),
                (
                    "namespace",
                    django_eventstore.fields.CodePointField(
                        blank=True, max_length=150, verbose_name="namespace"
                    ),
                ),
                ("position", models.BigIntegerField(verbose_name="position")),
                (
                    "actor_id",
                    django_eventstore.fields.CodePointField(
                        blank=True, max_length=255, verbose_name="actor"
                    ),
                ),
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
    ]
