"""The tutorial, done literally: its files written, its commands typed, in an empty directory."""

from __future__ import annotations

import http.cookiejar
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from tests.docs.blocks import DOCS, Block, Command, blocks, commands, output_pattern

SERVER = "python manage.py runserver"
SHELL = "python manage.py shell"

# What is typed into `manage.py shell` is checked as a doctest in it.
TYPED = """
import doctest
parser = doctest.DocTestParser()
test = parser.get_doctest({text!r}, dict(globals()), {name!r}, None, 0)
runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS | doctest.REPORT_NDIFF)
if runner.run(test).failed:
    raise SystemExit(1)
"""


class Reader:
    """Somebody who does what the page says, in a directory of their own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.environment = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(directory),
            "LANG": "C.UTF-8",
            # The package is installed here; nothing is asked of an index.
            "PIP_NO_INDEX": "1",
        }

    def run(self, line: str, typed: str = "") -> str:
        done = subprocess.run(
            line,
            shell=True,
            cwd=self.directory,
            env=self.environment,
            input=typed,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, f"$ {line}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def do(self, command: Command) -> None:
        output = self.run(command.line)
        if command.output:
            shown = output_pattern(command.output)
            assert shown.match(output), f"$ {command.line}\n{output}\nis not\n{command.output}"

    def write(self, block: Block) -> None:
        name, _, where = block.caption.partition(", ")
        path = self.directory / name
        if where == "at the end":
            path.write_text(f"{path.read_text()}\n{block.text}")
        else:
            assert where == "", f"{block}: {block.caption}"
            path.write_text(block.text)


class Browser:
    """Just enough of one to log into the admin and follow links."""

    def __init__(self, base: str) -> None:
        self.base = base
        jar = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))

    def get(self, path: str, **data: str) -> str:
        body = urllib.parse.urlencode(data).encode() if data else None
        headers = {"Referer": self.base}
        request = urllib.request.Request(
            urllib.parse.urljoin(self.base, path), data=body, headers=headers
        )
        with self.opener.open(request, timeout=60) as answer:
            return answer.read().decode()

    def log_in(self, username: str, password: str) -> str:
        page = self.get("/admin/login/")
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[1]
        return self.get(
            "/admin/login/?next=/admin/",
            username=username,
            password=password,
            csrfmiddlewaretoken=token,
        )

    def follow(self, page: str, text: str) -> str:
        """Return the page behind the first link that says `text`."""
        for href, said in re.findall(r'<a\b[^>]*href="([^"]+)"[^>]*>(.*?)</a>', page, re.DOTALL):
            if re.sub(r"<[^>]+>|\s+", " ", said).strip() == text:
                return self.get(href.replace("&amp;", "&"))
        raise AssertionError(f"no link {text!r} in\n{page}")


@pytest.fixture
def served():
    """Start a server by its command line, on a free port; end it."""
    running = []

    def serve(reader: Reader, line: str) -> Browser:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        process = subprocess.Popen(
            [*line.split(), "--noreload", str(port)],
            cwd=reader.directory,
            env=reader.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        running.append(process)
        browser = Browser(f"http://127.0.0.1:{port}/")
        deadline = time.monotonic() + 60
        while True:
            assert time.monotonic() < deadline
            assert process.poll() is None
            try:
                browser.get("/admin/login/")
            except urllib.error.URLError:
                time.sleep(0.05)
            else:
                return browser

    yield serve
    for process in running:
        process.terminate()
        process.wait(30)


def test_the_tutorial_works_when_it_is_done_literally(tmp_path, served):
    reader = Reader(tmp_path)
    typed = ""
    browser = None
    for block in blocks(DOCS / "tutorial.md"):
        if block.language == "pycon":
            typed += block.text
            continue
        if typed:
            reader.run(SHELL, TYPED.format(text=typed, name=str(block)))
            typed = ""
        if block.language == "python":
            reader.write(block)
            continue
        assert block.language == "console", f"{block}: a block of {block.language}"
        for command in commands(block):
            if command.line == SERVER:
                browser = served(reader, command.line)
            elif command.line != SHELL:  # what follows is typed into it
                reader.do(command)

    assert browser is not None
    page = browser.log_in("jane", "emma-1815")
    for link in ("Event stores", "default", "Actors", "book-1"):
        page = browser.follow(page, link)
    for event_type in ("book_bought", "book_lent", "book_returned"):
        assert event_type in page
    assert "times_lent" in browser.follow(page, "State")
