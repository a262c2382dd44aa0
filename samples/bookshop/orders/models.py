from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models import F, Sum
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from catalogue.models import Book


class Order(models.Model):
    class Status(models.TextChoices):
        PLACED = "placed", _("placed")
        SENT = "sent", _("sent")
        CANCELLED = "cancelled", _("cancelled")

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="orders", verbose_name=_("reader"))
    name = models.CharField(_("name"), max_length=120)
    address = models.TextField(_("address"), max_length=500)
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.PLACED)
    created_at = models.DateTimeField(_("placed"), auto_now_add=True)

    class Meta:
        ordering = ("-created_at", "-pk")
        verbose_name = _("order")
        verbose_name_plural = _("orders")

    def __str__(self) -> str:
        return f"№ {self.pk}"

    def get_absolute_url(self) -> str:
        return reverse("orders:order", args=[self.pk])

    @property
    def total(self) -> Decimal:
        return self.lines.aggregate(total=Sum(F("price") * F("quantity")))["total"] or Decimal(0)


class OrderLine(models.Model):
    order = models.ForeignKey(Order, models.CASCADE, related_name="lines")
    book = models.ForeignKey(Book, models.PROTECT, related_name="+", verbose_name=_("book"))
    quantity = models.PositiveSmallIntegerField(_("quantity"))
    price = models.DecimalField(_("price"), max_digits=6, decimal_places=2)

    class Meta:
        ordering = ("pk",)
        verbose_name = _("line")
        verbose_name_plural = _("lines")

    def __str__(self) -> str:
        return f"{self.quantity} × {self.book}"

    @property
    def total(self) -> Decimal:
        return self.price * self.quantity
