"""What AdminTest asks of limits, lots, refunds, webhooks, commitments and previews, each as documented."""
import decimal
import json
import time
import urllib.request

from receiver import Receiver

CHAT = {"model": "feilun-nano", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 5}


def chat(server, key):
    """Returns the request's id and its reply."""
    asked = urllib.request.Request(
        server.url + "/v1/chat/completions", data=json.dumps(CHAT).encode(), method="POST",
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {key}"})
    with urllib.request.urlopen(asked, timeout=60) as reply:
        return reply.headers["x-request-id"], json.load(reply)


class MoneyChecks:
    def as_operator(self):
        """The operator's key, acting for acme."""
        return {"key": self.root, "headers": [("OpenAI-Organization", self.acme)]}

    def check_accounts(self):
        project = self.ask("POST", "/v1/organization/projects", body={"name": "accounts"})["id"]
        key = self.ask("POST", "/v1/organization/projects/{project_id}/api_keys", project)
        self.check_preview()
        self.check_credit_limit()
        self.check_lots()
        self.check_refunds(key["value"])
        self.check_limits(project, key)
        self.check_spend_limits(project, key["value"])
        self.check_rate_limits(project)
        self.check_webhooks()
        self.check_commitments()
        self.check_restoring(project, key["value"])

    def check_credit_limit(self):
        path = "/v1/organization/credit_limit"
        self.ask("POST", path, body={"amount": "20"}, status=403)
        self.ask("POST", path, key=self.root, body={"amount": "20"}, status=400)
        self.ask("POST", path, **self.as_operator(), body={"amount": "-1"}, status=400)
        self.ask("POST", path, **self.as_operator(), body={"amount": 20}, status=400)
        changed = self.ask("POST", path, **self.as_operator(), body={"amount": "20"})
        self.assertEqual(changed["credit_limit"], "20.00")
        wallets = self.ask("GET", "/v1/organization/wallets")["data"]
        self.assertEqual([wallet["credit_limit"] for wallet in wallets], ["20.00"])

    def check_lots(self):
        lots = "/v1/organization/wallets/{wallet_id}/lots"
        credit = {"kind": "credit", "amount": "3", "expires_at": int(time.time()) + 3600,
                  "idempotency_key": "welcome"}
        self.ask("POST", lots, self.acme, body=credit, status=403)
        granted = [self.ask("POST", lots, self.acme, **self.as_operator(), body=credit) for _ in range(2)]
        self.assertEqual(granted[0]["id"], granted[1]["id"])
        self.assertEqual((granted[0]["left"], granted[0]["unit"]), ("3.00", "CNY"))
        self.ask("POST", lots, self.acme, **self.as_operator(), body={**credit, "amount": "4"}, status=409)
        package = {"kind": "package", "tokens": 7, "paid": "0.5", "models": ["feilun-nano"], "priority": 5}
        made = self.ask("POST", lots, self.acme, **self.as_operator(), body=package)
        self.assertEqual((made["left"], made["unit"], made["expires_at"]), (7, "tokens", None))
        for wrong in ({"kind": "gift", "amount": "1"}, {"kind": "credit"}, {"kind": "credit", "tokens": 5},
                      {"kind": "package", "amount": "5"}, {"kind": "plan", "amount": "5", "paid": "6"},
                      {"kind": "credit", "amount": "1", "priority": 1001},
                      {"kind": "credit", "amount": "1", "expires_at": 5}):
            self.ask("POST", lots, self.acme, **self.as_operator(), body=wrong, status=400)
        self.ask("GET", lots, self.globex, status=404)
        first = self.ask("GET", lots, self.acme, query="?limit=1")
        rest = self.ask("GET", lots, self.acme, query="?after=" + first["last_id"])
        self.assertEqual([lot["kind"] for lot in first["data"] + rest["data"]], ["credit", "package"])

    def check_refunds(self, key):
        refunds = "/v1/organization/refunds"
        request_id, reply = chat(self.server, key)
        charged = decimal.Decimal(reply["feilun"]["charged"])
        self.ask("POST", refunds, body={"request_id": request_id}, status=403)
        self.ask("GET", refunds, key=self.globex_key, query=f"?request_id={request_id}", status=404)
        self.ask("GET", refunds, key=self.root, status=400)
        self.ask("POST", refunds, key=self.root, body={"request_id": "req_none"}, status=404)
        self.ask("POST", refunds, key=self.root, body={"request_id": request_id, "amount": "1"}, status=400)
        part = {"request_id": request_id, "amount": "0.0000001", "idempotency_key": "ticket"}
        made = [self.ask("POST", refunds, key=self.root, body=part) for _ in range(2)]
        self.assertEqual(made[0], made[1])
        self.ask("POST", refunds, key=self.root, body={"request_id": request_id, "reason": "late"})
        self.ask("POST", refunds, key=self.root, body={"request_id": request_id}, status=400)
        listed = self.ask("GET", refunds, key=self.root, query=f"?request_id={request_id}")
        self.assertEqual(listed, self.ask("GET", refunds, query=f"?request_id={request_id}"))
        self.assertEqual(len(listed["data"]), 2)
        self.assertEqual((decimal.Decimal(listed["charged"]), listed["left"], listed["tokens_left"]),
                         (charged, "0.00", 0))

    def check_limits(self, project, key):
        limits, one = "/v1/organization/limits", "/v1/organization/limits/{limit_id}"
        made = self.ask("POST", limits, body={"scope": key["id"], "measure": "requests", "window": "5h",
                                              "bound": 2, "alerts": [50, 100]})
        self.assertEqual((made["used"], made["left"], made["frees_at"]), (0, 2, None))
        for _ in range(2):
            chat(self.server, key["value"])
        with self.assertRaises(urllib.request.HTTPError) as refused:
            chat(self.server, key["value"])
        self.assertEqual(refused.exception.code, 429)
        self.assertIn(made["id"], refused.exception.read().decode())
        self.assertGreater(int(refused.exception.headers["retry-after"]), 3600)
        full = self.ask("GET", one, made["id"])
        self.assertEqual((full["used"], full["left"], full["hard"]), (2, 0, True))
        now = time.time()
        self.assertTrue(now + 4 * 3600 < full["frees_at"] <= full["empty_at"] < now + 6 * 3600)
        self.assertEqual(self.ask("POST", one, made["id"], body={"bound": "3"})["left"], 1)
        chat(self.server, key["value"])

        month = self.ask("POST", limits, body={"measure": "spend", "window": "month", "bound": "100",
                                               "hard": False})
        self.assertEqual((month["scope"]["type"], month["currency"], month["bound"]),
                         ("organisation", "CNY", "100.00"))
        fixed = self.ask("POST", limits, **self.as_operator(),
                         body={"scope": project, "measure": "tokens", "window": "7d", "bound": 1000000})
        self.assertTrue(fixed["set_by_operator"])
        self.ask("POST", one, fixed["id"], body={"bound": 2000000}, status=403)
        self.ask("DELETE", one, fixed["id"], status=403)
        self.ask("POST", one, fixed["id"], **self.as_operator(), body={"bound": 2000000})
        listed = self.ask("GET", limits)["data"]
        self.assertEqual([limit["id"] for limit in listed], [made["id"], month["id"], fixed["id"]])
        self.assertEqual(self.ask("GET", limits, query="?scope=" + project)["data"][0]["id"], fixed["id"])
        self.assertEqual(self.ask("GET", limits, key=self.globex_key)["data"], [])
        self.ask("GET", one, made["id"], key=self.globex_key, status=404)
        self.ask("DELETE", one, made["id"], key=self.globex_key, status=404)
        self.ask("POST", limits, key=self.globex_key, status=404,
                 body={"scope": project, "measure": "tokens", "window": "7d", "bound": 1})
        for wrong in ({"measure": "tokens", "window": "month"}, {"measure": "tokens", "bound": 1},
                      {"measure": "words", "window": "5h", "bound": 1},
                      {"measure": "tokens", "window": "5 h", "bound": 1},
                      {"measure": "spend", "window": "5h", "bound": 1},
                      {"measure": "tokens", "window": "5h", "bound": "1.5"},
                      {"measure": "tokens", "window": "5h", "bound": 1, "alerts": [100, 50]},
                      {"measure": "tokens", "window": "5h", "bound": 1, "alerts": [101]}):
            self.ask("POST", limits, body=wrong, status=400)
        self.ask("DELETE", one, made["id"])
        self.ask("DELETE", one, fixed["id"], **self.as_operator())
        self.ask("GET", one, made["id"], status=404)

    def check_spend_limits(self, project, key):
        """The checks of limits left the organisation a soft one of 100 a month: that is no spend limit."""
        path, of_project = "/v1/organization/spend_limit", "/v1/organization/projects/{project_id}/spend_limit"
        month = {"currency": "CNY", "interval": "month"}
        self.ask("GET", path, status=404)
        made = self.ask("POST", path, body={**month, "threshold_amount": 12345})
        self.assertEqual((made["threshold_amount"], made["currency"], made["enforcement"]["status"]),
                         (12345, "CNY", "inactive"))
        fixed = self.ask("POST", path, **self.as_operator(), body={**month, "threshold_amount": 500})
        self.assertEqual(fixed["threshold_amount"], 500)
        changed = self.ask("POST", path, body={**month, "threshold_amount": 700})
        self.assertEqual(changed, {**made, "threshold_amount": 700})
        self.assertEqual(self.ask("GET", path)["threshold_amount"], 700)
        bounds = [limit["bound"] for limit in self.ask("GET", "/v1/organization/limits", query="?limit=100")["data"]
                  if limit["hard"] and limit["window"] == "month"]
        self.assertEqual(sorted(bounds), ["5.00", "7.00"])
        self.ask("DELETE", path)
        self.ask("DELETE", path, status=404)
        self.assertEqual(self.ask("GET", path, **self.as_operator())["threshold_amount"], 500)
        self.ask("DELETE", path, **self.as_operator())
        for wrong in ({**month}, {**month, "threshold_amount": "5"}, {**month, "threshold_amount": -1},
                      {**month, "threshold_amount": 5, "currency": "USD"},
                      {"currency": "CNY", "threshold_amount": 5},
                      {**month, "interval": "day", "threshold_amount": 5}):
            self.ask("POST", path, body=wrong, status=400)
        self.ask("POST", path, key=self.root, body={**month, "threshold_amount": 5}, status=400)

        none = self.ask("POST", of_project, project, body={**month, "threshold_amount": 0})
        self.assertEqual((none["object"], none["enforcement"]["status"]), ("project.spend_limit", "enforcing"))
        self.assertEqual(self.ask("GET", of_project, project), none)
        with self.assertRaises(urllib.request.HTTPError) as refused:
            chat(self.server, key)
        self.assertEqual(refused.exception.code, 429)
        self.assertEqual(json.load(refused.exception)["error"]["code"], "insufficient_quota")
        self.ask("GET", of_project, project, key=self.globex_key, status=404)
        self.ask("DELETE", of_project, project)
        chat(self.server, key)
        self.ask("GET", of_project, project, status=404)

    def check_rate_limits(self, project):
        rates, limits = "/v1/organization/projects/{project_id}/rate_limits", "/v1/organization/limits"
        self.assertEqual(self.ask("GET", rates, project)["data"], [])
        minute = {"scope": project, "window": "60s", "measure": "requests"}
        made = [self.ask("POST", limits, body={**minute, **more})["id"] for more in
                ({"bound": 90}, {"bound": 30}, {"bound": 5, "hard": False}, {"bound": 7, "window": "1h"})]
        shown = self.ask("GET", rates, project)["data"]
        self.assertEqual([(each["model"], each["max_requests_per_1_minute"], each["max_tokens_per_1_minute"])
                          for each in shown], [("*", 30, None)])
        made.append(self.ask("POST", limits, body={**minute, "measure": "tokens", "bound": 9000})["id"])
        both = self.ask("GET", rates, project)
        self.assertEqual(both["data"], [{**shown[0], "max_tokens_per_1_minute": 9000}])
        self.assertEqual(self.ask("GET", rates, project, query="?after=" + both["last_id"])["data"], [])
        self.ask("GET", rates, project, query="?after=rl_none", status=400)
        for limit in made:
            self.ask("DELETE", limits + "/{limit_id}", limit)

    def check_webhooks(self):
        hooks, one = "/v1/organization/webhooks", "/v1/organization/webhooks/{webhook_id}"
        with Receiver() as receiver:
            made = self.ask("POST", hooks, body={"url": receiver.url})
            self.assertTrue(made["secret"].startswith("whsec_"))
            tested = self.ask("POST", one + "/test", made["id"])
            # The server was not told that webhooks may lead to private addresses.
            self.assertEqual((tested["delivered"], receiver.bodies), (False, []))
            self.assertIn("private address", tested["error"])
        self.ask("POST", hooks, body={"url": "file:///etc/passwd"}, status=400)
        self.ask("POST", hooks, body={"url": "https://example.com/", "events": ["x"]}, status=400)
        self.assertNotIn("secret", self.ask("GET", one, made["id"]))
        moved = self.ask("POST", one, made["id"], body={"url": "https://example.com/hook"})
        self.assertEqual(moved["url"], "https://example.com/hook")
        self.assertEqual(len(self.ask("GET", hooks)["data"]), 1)
        self.ask("GET", one, made["id"], key=self.globex_key, status=404)
        log = self.ask("GET", "/v1/organization/audit_logs", query="?event_types[]=webhook.created")
        self.assertEqual([act["resource"]["id"] for act in log["data"]], [made["id"]])
        self.assertNotIn(made["secret"], json.dumps(log))
        self.ask("DELETE", one, made["id"])
        self.ask("GET", one, made["id"], status=404)

    def check_commitments(self):
        commitments, one = "/v1/organization/commitments", "/v1/organization/commitments/{commitment_id}"
        promise = {"amount": "50", "from": "2099-01"}
        self.ask("POST", commitments, body=promise, status=403)
        self.ask("POST", commitments, key=self.root, body=promise, status=400)
        made = self.ask("POST", commitments, **self.as_operator(), body=promise)
        self.assertEqual((made["currency"], made["until"], made["missing"]), ("CNY", None, "0.00"))
        self.ask("POST", commitments, **self.as_operator(), body={**promise, "amount": "60"}, status=409)
        for wrong in ({"amount": "5"}, {"amount": "5", "from": "2099-13"}, {"from": "2030-01"},
                      {"amount": "5", "from": "2040-01", "until": "2040-01"}):
            self.ask("POST", commitments, **self.as_operator(), body=wrong, status=400)
        self.assertEqual(self.ask("GET", one, made["id"])["from"], "2099-01")
        self.assertEqual(len(self.ask("GET", commitments)["data"]), 1)
        self.ask("GET", one, made["id"], key=self.globex_key, status=404)
        self.ask("POST", one, made["id"], body={"until": "2100-01"}, status=403)
        ended = self.ask("POST", one, made["id"], **self.as_operator(), body={"until": "2100-01"})
        self.assertEqual(ended["until"], "2100-01")

    def check_preview(self):
        preview, month = "/v1/organization/prices/preview", time.strftime("%Y-%m", time.gmtime())
        sheet = {"currency": "CNY", "input": "0.4", "output": "0.8"}
        body = {"offering": "feilun-nano", "month": month, "sheet": sheet}
        self.ask("POST", preview, body=body, status=403)
        shown = self.ask("POST", preview, **self.as_operator(), body=body)
        total = shown["totals"][0]
        self.assertEqual({line["customer"] for line in shown["lines"]}, {self.acme})
        # Twice the contract's 0.2 and 0.4.
        self.assertEqual(int(total["after_pico"]), 2 * int(total["before_pico"]))
        all_customers = self.ask("POST", preview, key=self.root, body=body)
        self.assertGreaterEqual(all_customers["totals"][0]["requests"], total["requests"])
        for wrong in ({"month": "2026-13"}, {"sheet": None}, {"sheet": {"currency": "CNY"}},
                      {"sheet": {**sheet, "input": 0.4}}, {"sheet": {**sheet, "colour": "1"}}):
            self.ask("POST", preview, key=self.root, body={**body, **wrong}, status=400)

    def check_restoring(self, project, key):
        path = "/v1/organization/projects/{project_id}"
        self.ask("POST", path + "/archive", project)
        self.assertEqual(self.get("/v1/models", key), 401)
        self.assertEqual(self.ask("POST", path + "/restore", project)["status"], "active")
        self.assertEqual(self.get("/v1/models", key), 200)
        self.ask("POST", "/v1/organization/archive", status=403)
        self.ask("POST", "/v1/organization/archive", key=self.root, status=400)
        archived = self.ask("POST", "/v1/organization/archive", **self.as_operator())
        self.assertIsNotNone(archived["archived_at"])
        self.assertEqual(self.get("/v1/models", key), 401)
        self.ask("GET", "/v1/organization", status=401)
        restored = self.ask("POST", "/v1/organization/restore", **self.as_operator())
        self.assertIsNone(restored["archived_at"])
        self.assertEqual(self.get("/v1/models", key), 200)
        newest = self.ask("GET", "/v1/organization/audit_logs", query="?limit=1")["data"][0]
        self.assertEqual(newest["type"], "organization.restored")
