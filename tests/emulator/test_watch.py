from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from emulator.project import Project
from emulator.static import is_static
from emulator.watch import Changed, changes, matters
from tests.emulator.helpers import ROOT


@pytest.fixture
def project(tmp_path: Path) -> Project:
    folder = tmp_path / "site"
    (folder / "shop" / "static").mkdir(parents=True)
    (folder / "env-of-mine" / "lib").mkdir(parents=True)
    (folder / "env-of-mine" / "pyvenv.cfg").touch()
    return Project(
        folder=folder,
        settings="mysite.settings",
        static_path="/static/",
        static_note=None,
        static_relative=True,
        media_path=None,
        media_root=folder / "media",
        static_root=folder / "collected",
        static_manifest=None,
        static_dirs=(folder / "assets", tmp_path / "shared"),
        hashes_static=False,
        debug=True,
        allowed_hosts=(),
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("shop/views.py", "code"),
        ("shop/templates/shop/static.html", "code"),
        ("locale/de/LC_MESSAGES/django.mo", "code"),
        (".env", "code"),
        ("pyproject.toml", "code"),
        ("shop/static/tool.py", "code"),
        ("shop/static/shop/site.css", "static"),
        ("shop/static/robots.txt", "static"),
        ("assets/logo.png", "static"),
        ("../shared/x.js", "static"),
        ("db.sqlite3", None),
        ("debug.log", None),
        ("media/upload.html", None),
        ("collected/admin/base.css", None),
        (".faas/bucket/x.py", None),
        (".git/index.txt", None),
        (".venv/lib/x.py", None),
        ("env-of-mine/lib/x.py", None),
        ("node_modules/a/static/a.css", None),
        ("shop/__pycache__/views.py", None),
        ("shop/.views.py.swp", None),
        ("shop/static/site.css~", None),
    ],
)
def test_what_a_change_calls_for(project: Project, name: str, expected: str | None) -> None:
    path = (project.folder / name).resolve()
    if not matters(path, project):
        found = None
    else:
        found = "static" if is_static(path, project) and path.suffix != ".py" else "code"
    assert found == expected


def test_a_burst_of_changes_is_told_once_and_sorted(project: Project) -> None:
    async def main() -> Changed:
        watching = changes(project)
        told = asyncio.ensure_future(anext(watching))
        await asyncio.sleep(0.3)
        (project.folder / "notes.log").touch()
        (project.folder / "shop" / "views.py").touch()
        (project.folder / "shop" / "urls.py").touch()
        (project.folder / "shop" / "static" / "site.css").touch()
        try:
            return await asyncio.wait_for(told, 10)
        finally:
            await watching.aclose()

    changed = asyncio.run(main())
    shop = project.folder / "shop"
    assert changed == Changed((shop / "urls.py", shop / "views.py"), (shop / "static" / "site.css",))


def test_the_file_our_own_output_goes_to_is_no_change(project: Project) -> None:
    """Each line written there would be a change to write a line about."""
    output = project.folder / "out.txt"
    program = (
        "import asyncio, json, sys\n"
        "from pathlib import Path\n"
        "from emulator.project import Project\n"
        "from emulator.watch import changes\n"
        "folder = Path(sys.argv[1])\n"
        "about = dict.fromkeys(Project.__dataclass_fields__)\n"
        "project = Project(**{**about, 'folder': folder, 'static_dirs': ()})\n"
        "async def main():\n"
        "    watching = changes(project)\n"
        "    told = asyncio.ensure_future(anext(watching))\n"
        "    for number in range(10):\n"
        "        print(number, flush=True)\n"
        "        await asyncio.sleep(0.1)\n"
        "    assert not told.done(), told\n"
        "    (folder / 'views.py').touch()\n"
        "    print('and another', flush=True)\n"
        "    changed = await asyncio.wait_for(told, 10)\n"
        "    await watching.aclose()\n"
        "    print(json.dumps([path.name for path in changed.code]), file=sys.stderr)\n"
        "asyncio.run(main())\n"
    )
    with output.open("w") as stream:
        done = subprocess.run(
            [sys.executable, "-c", program, str(project.folder)],
            stdout=stream,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            text=True,
            timeout=30,
        )
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip().endswith('["views.py"]')
