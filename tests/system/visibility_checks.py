"""Whose figures a key sees: those of the projects it is a member of, unless its role sees every project."""
import decimal
import time

from money_checks import chat

ORGANIZATION = "/v1/organization"
PROJECT = ORGANIZATION + "/projects/{project_id}"
USAGE, COSTS = ORGANIZATION + "/usage/completions", ORGANIZATION + "/costs"
TODAY = f"?start_time={int(time.time()) // 86400 * 86400}"
MONTH = "?month=" + time.strftime("%Y-%m", time.gmtime())
OF_ALL_PROJECTS = [
    ("/focus", (), MONTH), ("/invoices", (), ""), ("/invoices/preview", (), MONTH), ("/invoices/{invoice_id}", ("x",), ""),
    ("/invoices/{invoice_id}/payments", ("x",), ""), ("/invoices/{invoice_id}/credit_notes", ("x",), ""),
    ("/credit_notes/{credit_note_id}", ("x",), ""), ("/ageing", (), ""), ("/billing", (), ""), ("/commitments", (), ""),
    ("/commitments/{commitment_id}", ("x",), "")]


def results(page):
    return [result for bucket in page["data"] for result in bucket["results"]]


class VisibilityChecks:
    """For a test case that can ask the admin API, as AdminTest does."""

    def key_of_member(self, name, role, *projects, organisation="acme", **asked):
        """An administrator's key of a new member of the organisation and of these projects."""
        user = self.server.run("member", "add", f"{name}@example.com", "--organisation", organisation, "--role", role)
        for project in projects:
            self.ask("POST", PROJECT + "/users", project, **asked, body={"user_id": user, "role": "member"})
        made = self.ask("POST", ORGANIZATION + "/admin_api_keys", **asked, body={"name": name, "user_id": user})
        return made["value"]

    def spend(self, *projects):
        """Has a request in each project; returns what each was charged."""
        credit = {"amount": "1", "currency": "CNY"}
        self.ask("POST", ORGANIZATION + "/wallets/{wallet_id}/credits", self.acme, **self.as_operator(), body=credit)
        charged = []
        for project in projects:
            key = self.ask("POST", PROJECT + "/api_keys", project)["value"]
            charged.append(decimal.Decimal(chat(self.server, key)[1]["feilun"]["charged"]))
        return charged

    def test_a_developer_sees_the_figures_of_their_projects_alone(self):
        web, other = (self.ask("POST", ORGANIZATION + "/projects", body={"name": name})["id"]
                      for name in ("web", "other"))
        of_web, of_other = self.spend(web, other)
        member, stranger = self.key_of_member("ann", "developer", web), self.key_of_member("eve", "developer")
        billing = self.key_of_member("bob", "billing")
        for width in ("", "&bucket_width=1h"):
            asked = TODAY + width
            seen = results(self.ask("GET", USAGE, key=member, query=asked + "&group_by[]=project_id"))
            self.assertEqual([result["project_id"] for result in seen], [web])
            self.assertEqual(results(self.ask("GET", USAGE, key=member, query=asked))[0]["num_model_requests"], 1)
            for key, sums in ((member, [of_web]), (stranger, []), (billing, [of_web + of_other]),
                              (self.acme_key, [of_web + of_other])):
                costs = results(self.ask("GET", COSTS, key=key, query=asked))
                self.assertEqual([decimal.Decimal(cost["amount"]["exact"]) for cost in costs], sums)
        for path in (USAGE, COSTS):
            unseen = self.ask("GET", path, key=member, query=f"{TODAY}&project_ids={other}")
            self.assertEqual(results(unseen), [])
            self.assertEqual(unseen, self.ask("GET", path, key=member, query=TODAY + "&project_ids=proj_none"))
            self.assertEqual(results(self.ask("GET", path, key=stranger, query=TODAY)), [])
        wallet = self.ask("GET", ORGANIZATION + "/wallets", key=member)["data"][0]  # what their project lives on
        self.assertEqual(wallet["id"], self.acme)
        self.ask("GET", ORGANIZATION + "/wallets/{wallet_id}/lots", self.acme, key=member)

    def test_what_is_told_of_all_projects_takes_a_role_that_sees_them(self):
        web = self.ask("POST", ORGANIZATION + "/projects", body={"name": "web"})["id"]
        member, billing = self.key_of_member("ann", "developer", web), self.key_of_member("bob", "billing")
        for path, values, query in OF_ALL_PROJECTS:
            with self.subTest(path=path):
                refused = self.ask("GET", ORGANIZATION + path, *values, key=member, query=query, status=403)["error"]
                self.assertIn("owner, admin, billing, auditor may", refused["message"])
                if not values and path != "/focus":
                    self.ask("GET", ORGANIZATION + path, key=billing, query=query)

    def test_the_operators_developers_see_the_wallets_of_their_projects_alone(self):
        root = {"key": self.root}
        web, other = (self.ask("POST", ORGANIZATION + "/projects", **root, body={"name": name})["id"]
                      for name in ("web", "other"))
        member = self.key_of_member("ann", "developer", web, organisation="default", **root)
        wallets = ORGANIZATION + "/wallets"
        self.assertEqual([wallet["id"] for wallet in self.ask("GET", wallets, key=member)["data"]], [web])
        self.ask("GET", wallets + "/{wallet_id}/lots", web, key=member)
        self.ask("GET", wallets + "/{wallet_id}/lots", other, key=member, status=404)
        as_acme = {"key": member, "headers": [("OpenAI-Organization", self.acme)]}
        for path, query in (("/projects", ""), ("/wallets", ""), ("/limits", ""), ("/usage/completions", TODAY)):
            refused = self.ask("GET", ORGANIZATION + path, **as_acme, query=query, status=403)["error"]
            self.assertIn("not of the organisation", refused["message"])
