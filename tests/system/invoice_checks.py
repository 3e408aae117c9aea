"""What the admin API says of invoices. A server's clock cannot be set, so the month that has ended is one in
which nothing was used: a commitment of last month is what there is to invoice."""
import datetime
import decimal


def months(zone_hours=0):
    """Last month and this one, as texts."""
    now = datetime.datetime.now(datetime.timezone(datetime.timedelta(hours=zone_hours)))
    first = now.replace(day=1)
    return (first - datetime.timedelta(days=1)).strftime("%Y-%m"), first.strftime("%Y-%m")


class InvoiceChecks:
    def check_invoices(self):
        organization = "/v1/organization"
        invoices, one = organization + "/invoices", organization + "/invoices/{invoice_id}"
        billing, payments, notes = organization + "/billing", one + "/payments", one + "/credit_notes"
        mine = {"key": self.globex_key}
        root = {"key": self.root, "headers": [("OpenAI-Organization", self.globex)]}
        last, this = months()
        self.ask("POST", organization + "/commitments", **root, body={"amount": "100", "from": last, "until": this})
        self.ask("POST", billing, key=self.root, body={"name": "Feilun Cloud", "due_days": 14,
                                                       "taxes": [{"name": "VAT", "percent": "6"}]})
        self.ask("POST", billing, **mine, body={"name": "Globex Ltd.", "address": ["1 Road"], "tax_number": "G1"})
        self.ask("POST", billing, **mine, body={"taxes": []}, status=403)
        self.ask("POST", billing, **root, body={"taxes": [{"name": "VAT", "percent": "x"}]}, status=400)
        self.assertEqual(self.ask("GET", billing, **mine)["name"], "Globex Ltd.")

        draft = self.ask("GET", invoices + "/preview", **mine, query="?month=" + last)["document"]
        self.assertEqual(draft["total"]["amount"], "106.00")
        self.ask("GET", invoices + "/preview", **mine, query="?month=soon", status=400)
        self.ask("POST", invoices, **mine, body={"month": last}, status=403)
        self.ask("POST", invoices, **root, body={"month": this}, status=400)
        number = None
        for _ in range(2):
            issued = self.ask("POST", invoices, **root, body={"month": last})["data"]
            self.assertEqual([each["open"] for each in issued], ["106.00"])
            number = issued[0]["id"]
        for _ in range(2):
            everyone = self.ask("POST", invoices, key=self.root, body={"month": last})["data"]
        self.assertEqual(everyone, [])
        self.ask("GET", one, number, status=404)  # acme sees nothing of it

        shown = self.ask("GET", one, number, **mine, query="?format=csv")
        self.assertEqual(shown["document"]["seller"]["name"], "Feilun Cloud")
        self.assertEqual(shown["document"]["buyer"]["tax_number"], "G1")
        self.assertIn("true_up", shown["content"])
        self.check_focus_of_invoice(shown["document"], last, self.globex_key)
        html = self.ask("GET", one, number, **mine, query="?format=html")["content"]
        self.assertEqual(html, self.server.run("invoice", "show", number, "--format", "html") + "\n")
        self.ask("GET", one, number, **mine, query="?format=pdf", status=400)

        self.ask("POST", payments, number, **mine, body={"reference": "bank"}, status=403)
        for _ in range(2):
            paid = self.ask("POST", payments, number, **root, body={"reference": "bank", "amount": "40"})
            self.assertEqual(paid["applied"], "40.00")
        self.ask("POST", payments, number, **root, body={"reference": "bank", "amount": "41"}, status=409)
        self.assertEqual([each["id"] for each in self.ask("GET", payments, number, **mine)["data"]], ["bank"])
        returned = self.ask("POST", payments, number, **root, body={
            "reference": "returned", "amount": "-40", "returns": "bank"})
        self.assertEqual((returned["applied"], returned["returns"]), ("-40.00", "bank"))
        self.ask("POST", payments, number, **root, body={"reference": "bank 2", "amount": "40"})
        note = self.ask("POST", notes, number, **root, body={
            "reason": "goodwill", "lines": [{"line": 0, "amount": "10"}], "idempotency_key": "once"})
        self.assertEqual(note["total"], "-10.60")
        self.ask("POST", notes, number, **root, body={"reason": "more", "lines": [{"line": 0, "amount": "90.01"}]},
                 status=400)
        self.assertEqual([each["id"] for each in self.ask("GET", notes, number, **mine)["data"]], [note["id"]])
        one_note = organization + "/credit_notes/{credit_note_id}"
        self.assertEqual(self.ask("GET", one_note, note["id"], **mine)["document"], note["document"])
        self.ask("GET", one_note, note["id"], status=404)

        listed = self.ask("GET", invoices, **mine)["data"]
        self.assertEqual([(each["id"], each["state"], each["open"]) for each in listed],
                         [(number, "partly_paid", "55.40")])
        aged = self.ask("GET", organization + "/ageing", **mine, query="?on=2999-01-01")["data"]
        self.assertEqual([each["days_over_90"] for each in aged], ["55.40"])
        wallet = self.ask("GET", organization + "/wallets", **mine)["data"][0]
        self.assertEqual(decimal.Decimal(wallet["available"]), decimal.Decimal("-55.40"))
