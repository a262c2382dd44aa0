import unicodedata


def searchable(*parts: str) -> str:
    """Lower case without accents, so that `lonnrot` finds Lönnrot, and `ΟΔΥΣΣΕΙΑ` the Odyssey, on any database."""
    decomposed = unicodedata.normalize("NFKD", " ".join(parts).casefold())
    return unicodedata.normalize("NFKC", "".join(c for c in decomposed if not unicodedata.combining(c)))
