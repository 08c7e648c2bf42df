"""A server with the API of `ringlet serve` and none of its mathematics: it serves the page's files
under the page's policy and answers with what a test has scripted.
"""

import http.server
import json
import pathlib
import threading
import time

TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8",
         ".css": "text/css; charset=utf-8", ".txt": "text/plain; charset=utf-8",
         ".svg": "image/svg+xml", ".woff2": "font/woff2"}


def text(content):
    return {"choices": [{"index": 0, "delta": {"content": content}, "finish_reason": None}]}


def thought(content):
    return {"choices": [{"index": 0, "delta": {"reasoning_content": content}}]}


def progress(processed, total, cache=0, ms=2000):
    return {"choices": [], "prompt_progress": {"total": total, "cache": cache,
                                               "processed": processed, "time_ms": ms}}


def ending(reason="stop", prompt=120, completion=40, cached=100):
    return [{"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]},
            {"choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": completion,
                                      "prompt_tokens_details": {"cached_tokens": cached}},
             "timings": {"prompt_n": prompt - cached, "prompt_ms": 100, "predicted_n": completion,
                         "predicted_ms": 2000, "cached_n": cached}}]


class Mock:
    """`script` is called with each chat request and returns what to stream: objects, numbers (to
    sleep), threading.Event (to wait for), strings (sent raw), or an (status, object) to refuse with.
    """

    def __init__(self, folder, policy):
        self.folder = pathlib.Path(folder)
        self.policy = policy
        self.key = None
        self.context = 4096
        self.props = {"thinking": True, "chat_template": True}
        self.script = lambda body: [text("Hello."), *ending()]
        self.bodies = []
        self.paths = []
        self.disconnected = threading.Event()
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.http.daemon_threads = True
        self.origin = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()

    def handler(self):
        mock = self

        class Handler(Requests):
            pass
        Handler.mock = mock
        return Handler


class Requests(http.server.BaseHTTPRequestHandler):
    mock = None

    def log_message(self, *_):
        pass

    def reply(self, status, value, content_type="application/json"):
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Content-Security-Policy", self.mock.policy)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(data)

    def allowed(self):
        if self.mock.key is None or self.headers["Authorization"] == f"Bearer {self.mock.key}":
            return True
        self.reply(401, {"error": {"message": "a key is needed", "code": 401}})
        return False

    def do_GET(self):
        path = self.path.split("?")[0]
        self.mock.paths.append(path)
        if path in ("/v1/models", "/props"):
            if self.allowed():
                self.reply(200, {"data": [{"id": "mock-7b", "max_model_len": self.mock.context}]}
                           if path == "/v1/models" else
                           {"model": "mock-7b", "n_ctx": self.mock.context, **self.mock.props})
            return
        file = self.mock.folder / (path.lstrip("/") or "index.html")
        if ".." in path or not file.is_file():
            self.reply(404, {"error": {"message": "no such path"}})
        else:
            self.reply(200, file.read_bytes(), TYPES[file.suffix])

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.mock.paths.append(self.path)
        if not self.allowed():
            return
        if self.path == "/tokenize":
            tokens = body["content"].split()
            self.reply(200, {"tokens": list(range(len(tokens))), "count": len(tokens)})
        elif self.path == "/v1/chat/completions":
            self.mock.bodies.append(body)
            self.stream(self.mock.script(body))
        else:
            self.reply(404, {"error": {"message": "no such path"}})

    def stream(self, script):
        if isinstance(script, tuple):
            self.reply(*script)
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        try:
            for step in [*script, "data: [DONE]\n\n"]:
                self.take(step)
        except (BrokenPipeError, ConnectionResetError):
            self.mock.disconnected.set()

    def take(self, step):
        if isinstance(step, threading.Event):
            # Comments show whether the client is still there.
            deadline = time.monotonic() + 60
            while not step.wait(0.05) and time.monotonic() < deadline:
                self.send(": waiting\n\n")
        elif isinstance(step, (int, float)):
            time.sleep(step)
        elif isinstance(step, str):
            self.send(step)
        elif step is None:
            raise ConnectionResetError  # the server dies
        else:
            self.send(f"data: {json.dumps(step)}\n\n")

    def send(self, data):
        self.wfile.write(data.encode())
        self.wfile.flush()
