from decimal import Decimal

from django import template
from django.utils.formats import number_format
from django.utils.translation import gettext, ngettext

register = template.Library()


@register.filter
def euros(amount: Decimal) -> str:
    return gettext("€%(amount)s") % {"amount": number_format(amount, 2)}


@register.inclusion_tag("_stars.html")
def stars(rating: float) -> dict[str, object]:
    full = round(rating)
    label = ngettext("%(count)d star of 5", "%(count)d stars of 5", full) % {"count": full}
    return {"full": "★" * full, "empty": "★" * (5 - full), "label": label}
