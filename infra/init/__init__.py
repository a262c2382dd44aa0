"""``django-faas init``: looks at a project, and writes what its deployment needs beside it."""
