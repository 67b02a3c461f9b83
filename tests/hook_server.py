"""A hook on 127.0.0.1 that takes notifications, refuses them, or hangs."""

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Hook:
    """What it got, and what it answers.

    Attributes
    ----------
    answers
        The statuses of the next answers; then 204.
    got
        The bodies of all requests, parsed, each with its `status`, its `path` and its `authorization`.
    open
        Clear it, and requests wait for it to be set.
    """

    def __init__(self):
        self.answers, self.got, self.open = [], [], threading.Event()
        self.open.set()
        self.address = ""

    def taken(self):
        """The bodies that were taken."""
        return [body for body in self.got if body["status"] == 204]


@contextlib.contextmanager
def serving_hook():
    """Serve it on a free port."""
    hook, lock = Hook(), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            hook.open.wait()
            with lock:
                status = hook.answers.pop(0) if hook.answers else 204
                place = {"path": self.path, "authorization": self.headers["Authorization"], "status": status}
                hook.got.append(body | place)
            with contextlib.suppress(ConnectionError):
                self.send_response(status)
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hook.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield hook
    finally:
        hook.open.set()
        server.shutdown()
        thread.join()
        server.server_close()
