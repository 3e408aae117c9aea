"""The admin client of OpenAI's official SDK against a running server (FEILUN_URL, FEILUN_ADMIN_KEY)."""
import os
import time
import unittest

import openai


class AdminClientTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        client = openai.OpenAI(base_url=os.environ["FEILUN_URL"] + "/v1", api_key=os.environ["FEILUN_KEY"],
                               admin_api_key=os.environ["FEILUN_ADMIN_KEY"], max_retries=0)
        cls.client, cls.organization = client, client.admin.organization

    def test_projects_and_their_keys(self):
        projects = self.organization.projects
        project = projects.create(name="sdk")
        self.assertEqual(projects.retrieve(project.id).name, "sdk")
        self.assertEqual(projects.update(project.id, name="sdk2").name, "sdk2")
        self.assertIn(project.id, [each.id for each in projects.list(limit=1)])
        account = projects.service_accounts.create(project.id, name="robot")
        self.assertTrue(account.api_key.value.startswith("sk-fl-"))
        keys = list(projects.api_keys.list(project.id))
        self.assertEqual([key.id for key in keys], [account.api_key.id])
        self.assertEqual(keys[0].owner.service_account.id, account.id)
        self.assertTrue(projects.api_keys.delete(keys[0].id, project_id=project.id).deleted)
        self.assertEqual(list(projects.rate_limits.list_rate_limits(project.id)), [])
        self.assertTrue(projects.service_accounts.delete(account.id, project_id=project.id).deleted)
        self.assertEqual(projects.archive(project.id).status, "archived")

    def test_people(self):
        invite = self.organization.invites.create(email="sdk@example.com", role="reader")
        self.assertEqual(self.organization.invites.retrieve(invite.id).status, "pending")
        self.assertIn(invite.id, [each.id for each in self.organization.invites.list()])
        self.assertTrue(self.organization.invites.delete(invite.id).deleted)
        self.assertEqual(list(self.organization.users.list(emails=["nobody@example.com"])), [])

    def test_admin_keys_and_the_audit_log(self):
        keys = self.organization.admin_api_keys
        made = keys.create(name="from the sdk")
        self.assertTrue(made.value.startswith("sk-fl-admin-"))
        self.assertIn(made.id, [each.id for each in keys.list()])
        self.assertEqual(keys.retrieve(made.id).name, "from the sdk")
        self.assertTrue(keys.delete(made.id).deleted)
        log = self.organization.audit_logs.list(event_types=["api_key.deleted"], limit=1,
                                                effective_at={"gte": made.created_at})
        act = log.data[0]
        self.assertEqual((act.type, act.api_key_deleted.id), ("api_key.deleted", made.id))
        self.assertEqual(act.actor.type, "api_key")

    def test_usage_and_costs_tell_what_a_request_was_charged(self):
        start = int(time.time()) // 86400 * 86400
        reply = self.client.chat.completions.create(model="feilun-nano", max_tokens=5,
                                                    messages=[{"role": "user", "content": "hi"}])
        page = self.organization.usage.completions(start_time=start, group_by=["model"])
        used = [result for bucket in page.data for result in bucket.results]
        self.assertEqual([(each.object, each.model, each.num_model_requests) for each in used],
                         [("organization.usage.completions.result", "feilun-nano", 1)])
        self.assertEqual((used[0].input_tokens, used[0].output_tokens),
                         (reply.usage.prompt_tokens, reply.usage.completion_tokens))
        costs = self.organization.usage.costs(start_time=start, group_by=["line_item"])
        costs = [result for bucket in costs.data for result in bucket.results]
        self.assertEqual([(each.line_item, each.amount.currency) for each in costs], [("feilun-nano", "cny")])
        self.assertAlmostEqual(costs[0].amount.value, float(reply.feilun["charged"]), places=12)
        vectors = self.organization.usage.embeddings(start_time=start)
        self.assertEqual([bucket.results for bucket in vectors.data], [[] for _ in vectors.data])

    def test_a_spend_limit_of_a_project(self):
        limits = self.organization.projects.spend_limit
        project = self.organization.projects.create(name="thrifty").id
        with self.assertRaises(openai.NotFoundError):
            limits.retrieve(project)
        made = limits.update(project, currency="CNY", interval="month", threshold_amount=12345)
        self.assertEqual((made.object, made.threshold_amount, made.currency, made.enforcement.status),
                         ("project.spend_limit", 12345, "CNY", "inactive"))
        none = limits.update(project, currency="CNY", interval="month", threshold_amount=0)
        self.assertEqual(none.enforcement.status, "enforcing")
        self.assertEqual(limits.retrieve(project).threshold_amount, 0)
        self.assertTrue(limits.delete(project).deleted)
        with self.assertRaises(openai.BadRequestError):
            limits.update(project, currency="USD", interval="month", threshold_amount=1)

    def test_a_spend_limit_of_a_customers_organization(self):
        options = {"base_url": os.environ["FEILUN_URL"] + "/v1", "max_retries": 0}
        secret = os.environ["FEILUN_ADMIN_KEY"]
        customer = openai.OpenAI(api_key=secret, **options).post("/organizations", cast_to=object,
                                                                 body={"name": "customer", "currency": "JPY"})
        limits = openai.OpenAI(api_key="none", admin_api_key=secret, organization=customer["id"],
                               **options).admin.organization.spend_limit
        made = limits.update(currency="JPY", interval="month", threshold_amount=5000)
        self.assertEqual((made.object, made.threshold_amount, made.interval),
                         ("organization.spend_limit", 5000, "month"))
        self.assertEqual(limits.retrieve(), made)
        self.assertTrue(limits.delete().deleted)
        with self.assertRaises(openai.NotFoundError):
            limits.delete()

    def test_errors_are_the_sdks(self):
        with self.assertRaises(openai.NotFoundError):
            self.organization.projects.retrieve("proj_none")
        with self.assertRaises(openai.BadRequestError):
            self.organization.projects.list(limit=1000)


if __name__ == "__main__":
    unittest.main()
