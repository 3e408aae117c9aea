"""Somebody else's HTTP server, for tests of webhooks: keeps what it is sent and answers what it is told to."""
import hashlib
import hmac
import http.server
import ssl
import threading


class Receiver:
    """`certificate`: a PEM file with a certificate and its key, for https."""

    def __init__(self, port=0, certificate=None):
        self.bodies = []
        self.signatures = []
        self.status = 200
        self.came = threading.Condition()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                with receiver.came:
                    receiver.bodies.append(body)
                    receiver.signatures.append(self.headers["feilun-signature"])
                    receiver.came.notify_all()
                self.send_response(receiver.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        scheme = "https" if certificate else "http"
        self.url = f"{scheme}://localhost:{self.port}/hook?from=feilun"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def wait(self, count, seconds=60):
        """The bodies, once there are so many."""
        with self.came:
            if not self.came.wait_for(lambda: len(self.bodies) >= count, seconds):
                raise AssertionError(f"{len(self.bodies)} of {count} messages came")
            return list(self.bodies)


def is_signed(body, signature, secret):
    """As docs/how-to/tenants-keys-and-money.md tells receivers to check."""
    fields = dict(field.split("=", 1) for field in signature.split(","))
    made = hmac.new(secret.encode(), f"{fields['t']}.".encode() + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(made, fields["v1"])
