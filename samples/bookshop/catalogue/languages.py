from django.utils.translation import gettext_lazy as _

# BCP 47 tags, as the `lang` attribute takes them.
LANGUAGES = {
    "akk": _("Akkadian"),
    "ang": _("Old English"),
    "ar": _("Arabic"),
    "cs": _("Czech"),
    "de": _("German"),
    "en": _("English"),
    "es": _("Spanish"),
    "fa": _("Persian"),
    "fi": _("Finnish"),
    "fr": _("French"),
    "grc": _("Ancient Greek"),
    "he": _("Hebrew"),
    "hi": _("Hindi"),
    "is": _("Icelandic"),
    "it": _("Italian"),
    "ja": _("Japanese"),
    "ka": _("Georgian"),
    "ko": _("Korean"),
    "la": _("Latin"),
    "nb": _("Norwegian"),
    "nl": _("Dutch"),
    "pl": _("Polish"),
    "pt": _("Portuguese"),
    "quc": _("K’iche’"),
    "ru": _("Russian"),
    "uk": _("Ukrainian"),
    "vi": _("Vietnamese"),
    "zh-Hant": _("Chinese"),
}
RIGHT_TO_LEFT = {"ar", "fa", "he"}
