"""Key sets as their servers gave them last. What policies say of them is in configstore; who reads them is `filling`."""

from django.db import models


class KeySet(models.Model):
    uri = models.TextField(unique=True)
    keys = models.TextField(blank=True)
    """The document; '' while there has been none. One that could not be fetched again stays."""
    fetched = models.DateTimeField(null=True)
    tried = models.DateTimeField(null=True)
    error = models.TextField(blank=True)
    """Why the last try failed; '' when it did not."""

    def __str__(self) -> str:
        return self.uri
