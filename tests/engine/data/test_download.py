"""Downloads from a local server: complete, resumed, interrupted, of the wrong kind."""

import hashlib
import http.server
import threading

import pytest

from engine.data import mnist
from engine.data.download import Remote, download
from engine.errors import DataError
from engine.jobs.events import Progress

CONTENT = bytes(range(256)) * 4000  # 1,024,000 bytes
MD5 = hashlib.md5(CONTENT).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers by requested name and records the requested ranges."""

    ranges: list[str | None]

    def do_GET(self):
        kind, wanted = self.path.strip("/").split("/")[0], self.headers.get("Range")
        self.server.ranges.append(wanted)
        if kind == "html":
            return self._send(b"<html>Please log in</html>", "text/html")
        if kind == "missing":
            return self.send_error(404)
        if kind == "other":
            return self._send(CONTENT[::-1])
        if kind == "short":
            return self._send(CONTENT[:1000])
        if kind == "cut":
            return self._send(CONTENT[: len(CONTENT) // 2], length=len(CONTENT))
        if wanted and kind == "ranged":
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(CONTENT):
                return self.send_error(416)
            return self._send(CONTENT[start:], status=206)
        return self._send(CONTENT)

    def _send(self, body, kind="application/octet-stream", length=None, status=200):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length or len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.ranges = []
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


def remote(server, *kinds, md5=MD5, size=0):
    return Remote(tuple(f"http://127.0.0.1:{server.server_port}/{kind}/file" for kind in kinds), md5, size)


def test_a_file_is_downloaded_completely_with_progress_in_bytes(server, tmp_path):
    path = tmp_path / "new" / "file"
    events = list(download(remote(server, "plain"), path))
    assert path.read_bytes() == CONTENT
    assert all(isinstance(event, Progress) for event in events)
    assert [event.done for event in events] == sorted(event.done for event in events)
    assert (events[-1].done, events[-1].total) == (len(CONTENT), len(CONTENT))
    assert [file.name for file in path.parent.iterdir()] == ["file"]


def test_an_existing_file_is_not_downloaded_again(server, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"mine")
    assert list(download(remote(server, "plain"), path)) == []
    assert server.ranges == []


def test_a_cancelled_download_is_resumed(server, tmp_path):
    path = tmp_path / "file"
    job = download(remote(server, "ranged"), path)
    have = next(job).done
    job.close()
    assert not path.exists()
    list(download(remote(server, "ranged"), path))
    assert path.read_bytes() == CONTENT
    assert server.ranges == [None, f"bytes={have}-"]


def test_a_server_that_cannot_resume_starts_over(server, tmp_path):
    path = tmp_path / "file"
    path.with_name("file.part").write_bytes(CONTENT[:500])
    list(download(remote(server, "plain"), path))
    assert path.read_bytes() == CONTENT


def test_a_partial_file_longer_than_the_file_is_discarded(server, tmp_path):
    path = tmp_path / "file"
    path.with_name("file.part").write_bytes(CONTENT + b"more")
    with pytest.raises(DataError, match="416"):
        list(download(remote(server, "ranged"), path))
    list(download(remote(server, "ranged"), path))
    assert path.read_bytes() == CONTENT


def test_an_interrupted_download_gets_a_message_and_is_resumed(server, tmp_path):
    path = tmp_path / "file"
    with pytest.raises(DataError, match=r"interrupted after 512,000|closed the connection"):
        list(download(remote(server, "cut"), path))
    assert not path.exists()
    list(download(remote(server, "ranged"), path))
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("kind", "size", "words"),
    [
        ("html", 0, "answered with a web page"),
        ("missing", 0, "404"),
        ("other", 0, "size or checksum differs"),
        ("short", len(CONTENT), "offers 1,000 bytes, not the 1,024,000 expected"),
    ],
)
def test_an_unexpected_file_is_rejected_and_nothing_is_left(server, tmp_path, kind, size, words):
    path = tmp_path / "file"
    with pytest.raises(DataError, match=words):
        list(download(remote(server, kind, size=size), path))
    assert list(tmp_path.iterdir()) == []


def test_the_next_address_is_tried(server, tmp_path):
    path = tmp_path / "file"
    list(download(remote(server, "missing", "html", "plain"), path))
    assert path.read_bytes() == CONTENT


def test_an_unreachable_server_gets_a_message(tmp_path):
    with pytest.raises(DataError, match=r"127\.0\.0\.1 cannot be reached"):
        list(download(Remote(("http://127.0.0.1:9/file",)), tmp_path / "file"))


def test_mnist_is_downloaded_checked_and_loaded(tmp_path, monkeypatch, digits_folder):
    import gzip
    import io

    files = {}
    for prefix in ("train", "t10k"):
        for kind in mnist.KINDS:
            source = next(digits_folder.glob(f"{prefix}-{kind}*"))
            content = source.read_bytes()
            files[f"{prefix}-{kind}.gz"] = content if source.suffix == ".gz" else gzip.compress(content)

    class Files(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = files[self.path.strip("/")]
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(io.BytesIO(body).read())

        def log_message(self, *_):
            pass

    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files)
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    try:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        base = f"http://127.0.0.1:{made.server_port}/"
        known = {name: Remote((base + name,), hashlib.md5(body).hexdigest()) for name, body in files.items()}
        monkeypatch.setattr(mnist, "_remotes", lambda _: known)
        assert not mnist.is_downloaded("kmnist")
        list(mnist.prepare("kmnist", None))
        assert mnist.is_downloaded("kmnist")
        dataset = mnist.load("kmnist", None)
    finally:
        made.shutdown()
        made.server_close()
        thread.join()
    assert {name: len(part) for name, part in dataset.splits.items()} == {"train": 1500, "test": 297}
    assert dataset.label_names[1] == "ki"
