"""Alerts reach a real receiver over HTTPS: signed, once per threshold, again after a failure and a restart."""
import json
import os
import pathlib
import subprocess
import tempfile
import time
import unittest
import unittest.mock
import urllib.request

from feilun_server import FeilunServer
from money_checks import chat
from receiver import Receiver, is_signed


class WebhookTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.certificate = pathlib.Path(folder.name) / "localhost.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                        "-keyout", self.certificate, "-out", f"{self.certificate}.only"],
                       check=True, capture_output=True)
        only = pathlib.Path(f"{self.certificate}.only")
        self.certificate.write_text(self.certificate.read_text() + only.read_text())
        trusted = unittest.mock.patch.dict(os.environ, SSL_CERT_FILE=str(only))
        trusted.start()
        self.addCleanup(trusted.stop)

    def serve(self, *flags):
        server = FeilunServer("--webhook-private", "on", *flags).start()
        self.addCleanup(server.__exit__)
        return server

    def metric(self, server, name):
        with urllib.request.urlopen(server.url + "/metrics", timeout=10) as reply:
            lines = reply.read().decode().splitlines()
        return next(int(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))

    def until(self, condition):
        deadline = time.monotonic() + 60
        while not condition():
            self.assertLess(time.monotonic(), deadline, "it did not come to be")
            time.sleep(0.05)

    def test_an_alert_is_delivered_whatever_happens(self):
        server = self.serve()
        with Receiver(certificate=self.certificate) as receiver:
            hook, secret = server.run("webhook", "set", receiver.url).split()
            self.assertIn("it answered 200", server.run("webhook", "test", hook, "--private"))
            self.assertTrue(is_signed(receiver.bodies[0], receiver.signatures[0], secret))
            self.assertFalse(is_signed(receiver.bodies[0] + b" ", receiver.signatures[0], secret))
            server.run("limit", "set", "--project", "default", "--measure", "requests", "--window", "5h",
                       "--bound", 4, "--alert", 50, "--alert", 75)
            chat(server, server.key)
            chat(server, server.key)
            half = receiver.wait(2)[1]
            self.assertTrue(is_signed(half, receiver.signatures[1], secret))
            told = json.loads(half)
            self.assertEqual((told["type"], told["data"]["percent"], told["data"]["used"]),
                             ("limit.alert", 50, 2))
            delivered = 'feilun_webhook_deliveries_total{outcome="delivered"}'
            self.until(lambda: self.metric(server, delivered) == 1)

            receiver.status = 500
            chat(server, server.key)
            refused = receiver.wait(3)[2]
            self.assertEqual(json.loads(refused)["data"]["percent"], 75)
            self.until(lambda: self.metric(server, 'feilun_webhook_deliveries_total{outcome="failed"}') == 1)
            self.assertIn("      1       1", server.run("webhook", "list"))
            server.stop()
            receiver.status = 200
            server.start()
            self.assertEqual(receiver.wait(4)[3], refused)
            self.until(lambda: self.metric(server, "feilun_webhook_deliveries_waiting") == 0)
            chat(server, server.key)
            self.assertEqual(len(receiver.bodies), 4)
        server.run("ledger", "verify")

    def test_a_certificate_of_another_name_is_not_trusted(self):
        server = self.serve()
        with Receiver(certificate=self.certificate) as receiver:
            hook = server.run("webhook", "set", f"https://127.0.0.1:{receiver.port}/").split()[0]
            with self.assertRaisesRegex(RuntimeError, "no trusted connection"):
                server.run("webhook", "test", hook, "--private")
            self.assertEqual(receiver.bodies, [])


if __name__ == "__main__":
    unittest.main()
