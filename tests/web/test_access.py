"""Who is answered: every way in that a website, another program or another user of the machine could try."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from llmdrills.web.access import Access, owner_of
from llmdrills.web.server import MOST_BYTES, WebServer
from tests.helpers.web_client import WebClient

GETS = ["/", "/events", "/api/words", "/api/plan", "/api/cards?kata=rms-norm", "/assets/app.js", "/mathjax/LICENSE"]


@pytest.fixture
def stranger(server: WebServer) -> WebClient:
    """It knows the port, and has not entered."""
    return WebClient(server.address)


# ---- the token and the cookie -----------------------------------------------------------------------


def test_should_let_one_browser_in_once(server: WebServer, stranger: WebClient):
    first, second = stranger.enter(), WebClient(server.address.replace("t=", "t=x")).enter()
    assert (first.status, second.status) == (200, 401)
    assert stranger.raw("GET", stranger.entrance, {"Host": stranger.host}).status == 401
    assert server.access.token == ""


def test_should_let_the_browser_that_entered_open_the_printed_address_again(stranger: WebClient):
    """Its tab was closed, and the address still stands in the terminal."""
    stranger.enter()
    headers = {"Host": stranger.host, "Cookie": stranger.cookie}
    again = stranger.raw("GET", stranger.entrance, headers)
    assert (again.status, b'content="0;url=/"' in again.body) == (200, True)
    forged = {**headers, "Cookie": f"{stranger.cookie}x"}
    assert stranger.raw("GET", stranger.entrance, forged).status == 401


def test_should_let_one_of_many_in_who_bring_the_token_at_the_same_time(server: WebServer):
    clients = [WebClient(server.address) for _ in range(16)]
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda one: one.enter().status, clients))
    assert sorted(found) == [200] + [401] * 15


@pytest.mark.parametrize("token", ["", "t=", "t=wrong", "t=%00", "t=%C3%A9", "t=" + "x" * 5000])
def test_should_not_spend_the_token_on_a_wrong_one(server: WebServer, stranger: WebClient, token: str):
    assert stranger.raw("GET", f"/enter?{token}", {"Host": stranger.host}).status == 401
    assert stranger.enter().status == 200


def test_should_give_a_cookie_that_no_script_and_no_other_site_gets(server: WebServer, stranger: WebClient):
    name, _, rest = stranger.enter().headers["Set-Cookie"].partition("=")
    assert name == f"llmdrills-{server.port}"
    assert rest.partition("; ")[2].split("; ") == ["HttpOnly", "SameSite=Strict", "Path=/"]
    assert len(rest.partition(";")[0]) >= 40


def test_should_take_the_token_out_of_the_address_without_a_redirect(stranger: WebClient):
    """A redirect would belong to the request of whoever opened the link, and a strict cookie would be missing."""
    entered = stranger.enter()
    assert "Location" not in entered.headers
    assert b'http-equiv="refresh" content="0;url=/"' in entered.body
    assert entered.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("path", GETS)
def test_should_show_nothing_without_the_cookie(shared_server: WebServer, path: str):
    stranger = WebClient(shared_server.address)
    for cookie in ("", f"llmdrills-{stranger.port}=", f"llmdrills-{stranger.port}=x", "other=1", "\x01=;;=", None):
        assert stranger.get(path, Cookie=cookie).status == 401


def test_should_do_nothing_without_the_cookie(shared_server: WebServer):
    stranger = WebClient(shared_server.address)
    assert stranger.post("undo", {"id": "x"}, Cookie=None).status == 401
    assert stranger.post("open", {"kata": "rms-norm"}, Cookie=f"llmdrills-{stranger.port}=x").status == 401


def test_should_keep_two_servers_apart_in_one_browser():
    """Cookies know no ports: with one name the second server would throw the first one's browser out."""
    assert Access(5001).cookie != Access(5002).cookie
    assert Access(5001).set_cookie.partition("=")[2] != Access(5001).set_cookie.partition("=")[2]


