"""The FOCUS export of a running server."""
import csv
import decimal
import io
import time
import urllib.request

PATH = "/v1/organization/focus"


class FocusChecks:
    """For a test case that can ask the admin API, as AdminTest does."""

    def check_focus(self, charged):
        """What was charged until now, in this month, is what the export adds up to."""
        month = time.strftime("%Y-%m", time.gmtime(time.time() + 8 * 3600))  # of acme, which is in Shanghai
        head = {"Authorization": f"Bearer {self.acme_key}"}
        asked = urllib.request.Request(f"{self.server.url}{PATH}?month={month}", headers=head)
        with urllib.request.urlopen(asked, timeout=60) as reply:
            self.assertEqual(reply.headers["content-type"], "text/csv; charset=utf-8; header=present")
            text = reply.read().decode()
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
        self.assertEqual(sum(decimal.Decimal(row["BilledCost"]) for row in rows), charged)
        self.assertEqual({row["BillingAccountId"] for row in rows}, {"wallets/" + self.acme})
        told = self.server.run("focus", "export", "--month", month, "--organisation", "acme")
        self.assertEqual(told.split(), text.split())
        self.asked.add(("get", PATH))
        for wrong in ("", "?month=x", "?month=2026-13"):
            refused = self.ask("GET", PATH, query=wrong, status=400)
            self.assertEqual(refused["error"]["param"], "month")
