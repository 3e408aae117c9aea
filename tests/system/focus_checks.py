"""The FOCUS export of a running server."""
import csv
import decimal
import io
import time
import urllib.request

PATH = "/v1/organization/focus"


class FocusChecks:
    """For a test case that can ask the admin API, as AdminTest does."""

    def focus(self, month, key):
        asked = urllib.request.Request(f"{self.server.url}{PATH}?month={month}",
                                       headers={"Authorization": f"Bearer {key}"})
        with urllib.request.urlopen(asked, timeout=60) as reply:
            self.assertEqual(reply.headers["content-type"], "text/csv; charset=utf-8; header=present")
            return reply.read().decode()

    @staticmethod
    def rows_of(text):
        return list(csv.DictReader(io.StringIO(text, newline="")))

    def check_focus_of_invoice(self, document, month, key):
        """The export of a month that was invoiced has the invoice's lines and taxes, line by line, and its number."""
        rows = self.rows_of(self.focus(month, key))
        self.assertEqual({row["InvoiceId"] for row in rows}, {document["number"]})
        billed = sorted(decimal.Decimal(row["BilledCost"]) for row in rows)
        on_paper = document["lines"] + document["taxes"]
        self.assertEqual(billed, sorted(decimal.Decimal(line["amount"]["amount"]) for line in on_paper))
        self.assertEqual(sum(billed), decimal.Decimal(document["total"]["amount"]))

    def check_focus(self, charged):
        """What was charged until now, in this month, is what the export adds up to."""
        month = time.strftime("%Y-%m", time.gmtime(time.time() + 8 * 3600))  # of acme, which is in Shanghai
        text = self.focus(month, self.acme_key)
        rows = self.rows_of(text)
        self.assertEqual(sum(decimal.Decimal(row["BilledCost"]) for row in rows), charged)
        self.assertEqual({row["BillingAccountId"] for row in rows}, {"wallets/" + self.acme})
        told = self.server.run("focus", "export", "--month", month, "--organisation", "acme")
        self.assertEqual(told.split(), text.split())
        self.asked.add(("get", PATH))
        for wrong in ("", "?month=x", "?month=2026-13"):
            refused = self.ask("GET", PATH, query=wrong, status=400)
            self.assertEqual(refused["error"]["param"], "month")