# ---- other sites ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/enter?t=x", *GETS])
@pytest.mark.parametrize(
    "host", ["evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "localhost.:{port}", "[::1]:{port}"]
)
def test_should_answer_to_its_own_name_only(shared: WebClient, path: str, host: str):
    """A website may point its name at 127.0.0.1 after it was loaded (DNS rebinding): its scripts then ask as it."""
    assert shared.get(path, Host=host.format(port=shared.port)).status == 421
    assert shared.post("undo", {"id": ""}, Host=host.format(port=shared.port)).status == 421


def test_should_answer_to_localhost_too(shared: WebClient):
    host = f"localhost:{shared.port}"
    assert shared.get("/api/words", Host=host).status == 200
    assert shared.post("withdraw", {}, Host=host, Origin=f"http://{host}").status == 409  # heard, and nothing is open


@pytest.mark.parametrize(
    "origin",
    [None, "null", "", "http://evil.example", "http://127.0.0.1", "http://127.0.0.1:1", "https://127.0.0.1:{port}"],
)
def test_should_change_nothing_for_another_origin(shared: WebClient, origin: str | None):
    """Another port of this machine is the same site, to which strict cookies are sent: the origin tells it apart."""
    sent = None if origin is None else origin.format(port=shared.port)
    assert shared.post("undo", {"id": ""}, Origin=sent).status == 403
    if origin is not None:
        assert shared.get("/api/plan").status == 200
        assert shared.raw("GET", "/api/plan", {**shared.own(Content_Type=None), "Origin": sent or ""}).status == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site", "", "other"])
def test_should_answer_nothing_that_a_browser_says_another_site_asks_for(shared: WebClient, site: str):
    assert shared.get("/api/plan", Sec_Fetch_Site=site).status == 403
    assert shared.post("undo", {"id": ""}, Sec_Fetch_Site=site).status == 403


@pytest.mark.parametrize(
    "kind", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/json; a=b"]
)
def test_should_take_json_only_because_a_form_can_send_the_rest(shared: WebClient, kind: str | None):
    assert shared.post("undo", {"id": ""}, Content_Type=kind).status == 415


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE"])
def test_should_know_two_methods(shared: WebClient, method: str):
    found = shared.raw(method, "/api/plan", shared.own())
    assert found.status == 501
    assert not any(name.startswith("Access-Control") for name in found.headers)


def test_should_refuse_a_header_that_comes_twice(shared: WebClient):
    own = f"GET /api/plan HTTP/1.1\r\nHost: {shared.host}\r\nCookie: {shared.cookie}\r\nConnection: close\r\n"
    assert shared.lines(f"{own}\r\n".encode()).startswith(b"HTTP/1.1 200")
    assert shared.lines(f"{own}Host: evil.example\r\n\r\n".encode()).startswith(b"HTTP/1.1 421")
    assert shared.lines(f"{own}Cookie: {shared.cookie}\r\n\r\n".encode()).startswith(b"HTTP/1.1 401")


def test_should_forbid_frames_caches_guesses_and_foreign_scripts(shared: WebClient):
    first, second = shared.get("/"), shared.get("/")
    for found in (first, shared.get("/api/plan"), shared.get("/assets/app.js"), shared.get("/nothing")):
        assert found.headers["Cache-Control"] == "no-store"
        assert found.headers["X-Content-Type-Options"] == "nosniff"
        assert found.headers["X-Frame-Options"] == "DENY"
        assert found.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert found.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert found.headers["Server"].strip() == "llmdrills"
    policy = dict(part.strip().partition(" ")[::2] for part in first.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == policy["frame-ancestors"] == "'none'"
    assert "'unsafe-inline'" not in policy["script-src"]
    assert "'unsafe-eval'" not in policy["script-src"]
    nonce = policy["script-src"].partition("'nonce-")[2].partition("'")[0]
    assert len(nonce) >= 20
    assert f'nonce="{nonce}"'.encode() in first.body
    assert nonce.encode() not in second.body


# ---- paths and bodies -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/mathjax/../../settings.py",
        "/mathjax/%2e%2e/README.md",
        "/mathjax/..%2f..%2fsettings.py",
        "/mathjax//etc/passwd",
        "/mathjax/.",
        "/mathjax/",
        "/codemirror/..\\..\\settings.py",
        "/codemirror/C:/x",
        "/assets/../api.py",
        "/assets/page.py",
        "/assets/",
        "/media/../README.md",
        "/media/%2fetc%2fpasswd",
        "/../pyproject.toml",
        "//etc/passwd",
        "/api/",
        "/api/save",
        "/etc/passwd",
        "http://[",
    ],
)
def test_should_serve_nothing_but_its_own_files(shared: WebClient, path: str):
    assert shared.get(path).status == 404


