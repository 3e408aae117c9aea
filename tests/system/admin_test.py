"""The admin API of a running server: docs/api/openapi.yaml is what it answers, and nobody sees another's."""
import decimal
import json
import re
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

import yaml

from feilun_server import ROOT, FeilunServer
from focus_checks import FocusChecks
from invoice_checks import InvoiceChecks
from money_checks import MoneyChecks
from openapi_schema import problems
from refusal_checks import RefusalChecks
from visibility_checks import VisibilityChecks

DOCUMENT = yaml.safe_load((ROOT / "docs/api/openapi.yaml").read_text())
ROUTES = ROOT / "src/gateway/admin_routes.cc"
ROUTER = ROOT / "src/gateway/router.cc"
METHODS = ("get", "post", "delete")


def fields_of(operation):
    """What the body of an operation may have."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    schema = content.get("schema", {})
    if "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema.get("properties", {})


def request(server, method, path, key=None, body=None, headers=()):
    data = None if body is None else json.dumps(body).encode()
    head = {"Content-Type": "application/json", **dict(headers)}
    if key:
        head["Authorization"] = f"Bearer {key}"
    asked = urllib.request.Request(server.url + path, data=data, method=method, headers=head)
    try:
        with urllib.request.urlopen(asked, timeout=60) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


class AdminTest(MoneyChecks, FocusChecks, InvoiceChecks, RefusalChecks, VisibilityChecks, unittest.TestCase):
    def setUp(self):
        self.server = FeilunServer().start()
        self.addCleanup(self.server.__exit__)
        run = self.server.run
        self.root = run("key", "create", "--admin", "--name", "root")
        self.acme = run("organisation", "create", "acme")
        self.globex = run("organisation", "create", "globex")
        self.acme_key = run("key", "create", "--admin", "--organisation", "acme")
        self.globex_key = run("key", "create", "--admin", "--organisation", "globex")
        self.asked = set()

    def ask(self, method, template, *values, key=None, body=None, query="", status=200, headers=()):
        """Asks an operation of the document; the reply must be what the document says. Returns the body."""
        path = template
        for value in values:
            path = re.sub(r"\{\w+\}", urllib.parse.quote(value, safe=""), path, count=1)
        operation = DOCUMENT["paths"][template][method.lower()]
        got, reply = request(self.server, method, path + query, key or self.acme_key, body, headers)
        self.assertEqual(got, status, reply)
        answer = operation["responses"]["200" if status == 200 else "default"]
        schema = answer["content"]["application/json"]["schema"]
        self.assertEqual(list(problems(reply, schema, DOCUMENT)), [], f"{method} {path}")
        if status == 200:
            self.asked.add((method.lower(), template))
        return reply

    def get(self, path, key):
        """The status alone."""
        return request(self.server, "GET", path, key)[0]

    def test_the_document_has_every_route_and_no_others(self):
        routes = re.findall(r'\{"([A-Z]+)",\s+"(/v1/organization[^"]*)", k(\w+)', ROUTES.read_text())
        routes = {(method, path, re.sub(r"\B([A-Z])", r"_\1", power).lower()) for method, path, power in routes}
        self.assertGreater(len(routes), 30)
        doors = re.findall(r'\{"([A-Z]+)", "(/feilun/v1/[^"]*)", Access::k(Anyone)', ROUTER.read_text())
        self.assertGreater(len(doors), 1)
        documented = {(method.upper(), path, "Anyone" if operation.get("security") == [] else operation["x-power"])
                      for path, item in DOCUMENT["paths"].items() for method, operation in item.items()}
        self.assertEqual(routes | set(doors), documented)

    def test_every_operation_answers_as_documented(self):
        organization, projects = "/v1/organization", "/v1/organization/projects"
        project_path = projects + "/{project_id}"
        self.assertEqual(self.ask("GET", organization)["id"], self.acme)
        zone = {"time_zone": "Asia/Shanghai"}
        self.ask("POST", organization, body=zone, status=403)
        changed = self.ask("POST", organization, key=self.root, body=zone,
                           headers=[("OpenAI-Organization", self.acme)])
        self.assertEqual(changed["time_zone"], "Asia/Shanghai")
        misspelt = self.ask("POST", projects, body={"name": "web", "geografy": "CN"}, status=400)
        self.assertIn("there are name", misspelt["error"]["message"])

        project = self.ask("POST", projects, body={"name": "web"})["id"]
        self.ask("POST", projects, body={"name": "web"}, status=409)
        self.ask("POST", projects, body={}, status=400)
        self.ask("POST", projects, body={"name": 5}, status=400)
        self.assertEqual(self.ask("GET", project_path, project)["name"], "web")
        self.assertEqual(self.ask("POST", project_path, project, body={"name": "site"})["name"], "site")
        self.assertEqual([p["id"] for p in self.ask("GET", projects)["data"]], [project])
        self.ask("GET", project_path + "/rate_limits", project)

        self.check_organisations()
        self.check_keys(project_path, project)
        self.check_service_accounts(project_path, project)
        self.check_people(project_path, project)
        self.check_admin_keys()
        self.check_money(project)
        self.check_usage(project)

        doomed = self.ask("POST", projects, body={"name": "doomed"})["id"]
        key = self.ask("POST", project_path + "/api_keys", doomed)["value"]
        self.assertEqual(self.ask("POST", project_path + "/archive", doomed)["status"], "archived")
        self.assertEqual(request(self.server, "GET", "/v1/models", key)[0], 401)
        self.assertEqual([p["id"] for p in self.ask("GET", projects)["data"]], [project])
        self.assertEqual(len(self.ask("GET", projects, query="?include_archived=true")["data"]), 2)

        log = self.ask("GET", "/v1/organization/audit_logs", query="?limit=2")
        self.assertEqual(log["data"][0]["type"], "project.archived")
        self.assertEqual(log["data"][0]["actor"]["type"], "api_key")
        following = self.ask("GET", "/v1/organization/audit_logs", query="?limit=100&after=" + log["last_id"])
        self.assertNotIn(log["last_id"], [act["id"] for act in following["data"]])
        self.assertEqual(following["data"][-1]["type"], "organization.created")
        self.assertTrue(following["data"][-1]["actor"]["session"]["user"]["id"].startswith("local:"))
        only = self.ask("GET", "/v1/organization/audit_logs", query="?event_types[]=project.archived")
        self.assertEqual([act["resource"]["id"] for act in only["data"]], [doomed])
        self.assertNotIn('"hash"', json.dumps(following))

        self.check_accounts()
        self.check_invoices()
        documented = {(method, path) for path, item in DOCUMENT["paths"].items() for method in item
                      if method in METHODS}
        self.assertEqual(documented - self.asked, set())

    def check_organisations(self):
        path = "/v1/organizations"
        body = {"name": "initech", "currency": "USD", "time_zone": "America/Chicago"}
        self.ask("POST", path, body=body, status=403)
        self.ask("GET", path, status=403)
        made = self.ask("POST", path, key=self.root, body=body)
        self.assertEqual((made["name"], made["currency"], made["time_zone"]), ("initech", "USD", "America/Chicago"))
        self.ask("POST", path, key=self.root, body=body, status=409)
        for wrong in ({"currency": "USD"}, {"name": "x"}, {"name": "x", "currency": "dollars"},
                      {**body, "name": "y", "time_zone": "Mars"}, {**body, "name": "default"}):
            self.ask("POST", path, key=self.root, body=wrong, status=400)
        self.assertEqual([each["name"] for each in self.ask("GET", path, key=self.root)["data"]],
                         ["acme", "globex", "initech"])
        rest = self.ask("GET", path, key=self.root, query=f"?limit=1&after={self.acme}")
        self.assertEqual(([each["name"] for each in rest["data"]], rest["has_more"]), (["globex"], True))
        self.ask("GET", path, key=self.root, query="?after=org_none", status=400)
        theirs = self.ask("POST", "/v1/organization/admin_api_keys", key=self.root, body={"name": "first"},
                          headers=[("OpenAI-Organization", made["id"])])
        self.assertEqual(self.ask("GET", "/v1/organization", key=theirs["value"])["id"], made["id"])
        auditor = self.server.run("key", "create", "--admin", "--role", "admin", "--name", "looks")
        self.ask("POST", path, key=auditor, body={**body, "name": "z"}, status=403)

    def check_keys(self, project_path, project):
        keys, one = project_path + "/api_keys", project_path + "/api_keys/{api_key_id}"
        made = self.ask("POST", keys, project,
                        body={"name": "backend", "models": ["other"], "ip_ranges": ["127.0.0.0/8"]})
        chat = {"model": "feilun-nano", "messages": [{"role": "user", "content": "hi"}]}
        status, refused = request(self.server, "POST", "/v1/chat/completions", made["value"], chat)
        self.assertEqual((status, refused["error"]["param"]), (403, "model"))
        self.assertEqual(request(self.server, "GET", "/v1/models/feilun-nano", made["value"])[0], 404)
        self.ask("POST", one, project, made["id"], body={"endpoints": ["/v1/embeddings"]})
        self.assertEqual(request(self.server, "GET", "/v1/models", made["value"])[0], 403)
        self.ask("POST", one, project, made["id"], body={"ip_ranges": ["192.0.2.0/24"]})
        status, refused = request(self.server, "GET", "/v1/models", made["value"])
        self.assertEqual(status, 403)
        self.assertIn("127.0.0.1", refused["error"]["message"])
        self.ask("POST", one, project, made["id"], body={"models": []})
        rotated = self.ask("POST", one + "/rotate", project, made["id"], body={"overlap_seconds": 600})
        for secret in (made["value"], rotated["value"]):
            self.assertEqual(request(self.server, "GET", "/v1/models", secret)[0], 200)
        shown = self.ask("GET", one, project, made["id"])
        self.assertNotIn("value", shown)
        self.assertEqual([k["id"] for k in self.ask("GET", keys, project)["data"]], [made["id"]])
        self.ask("DELETE", one, project, made["id"])
        self.assertEqual(request(self.server, "GET", "/v1/models", rotated["value"])[0], 401)
        self.ask("GET", one, project, made["id"], status=404)
        self.ask("POST", keys, project, body={"ip_ranges": ["10.0.0.1/8"]}, status=400)

    def check_service_accounts(self, project_path, project):
        accounts = project_path + "/service_accounts"
        one = accounts + "/{service_account_id}"
        made = self.ask("POST", accounts, project, body={"name": "ci"})
        secret = made["api_key"]["value"]
        self.assertEqual(request(self.server, "GET", "/v1/models", secret)[0], 200)
        another = self.ask("POST", one + "/api_keys", project, made["id"], body={"name": "second"})
        self.ask("GET", one, project, made["id"])
        self.assertEqual(self.ask("POST", one, project, made["id"], body={"name": "robot"})["name"], "robot")
        self.assertEqual(len(self.ask("GET", accounts, project)["data"]), 1)
        self.ask("DELETE", one, project, made["id"])
        for gone in (secret, another["value"]):
            self.assertEqual(request(self.server, "GET", "/v1/models", gone)[0], 401)

    def check_people(self, project_path, project):
        invites, accept = "/v1/organization/invites", "/feilun/v1/invites/accept"
        invited = self.ask("POST", invites, body={"email": "Ann@example.com", "role": "owner",
                                                  "projects": [{"id": project, "role": "owner"}]})
        self.assertEqual(self.ask("GET", invites + "/{invite_id}", invited["id"])["status"], "pending")
        ann = self.ask("POST", accept, body={"token": invited["token"], "name": "Ann",
                                             "password": "correct horse"})
        self.ask("POST", accept, body={"token": invited["token"]}, status=409)
        self.ask("POST", accept, body={"token": "invite_x.y"}, status=401)
        self.check_login(ann)
        spare = self.ask("POST", invites, body={"email": "bob@example.com", "role": "reader"})
        self.ask("DELETE", invites + "/{invite_id}", spare["id"])
        self.ask("POST", accept, body={"token": spare["token"]}, status=401)
        self.assertEqual(self.ask("GET", invites)["data"][0]["status"], "accepted")

        users, one = "/v1/organization/users", "/v1/organization/users/{user_id}"
        self.server.run("member", "add", "bob@example.com", "--organisation", "acme")
        listed = self.ask("GET", users, query="?emails[]=bob@example.com")["data"]
        bob = listed[0]["id"]
        self.assertEqual(len(listed), 1)
        self.assertEqual(len(self.ask("GET", users)["data"]), 2)
        self.assertEqual(self.ask("POST", one, bob, body={"role": "auditor"})["role"], "auditor")
        self.ask("DELETE", one, ann["id"], status=409)
        members = project_path + "/users"
        self.assertEqual(self.ask("GET", members, project)["data"][0]["id"], ann["id"])
        self.ask("POST", members, project, body={"user_id": bob, "role": "member"})
        self.ask("POST", members + "/{user_id}", project, bob, body={"role": "owner"})
        self.assertEqual(self.ask("GET", members + "/{user_id}", project, bob)["role"], "owner")
        self.ask("DELETE", members + "/{user_id}", project, bob)
        self.ask("GET", members + "/{user_id}", project, bob, status=404)
        self.ask("GET", one, bob)
        self.ask("DELETE", one, bob)
        self.ask("GET", one, bob, status=404)

    def check_login(self, ann):
        """Ann has a password; Zoe is a member without one."""
        login = "/feilun/v1/login"
        right = {"organization": "acme", "email": "ann@example.com", "password": "correct horse"}
        entered = self.ask("POST", login, body=right)
        self.assertEqual((entered["owner"]["id"], entered["role"]), (ann["id"], "owner"))
        self.assertTrue(7 * 3600 < entered["expires_at"] - time.time() < 9 * 3600)
        self.assertEqual(self.ask("GET", "/v1/organization", key=entered["value"])["id"], self.acme)
        short = self.ask("POST", login, body={**right, "organization": self.acme, "email": "ANN@example.com",
                                              "expires_in_seconds": 60})
        self.assertLess(short["expires_at"] - time.time(), 61)
        for made in (short, entered):
            self.ask("DELETE", "/v1/organization/admin_api_keys/{key_id}", made["id"])
        acts = self.ask("GET", "/v1/organization/audit_logs", query="?event_types[]=api_key.created&resource_ids[]="
                        + entered["id"])["data"]
        self.assertEqual([act["actor"]["session"]["user"]["id"] for act in acts], [ann["id"]])

        zoe = self.server.run("member", "add", "zoe@example.com", "--organisation", "acme")
        wrong = [{"password": "wrong horse"}, {"email": "nobody@example.com"}, {"email": "zoe@example.com"},
                 {"organization": "globex"}, {"organization": "nowhere"}, {"email": ann["id"]}]
        refused = [self.ask("POST", login, body={**right, **each}, status=401) for each in wrong]
        self.assertEqual(len({json.dumps(each) for each in refused}), 1)
        self.ask("DELETE", "/v1/organization/users/{user_id}", zoe)
        for bad in ({"email": None}, {"password": None}, {"expires_in_seconds": 90000}, {"colour": "red"},
                    {"email": "a" * 10_000 + "@example.com"}):
            self.ask("POST", login, body={**right, **bad}, status=400)
        # Ann came in just now, and then one attempt was wrong: nine are left.
        for _ in range(9):
            self.ask("POST", login, body={**right, "password": "wrong horse"}, status=401)
        self.ask("POST", login, body=right, status=429)

    def check_admin_keys(self):
        keys, one = "/v1/organization/admin_api_keys", "/v1/organization/admin_api_keys/{key_id}"
        auditor = self.ask("POST", keys, body={"name": "audit", "role": "auditor"})
        self.ask("GET", "/v1/organization/audit_logs", key=auditor["value"])
        self.ask("POST", "/v1/organization/projects", key=auditor["value"], body={"name": "x"}, status=403)
        admin = self.ask("POST", keys, body={"name": "admin", "role": "admin"})
        self.ask("POST", keys, key=admin["value"], body={"name": "up", "role": "owner"}, status=403)
        self.assertEqual(len(self.ask("GET", keys)["data"]), 3)
        newest = self.ask("GET", keys, query="?order=desc&limit=1")
        self.assertEqual((newest["data"][0]["id"], newest["has_more"]), (admin["id"], True))
        self.ask("GET", one, auditor["id"])
        self.ask("DELETE", one, auditor["id"])
        self.ask("GET", "/v1/organization/audit_logs", key=auditor["value"], status=401)

    def check_money(self, project):
        wallets, credits = "/v1/organization/wallets", "/v1/organization/wallets/{wallet_id}/credits"
        credit = {"amount": "12.5", "currency": "CNY", "idempotency_key": "once"}
        self.ask("POST", credits, self.acme, body=credit, status=403)
        as_acme = [("OpenAI-Organization", self.acme)]
        for _ in range(2):
            got = self.ask("POST", credits, self.acme, key=self.root, body=credit, headers=as_acme)
            self.assertEqual(got["available"], "12.50")
        self.ask("POST", credits, project, key=self.root, body=credit, headers=as_acme, status=404)
        self.assertEqual([w["available"] for w in self.ask("GET", wallets)["data"]], ["12.50"])
        log = self.ask("GET", "/v1/organization/audit_logs", query="?event_types[]=credit.created")["data"]
        self.assertEqual([(act["resource"]["parent"], act["after"]["amount"], act["actor"]["type"]) for act in log],
                         [(self.acme, "12500000000000", "api_key")])

        prices = "/v1/organization/prices"
        price = {"offering": "feilun-nano", "currency": "CNY", "input": "0.2", "output": "0.4"}
        self.ask("POST", prices, body=price, status=403)
        contract = self.ask("POST", prices, key=self.root, body=price, headers=as_acme)
        self.assertEqual(contract["organization"], self.acme)
        self.assertIn(contract["id"], [p["id"] for p in self.ask("GET", prices)["data"]])
        others = self.ask("GET", prices, key=self.globex_key)["data"]
        self.assertNotIn(contract["id"], [p["id"] for p in others])
        self.ask("POST", prices, key=self.root, body={**price, "effective_from": 5}, status=400)
        self.check_sheets(prices)
        self.check_prices_that_end(prices)

    def check_sheets(self, prices):
        tomorrow = int(time.time()) + 86400
        sheet = {"currency": "CNY", "also": ["USD"], "input": "0.3", "output": "0.6",
                 "length_tiers": [{"from": 32000, "input": "0.6", "output": "1.2"}], "tiers": {"batch": "0.5"},
                 "volume_tiers": [{"from": 1000000, "factor": "0.9"}]}
        rates = [{"from": "CNY", "to": "USD", "rate": "0.1389", "since": "2026-01-01"},
                 {"from": "CNY", "to": "USD", "rate": "0.5", "since": "2200-01-01"}]
        body = {"offering": "sheeted", "sheet": sheet, "rates": rates, "effective_from": tomorrow}
        self.ask("POST", prices, body=body, status=403)
        made = self.ask("POST", prices, key=self.root, body=body)["data"]
        self.assertEqual([(each["currency"], each["effective_from"], len(each["rows"])) for each in made],
                         [("CNY", tomorrow, 8), ("USD", tomorrow, 8)])
        self.assertEqual([each["rate"] for each in made],
                         [None, {"from": "CNY", "rate": "0.1389", "since": 1767225600}])
        self.assertEqual(made[1]["rows"][0]["input"], "41670")
        listed = self.ask("GET", prices, query="?limit=100")["data"]
        self.assertEqual([each for each in listed if each["offering"] == "sheeted"], made)
        for wrong in ({"rates": []}, {"sheet": {**sheet, "input": 0.3}}, {"sheet": {"currency": "CNY"}},
                      {"input": "0.3"}, {"currency": "CNY"}, {"offering": None}, {"sheet": None}):
            self.ask("POST", prices, key=self.root, body={**body, **wrong}, status=400)
        self.assertEqual(self.ask("GET", prices, query="?limit=100")["data"], listed)

    def check_prices_that_end(self, prices):
        soon, later = int(time.time()) + 3600, int(time.time()) + 7200
        price = {"offering": "ending", "currency": "CNY", "input": "1", "output": "2", "effective_from": soon}
        made = self.ask("POST", prices, key=self.root, body={**price, "effective_until": later})
        self.assertEqual((made["effective_from"], made["effective_until"], made["rate"]), (soon, later, None))
        wrong = self.ask("POST", prices, key=self.root, body={**price, "effective_until": soon}, status=400)
        self.assertEqual(wrong["error"]["param"], "effective_until")

    def check_usage(self, project):
        key = self.server.run("key", "create", "--project", project, "--name", "caller")
        body = {"model": "feilun-nano", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 5}
        made = [request(self.server, "POST", "/v1/chat/completions", key, body) for _ in range(2)]
        self.assertEqual([status for status, _ in made], [200, 200], made)
        start = f"?start_time={int(time.time()) // 86400 * 86400}"
        usage = "/v1/organization/usage/completions"
        grouped = self.ask("GET", usage, query=start + "&group_by[]=project_id&group_by[]=model")["data"]
        results = [result for bucket in grouped for result in bucket["results"]]
        self.assertEqual(len(results), 1)
        told = [reply["usage"] for _, reply in made]
        self.assertEqual(results[0]["num_model_requests"], 2)
        self.assertEqual((results[0]["project_id"], results[0]["model"]), (project, "feilun-nano"))
        self.assertEqual(results[0]["input_tokens"], sum(each["prompt_tokens"] for each in told))
        self.assertEqual(results[0]["output_tokens"], sum(each["completion_tokens"] for each in told))
        costs = self.ask("GET", "/v1/organization/costs", query=start + "&bucket_width=1h")["data"]
        amounts = [result["amount"] for bucket in costs for result in bucket["results"]]
        charged = sum(decimal.Decimal(reply["feilun"]["charged"]) for _, reply in made)
        self.assertEqual([decimal.Decimal(amount["exact"]) for amount in amounts], [charged])
        self.check_focus(charged)
        vectors = self.ask("GET", "/v1/organization/usage/embeddings", query=start)["data"]
        self.assertEqual([bucket["results"] for bucket in vectors], [[] for _ in vectors])
        others = self.ask("GET", usage, key=self.globex_key, query=start)["data"]
        self.assertEqual([bucket["results"] for bucket in others], [[] for _ in others])
        for wrong in ("", "?start_time=x", start + "&bucket_width=1m", start + "&group_by=colour"):
            self.ask("GET", usage, query=wrong, status=400)

    def test_an_administrator_sees_nothing_of_another_organisation(self):
        project_path = "/v1/organization/projects/{project_id}"
        project = self.ask("POST", "/v1/organization/projects", body={"name": "secret"})["id"]
        key = self.ask("POST", project_path + "/api_keys", project)["id"]
        account = self.ask("POST", project_path + "/service_accounts", project, body={"name": "r"})["id"]
        member = self.server.run("member", "add", "eve@example.com", "--organisation", "acme")
        invite = self.ask("POST", "/v1/organization/invites", body={"email": "x@y", "role": "auditor"})["id"]
        admin = self.ask("POST", "/v1/organization/admin_api_keys", body={"name": "a"})["id"]
        ids = {"project_id": project, "api_key_id": key, "service_account_id": account, "user_id": member,
               "invite_id": invite, "key_id": admin}
        asked = 0
        for path, item in DOCUMENT["paths"].items():
            names = re.findall(r"\{(\w+)\}", path)
            if not names or not set(names) <= set(ids):
                continue
            for method in item:
                known = fields_of(item[method])
                body = {field: value for field, value in
                        {"name": "mine", "role": "owner", "user_id": member, "currency": "CNY",
                         "interval": "month", "threshold_amount": 1}.items() if field in known}
                with self.subTest(method=method, path=path):
                    self.ask(method.upper(), path, *(ids[name] for name in names), key=self.globex_key,
                             body=None if method == "get" else body, status=404)
                    asked += 1
        self.assertGreater(asked, 15)
        for path in ("projects", "users", "invites", "audit_logs", "admin_api_keys", "wallets"):
            listed = json.dumps(self.ask("GET", "/v1/organization/" + path, key=self.globex_key))
            for one in ids.values():
                self.assertNotIn(one, listed)
        as_acme = [("OpenAI-Organization", self.acme)]
        self.ask("GET", "/v1/organization/projects", key=self.globex_key, headers=as_acme, status=403)
        status, _ = request(self.server, "GET", f"/feilun/v1/balance?project={project}", self.globex_key)
        self.assertEqual(status, 404)
        mine = self.ask("POST", "/v1/organization/projects", key=self.globex_key, body={"name": "secret"})
        self.assertNotEqual(mine["id"], project)

    def test_project_keys_and_strangers_may_nothing(self):
        for path, item in DOCUMENT["paths"].items():
            if not path.startswith("/v1/organization"):
                continue
            for method in item:
                status, reply = request(self.server, method.upper(), path, self.server.key, {})
                self.assertEqual((status, reply["error"]["code"]), (403, "permission_denied"), path)
                self.assertEqual(request(self.server, method.upper(), path, None, {})[0], 401, path)

    def test_a_projects_member_manages_what_is_theirs_and_its_owner_all(self):
        path = "/v1/organization/projects/{project_id}"
        web, other = (self.ask("POST", "/v1/organization/projects", body={"name": name})["id"]
                      for name in ("web", "other"))
        keys, one, accounts = path + "/api_keys", path + "/api_keys/{api_key_id}", path + "/service_accounts"
        shared = self.ask("POST", keys, web, body={"name": "shared"})["id"]
        admin_keys, made = {}, {}
        for role in ("member", "owner"):
            user = self.server.run("member", "add", f"{role}@example.com", "--organisation", "acme",
                                   "--role", "developer")
            self.ask("POST", path + "/users", web, body={"user_id": user, "role": role})
            made[role] = self.ask("POST", "/v1/organization/admin_api_keys",
                                  body={"name": role, "user_id": user, "role": "owner"})
            self.assertEqual((made[role]["role"], made[role]["owner"]["id"]), ("developer", user))
            admin_keys[role] = {"key": made[role]["value"]}
        for role in ("member", "owner"):
            self.ask("GET", path, other, **admin_keys[role], status=404)
            own = self.ask("POST", keys, web, **admin_keys[role], body={"name": role})
            self.assertEqual(own["owner"]["user"]["email"], f"{role}@example.com")
            self.ask("POST", one + "/rotate", web, own["id"], **admin_keys[role])
            self.assertEqual(len(self.ask("GET", keys, web, **admin_keys[role])["data"]), 2)
            status = 200 if role == "owner" else 403
            self.ask("POST", one, web, shared, **admin_keys[role], body={"name": "x"}, status=status)
            self.ask("POST", accounts, web, **admin_keys[role], body={"name": role}, status=status)
            self.ask("DELETE", one, web, own["id"], **admin_keys[role])
        self.ask("DELETE", one, web, shared, **admin_keys["member"], status=403)
        self.ask("DELETE", one, web, shared, **admin_keys["owner"])
        self.ask("POST", path + "/users", web, **admin_keys["owner"], body={"email": "x@y", "role": "member"},
                 status=403)

    def test_the_audit_log_is_paged_both_ways(self):
        logs = "/v1/organization/audit_logs"
        for name in "abcdefg":
            self.ask("POST", "/v1/organization/projects", body={"name": name})
        newest = [act["id"] for act in self.ask("GET", logs)["data"]]
        back = self.ask("GET", logs, query=f"?limit=2&before={newest[5]}")
        self.assertEqual(([act["id"] for act in back["data"]], back["has_more"]), (newest[3:5], True))
        first = self.ask("GET", logs, query=f"?limit=5&before={newest[3]}&event_types[]=project.created")
        self.assertEqual(([act["id"] for act in first["data"]], first["has_more"]), (newest[:3], False))
        between = self.ask("GET", logs, query=f"?after={newest[1]}&before={newest[4]}")
        self.assertEqual([act["id"] for act in between["data"]], newest[2:4])
        self.assertEqual(self.ask("GET", logs, query="?before=" + newest[0])["data"], [])
        self.ask("GET", logs, query="?before=project_5", status=400)

    def test_lists_are_paged(self):
        made = [self.ask("POST", "/v1/organization/projects", key=self.root, body={"name": f"page-{i}"})["id"]
                for i in range(5)]
        seen, query = [], "?limit=2"
        while True:
            page = self.ask("GET", "/v1/organization/projects", key=self.root, query=query)
            seen += [project["id"] for project in page["data"]]
            if not page["has_more"]:
                break
            self.assertEqual(len(page["data"]), 2)
            query = "?limit=2&after=" + page["last_id"]
        self.assertEqual(seen[-5:], sorted(made))  # of one millisecond they have no order
        self.assertEqual(len(seen), len(set(seen)))
        for limit in ("0", "101", "x"):
            wrong = self.ask("GET", "/v1/organization/projects", query=f"?limit={limit}", status=400)
            self.assertEqual(wrong["error"]["param"], "limit")

    def test_the_command_line_tells_the_same_acts(self):
        self.server.run("project", "create", "told", "--organisation", "acme")
        listed = self.server.run("audit", "list", "--organisation", "acme", "--event", "project.created")
        self.assertIn("told", listed.splitlines()[1])
        self.assertIn("local:", listed.splitlines()[1])


if __name__ == "__main__":
    unittest.main()
