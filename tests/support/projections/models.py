"""What the projections of the tests keep: each event taken in shows in several ways."""

from django.db import models


class Total(models.Model):
    """Per actor: how many events, their sum, and the last version taken in."""

    actor_id = models.CharField(max_length=255, primary_key=True)
    count = models.IntegerField(default=0)
    amount = models.BigIntegerField(default=0)
    version = models.BigIntegerField(default=0)

    class Meta:
        app_label = "projections"

    def __str__(self):
        return self.actor_id


class Entry(models.Model):
    """One row per event, in the order of application. Has indexes of every kind."""

    position = models.BigIntegerField(unique=True)
    actor_id = models.CharField(max_length=255, db_index=True)
    version = models.BigIntegerField()
    note = models.CharField(max_length=100, default="")

    class Meta:
        app_label = "projections"
        indexes = (models.Index(fields=["actor_id", "position"], name="entry_by_actor"),)
        constraints = (
            models.UniqueConstraint(fields=["actor_id", "version"], name="entry_once"),
            models.UniqueConstraint(
                fields=["note"], condition=models.Q(version__gt=1000), name="entry_note_once"
            ),
            models.CheckConstraint(condition=models.Q(version__gte=1), name="entry_version"),
        )

    def __str__(self):
        return str(self.position)


class Tag(models.Model):
    """A row that refers to another row of the same projection."""

    entry = models.ForeignKey(Entry, models.CASCADE)
    text = models.CharField(max_length=20)

    class Meta:
        app_label = "projections"

    def __str__(self):
        return self.text
