"""Server-sent events in headless Chromium: each is there before the view makes the next, through CDN and front door."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from .browser import visiting
from .conftest import emulating

pytestmark = pytest.mark.browser

VIEWS = """
import time
from pathlib import Path

from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path

PAGE = '''<!doctype html><title>Events</title><ol></ol><script>
const source = new EventSource("/events");
source.onmessage = ({data}) => {
  document.querySelector("ol").append(Object.assign(document.createElement("li"), {textContent: data}));
  if (data === "three") source.close();
};
</script>'''


def made():
    for word in ("one", "two", "three"):
        while not Path(word).exists():
            time.sleep(0.01)
        yield f"data: {word}\\n\\n"


urlpatterns = [
    path("", lambda request: HttpResponse(PAGE)),
    path("events", lambda request: StreamingHttpResponse(made(), content_type="text/event-stream")),
]
"""


@pytest.mark.parametrize("door", ["function_url", "rest_api"])
def test_events_arrive_one_by_one(tmp_path: Path, chromium: Browser, door: str) -> None:
    subprocess.run([sys.executable, "-m", "django", "startproject", "mysite", "."], cwd=tmp_path, check=True)
    (tmp_path / "mysite/urls.py").write_text(VIEWS)
    options = ("--invoke-mode", "response_stream", "--no-reload")
    with emulating(tmp_path, *options, doors=[door]) as site, visiting(chromium, site) as visit:
        visit.page.goto("/")
        words = visit.page.get_by_role("listitem")
        for number, word in enumerate(("one", "two", "three"), 1):
            # The view does not go on before this, so what is shown has not waited for what comes next.
            (tmp_path / word).touch()
            expect(words).to_have_count(number)
        expect(words).to_have_text(["one", "two", "three"])
