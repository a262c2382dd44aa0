class UnicodeSlug:
    """Letters of any script, digits, hyphens and underscores: `анна-каренина`, `café-société`."""

    regex = r"[-\w]+"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value
