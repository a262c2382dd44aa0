from django.db import models


class Visit(models.Model):
    path: "models.TextField[str, str]" = models.TextField()

    def __str__(self) -> str:
        return self.path
