"""The project's static files, collected as collectstatic does, in one pass and only when something has changed."""
