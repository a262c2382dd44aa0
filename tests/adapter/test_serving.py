"""INIT without events: the same project behind a server of the standard library."""

from __future__ import annotations

from .invocations import python
from .processes import ROOT


def test_what_boots_a_function_boots_a_server_too() -> None:
    code = """
        import threading, urllib.request
        from wsgiref.simple_server import WSGIRequestHandler, make_server
        from adapter import boot

        class Quiet(WSGIRequestHandler):
            def log_message(self, *arguments):
                pass

        server = boot.load("wsgi", lambda application: make_server("127.0.0.1", 0, application, handler_class=Quiet))
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/latin/") as response:
            print(response.status, response.read().decode("latin-1"))
        thread.join()
        server.server_close()
    """
    assert python(code, ROOT, DJANGO_SETTINGS_MODULE="tests.project.settings").stdout == "200 café\n"
