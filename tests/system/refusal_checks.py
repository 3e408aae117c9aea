"""What the admin API refuses, and by which name: cursors of another list, names that look like others', headers that
stand twice, URLs that hold a password."""
import http.client
import json

from money_checks import chat

ORGANIZATION = "/v1/organization"
PROJECT = ORGANIZATION + "/projects/{project_id}"
LISTS = [ORGANIZATION + name for name in (
    "/projects", "/users", "/invites", "/admin_api_keys", "/limits", "/webhooks", "/commitments", "/prices", "/invoices",
    "/wallets", "/audit_logs")]
PROJECT_LISTS = [PROJECT + name for name in ("/api_keys", "/service_accounts", "/users", "/rate_limits")]


class RefusalChecks:
    """For a test case that can ask the admin API, as AdminTest does."""

    def test_a_cursor_that_is_not_in_the_list_is_refused_by_its_name(self):
        project = self.ask("POST", ORGANIZATION + "/projects", body={"name": "web"})["id"]
        foreign = self.ask("POST", ORGANIZATION + "/projects", key=self.globex_key, body={"name": "web"})["id"]
        for path in LISTS + PROJECT_LISTS:
            for cursor in ("nobody", foreign):
                values = [project] if "{" in path else []
                refused = self.ask("GET", path, *values, query="?after=" + cursor, status=400)["error"]
                self.assertEqual(refused["param"], "after", path)
                self.assertIn(f"'{cursor}'", refused["message"], path)
        self.ask("GET", ORGANIZATION + "/wallets/{wallet_id}/lots", self.acme, query="?after=nobody", status=400)
        key = self.ask("POST", PROJECT + "/api_keys", project)["id"]
        self.ask("DELETE", PROJECT + "/api_keys/{api_key_id}", project, key)  # a revoked key still has its place
        self.assertEqual(self.ask("GET", PROJECT + "/api_keys", project, query="?after=" + key)["data"], [])

    def add_member(self, name):
        return self.server.run("member", "add", f"{name}@example.com", "--organisation", "acme")

    def test_who_deletes_what_a_page_shows_goes_on_behind_it(self):
        project = self.ask("POST", ORGANIZATION + "/projects", body={"name": "web"})["id"]
        lists = {
            "/webhooks": ("webhook_id", lambda i: {"url": f"https://example.com/{i}"}),
            "/limits": ("limit_id", lambda i: {"measure": "tokens", "window": f"{i + 1}d", "bound": 1000000}),
            "/invites": ("invite_id", lambda i: {"email": f"invited-{i}@example.com", "role": "reader"}),
            "/users": ("user_id", None),
            "/projects/{project_id}/service_accounts": ("service_account_id", lambda i: {"name": f"robot-{i}"}),
            "/projects/{project_id}/users": ("user_id", lambda i: {"user_id": self.add_member(f"in-{i}"), "role": "member"})}
        for path, (id_name, body) in lists.items():
            values = [project] if "{" in path else []
            made = [self.ask("POST", ORGANIZATION + path, *values, body=body(i))["id"] if body
                    else self.add_member(f"user-{i}") for i in range(5)]
            seen, query = [], "?limit=2"
            while True:
                page = self.ask("GET", ORGANIZATION + path, *values, query=query)
                for each in page["data"]:
                    self.ask("DELETE", f"{ORGANIZATION}{path}/{{{id_name}}}", *values, each["id"])
                seen += [each["id"] for each in page["data"]]
                if not page["has_more"]:
                    break
                query = "?limit=2&after=" + page["last_id"]
            self.assertEqual(seen, sorted(made), path)
            self.assertEqual(self.ask("GET", ORGANIZATION + path, *values)["data"], [], path)

    def test_a_cursor_of_the_audit_log_is_one_of_its_entries(self):
        logs = ORGANIZATION + "/audit_logs"
        foreign = self.ask("GET", logs, key=self.globex_key)["data"][0]["id"]
        for cursor in (foreign, "audit_log-0", "audit_log-999999999", "audit_log-", "audit_log-x"):
            for side in ("after", "before"):
                refused = self.ask("GET", logs, query=f"?{side}={cursor}", status=400)["error"]
                self.assertEqual(refused["param"], side)
                self.assertIn(f"'{cursor}'", refused["message"])

    def test_headers_that_decide_stand_once(self):
        once = {"Authorization": f"Bearer {self.server.key}", "Content-Type": "application/json",
                "Idempotency-Key": "one", "OpenAI-Organization": "default"}
        for name in once:
            connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
            self.addCleanup(connection.close)
            connection.putrequest("POST", "/v1/embeddings")
            for header, value in once.items():
                connection.putheader(header, value)
            connection.putheader(name, once[name])
            connection.putheader("Content-Length", "2")
            connection.endheaders(b"{}")
            reply = connection.getresponse()
            error = json.load(reply)["error"]
            self.assertEqual((reply.status, error["param"]), (400, name.lower()), error)

    def test_names_that_look_like_others_are_refused(self):
        projects = ORGANIZATION + "/projects"
        for name in (" web", "web ", "web\u00a0", "we\u200bb", "\ufeffweb", "web\u2028", "we\u202eb", "cafe\u0301",
                     "web\t", "we\u00adb"):
            self.ask("POST", projects, body={"name": name}, status=400)
            with self.assertRaisesRegex(RuntimeError, "organisation's name"):
                self.server.run("organisation", "create", name)
        with self.assertRaisesRegex(RuntimeError, "like an id"):
            self.server.run("organisation", "create", "Default")
        for name in ("web 2", "飞轮", "caf\u00e9", "Ünï-cødé (x)"):
            self.ask("POST", projects, body={"name": name})

    def test_an_offering_has_a_name_that_no_other_looks_like(self):
        price = {"currency": "CNY", "input": "0.2", "output": "0.4"}
        for name in ("", "*", "nano*", "n*o", " a ", "a\u00a0", "we\u200bb", "cafe\u0301"):
            self.ask("POST", ORGANIZATION + "/prices", key=self.root, body={**price, "offering": name}, status=400)
            with self.assertRaisesRegex(RuntimeError, "offering"):
                self.server.run("price", "set", "--offering", name, "--input", "1", "--output", "1")
        for name in ("openai/gpt-4o:free", "飞轮 7b", "caf\u00e9"):
            self.ask("POST", ORGANIZATION + "/prices", key=self.root, body={**price, "offering": name})

    def test_a_webhooks_url_holds_no_password(self):
        hooks = ORGANIZATION + "/webhooks"
        for url in ("https://user:hush@example.com/", "https://token@example.com/", "http://example.com:99999/",
                    "https://:443/", "https:///path", "https://exa mple.com/", "http://", "https://[::1/"):
            refused = self.ask("POST", hooks, body={"url": url}, status=400)["error"]
            self.assertEqual(refused["param"], "url")
            self.assertNotIn("hush", refused["message"])
            with self.assertRaisesRegex(RuntimeError, "url"):
                self.server.run("webhook", "set", url)
        for url in ("http://example.com", "https://example.com:8443/a?b=c@d", "https://[2001:db8::1]/"):
            self.ask("POST", hooks, body={"url": url})

    def test_a_test_delivery_tells_nothing_of_the_servers_network(self):
        hooks = ORGANIZATION + "/webhooks"
        told = []
        for host in ("localhost", "no-such-name.invalid", "127.0.0.1"):
            made = self.ask("POST", hooks, body={"url": f"http://{host}:9/"})
            told.append(self.ask("POST", hooks + "/{webhook_id}/test", made["id"])["error"].replace(host, "HOST"))
        self.assertEqual(told, [told[0]] * 3)

    def test_the_operator_acting_for_a_customer_sees_that_customers_requests(self):
        refunds = ORGANIZATION + "/refunds"
        request_id, _ = chat(self.server, self.server.key)  # of the operator's own project
        self.ask("GET", refunds, key=self.root, query=f"?request_id={request_id}")
        self.ask("GET", refunds, **self.as_operator(), query=f"?request_id={request_id}", status=404)
        self.ask("POST", refunds, **self.as_operator(), body={"request_id": request_id}, status=404)

    def test_a_service_account_has_no_role_to_change(self):
        project = self.ask("POST", ORGANIZATION + "/projects", body={"name": "web"})["id"]
        one = PROJECT + "/service_accounts/{service_account_id}"
        account = self.ask("POST", PROJECT + "/service_accounts", project, body={"name": "ci"})["id"]
        self.ask("POST", one, project, account, body={"role": "owner"}, status=400)
        self.assertEqual(self.ask("GET", one, project, account)["role"], "member")

    def test_what_could_be_misread_is_refused(self):
        costs = ORGANIZATION + "/costs"
        self.assertEqual(self.ask("GET", costs, query="?start_time=0&limit=0", status=400)["error"]["param"], "limit")
        credits = ORGANIZATION + "/wallets/{wallet_id}/credits"
        credit = {"amount": "1", "currency": "CNY"}
        for body, headers in (({"idempotency_key": ""}, []), ({"idempotency_key": "a"}, [("Idempotency-Key", "b")])):
            headers = [("OpenAI-Organization", self.acme), *headers]
            refused = self.ask("POST", credits, self.acme, key=self.root, body={**credit, **body}, headers=headers,
                               status=400)["error"]
            self.assertEqual(refused["param"], "idempotency_key")

    def test_a_sheet_with_whole_numbers_is_previewed(self):
        sheet = {"currency": "CNY", "input": "0.3", "output": "0.6",
                 "length_tiers": [{"from": 100, "input": "1", "output": "1"}]}
        body = {"offering": "feilun-nano", "month": "2026-10", "sheet": sheet}
        self.ask("POST", ORGANIZATION + "/prices/preview", key=self.root, body=body)
        sheet["input"] = 0.3
        self.ask("POST", ORGANIZATION + "/prices/preview", key=self.root, body=body, status=400)
