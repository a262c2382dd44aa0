from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import translate_url
from django.utils.translation import get_language_info

from orders.basket import Basket

THEMES = ("auto", "light", "dark")


def page(request: HttpRequest) -> dict[str, Any]:
    """What the frame of every page shows: basket, theme, and this page in the other languages."""
    theme = request.COOKIES.get("theme")
    here = request.get_full_path()
    return {
        "basket_count": Basket(request.session).count,
        "theme": theme if theme in THEMES else "auto",
        "languages": [
            {"code": code, "name": get_language_info(code)["name_local"], "url": translate_url(here, code)}
            for code, _ in settings.LANGUAGES
        ],
    }