@pytest.mark.parametrize("path", ["/mathjax/tex-chtml-full.js", "/codemirror/editor.js", "/codemirror/LICENSE"])
def test_should_serve_what_is_bundled(shared: WebClient, path: str):
    found = shared.get(path)
    assert found.status == 200
    assert len(found.body) > 10_000


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[" * 100_000, 400),
        (b"\xff", 400),
        (b"[]", 409),
        (b"null", 409),
        (b'{"session": 3}', 409),
        (b'{"session": "x"}', 409),
    ],
)
def test_should_refuse_a_body_that_is_none_of_its_own(shared: WebClient, body: bytes, status: int):
    found = shared.raw("POST", "/api/hint", shared.own(), body)
    assert found.status == status
    assert json.loads(found.body)["error"]
    assert b"Traceback" not in found.body


def test_should_read_no_endless_and_no_unmeasured_body(shared: WebClient):
    assert shared.raw("POST", "/api/hint", shared.own(Content_Length=str(MOST_BYTES + 1))).status == 413
    for length in (None, "-1", "1e3", "x", "²"):
        headers = shared.own(Content_Length=length and length.encode().decode("latin-1"))
        assert shared.raw("POST", "/api/hint", headers).status == 411
    assert shared.raw("POST", "/api/hint", shared.own(Transfer_Encoding="chunked")).status == 411


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("rate", {"session": "x", "rating": True}),
        ("rate", {"session": "x", "rating": -1}),
        ("rate", {"session": "x", "rating": 5}),
        ("save", {"session": "x", "code": 1, "version": "", "number": 1}),
        ("save", {"session": "x", "code": "", "version": "", "number": 1, "over": "yes"}),
        ("reveal", {"session": "x", "view": "all"}),
        ("open", {"kata": "../../etc/passwd"}),
        ("open", {"kata": "rms-norm", "repair": 1}),
        ("language", {"language": "fr"}),
        ("exam/begin", {"minutes": 10**9}),
        ("exam/mark", {"had": True}),
    ],
)
def test_should_say_what_is_wrong_with_a_request(shared: WebClient, name: str, body: dict[str, object]):
    found = shared.post(name, body)
    assert found.status == 409
    assert "internal" not in found.json["error"]


# ---- other users ------------------------------------------------------------------------------------

ENTER = """
import os, socket, sys
from urllib.parse import urlsplit
address = urlsplit(sys.argv[1])
os.setuid(65534)  # from here on nothing can be imported where only root may read the interpreter's files
connection = socket.socket()  # its owner is who makes it
connection.connect((address.hostname, address.port))
asked = f"GET {address.path}?{address.query} HTTP/1.1\\r\\nHost: {address.netloc}\\r\\nConnection: close\\r\\n\\r\\n"
connection.sendall(asked.encode())
print(connection.recv(4096).split()[1].decode())
"""


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can act as another user")
def test_should_not_let_another_user_in_who_saw_the_address_in_the_list_of_processes(server: WebServer):
    program = [sys.executable, "-c", ENTER, server.address]
    ran = subprocess.run(program, capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout == "403\n"
    assert WebClient(server.address).enter().status == 200  # it was not spent


@pytest.mark.skipif(sys.platform != "linux", reason="Linux lists whose a connection is")
def test_should_see_whose_process_is_at_the_other_end():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        found: list[int | None] = []

        def accept() -> None:
            connection, _ = listening.accept()
            with connection:
                found.append(owner_of(connection))
                connection.recv(1)

        thread = threading.Thread(target=accept)
        thread.start()
        with socket.create_connection(listening.getsockname()) as own:
            own.sendall(b"x")
            thread.join(10)
    assert found == [os.getuid()]
