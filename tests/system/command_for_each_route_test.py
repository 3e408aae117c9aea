"""What the admin API can do, the command line can: each route has its command here, or the reason why none."""
import functools
import subprocess
import unittest

import yaml

from feilun_server import BINARY, ROOT, run_tests

ORGANIZATION = "/v1/organization"
PROJECT = ORGANIZATION + "/projects/{project_id}"


class Reason(str):
    """Why there is no command."""


ONE_OF_A_LIST = Reason("the list shows all of each")

COMMANDS = {
    "GET /v1/organizations": "organisation list",
    "POST /v1/organizations": "organisation create",
    f"GET {ORGANIZATION}": "organisation list",
    f"POST {ORGANIZATION}": "organisation change",
    f"POST {ORGANIZATION}/archive": "organisation archive",
    f"POST {ORGANIZATION}/restore": "organisation restore",
    f"POST {ORGANIZATION}/credit_limit": "organisation credit-limit",
    f"GET {ORGANIZATION}/spend_limit": "limit list",
    f"POST {ORGANIZATION}/spend_limit": "limit set",
    f"DELETE {ORGANIZATION}/spend_limit": "limit end",
    f"GET {ORGANIZATION}/projects": "project list",
    f"POST {ORGANIZATION}/projects": "project create",
    f"GET {PROJECT}": ONE_OF_A_LIST,
    f"POST {PROJECT}": "project rename",
    f"POST {PROJECT}/archive": "project archive",
    f"POST {PROJECT}/restore": "project restore",
    f"GET {PROJECT}/rate_limits": "limit list",
    f"GET {PROJECT}/spend_limit": "limit list",
    f"POST {PROJECT}/spend_limit": "limit set",
    f"DELETE {PROJECT}/spend_limit": "limit end",
    f"GET {PROJECT}/api_keys": "key list",
    f"POST {PROJECT}/api_keys": "key create",
    f"GET {PROJECT}/api_keys/{{api_key_id}}": ONE_OF_A_LIST,
    f"POST {PROJECT}/api_keys/{{api_key_id}}": "key change",
    f"DELETE {PROJECT}/api_keys/{{api_key_id}}": "key revoke",
    f"POST {PROJECT}/api_keys/{{api_key_id}}/rotate": "key rotate",
    f"GET {PROJECT}/service_accounts": "service-account list",
    f"POST {PROJECT}/service_accounts": "service-account create",
    f"GET {PROJECT}/service_accounts/{{service_account_id}}": ONE_OF_A_LIST,
    f"POST {PROJECT}/service_accounts/{{service_account_id}}": "service-account rename",
    f"DELETE {PROJECT}/service_accounts/{{service_account_id}}": "service-account remove",
    f"POST {PROJECT}/service_accounts/{{service_account_id}}/api_keys": "key create",
    f"GET {PROJECT}/users": "project member list",
    f"POST {PROJECT}/users": "project member add",
    f"GET {PROJECT}/users/{{user_id}}": ONE_OF_A_LIST,
    f"POST {PROJECT}/users/{{user_id}}": "project member add",
    f"DELETE {PROJECT}/users/{{user_id}}": "project member remove",
    f"GET {ORGANIZATION}/users": "member list",
    f"GET {ORGANIZATION}/users/{{user_id}}": ONE_OF_A_LIST,
    f"POST {ORGANIZATION}/users/{{user_id}}": "member change",
    f"DELETE {ORGANIZATION}/users/{{user_id}}": "member remove",
    f"GET {ORGANIZATION}/invites": "invite list",
    f"POST {ORGANIZATION}/invites": "invite create",
    f"GET {ORGANIZATION}/invites/{{invite_id}}": ONE_OF_A_LIST,
    f"DELETE {ORGANIZATION}/invites/{{invite_id}}": "invite revoke",
    "POST /feilun/v1/invites/accept": "invite accept",
    "POST /feilun/v1/login": Reason("a password's short-lived key is for who has no shell: `key create` makes one"),
    f"GET {ORGANIZATION}/admin_api_keys": "key list",
    f"POST {ORGANIZATION}/admin_api_keys": "key create",
    f"GET {ORGANIZATION}/admin_api_keys/{{key_id}}": ONE_OF_A_LIST,
    f"DELETE {ORGANIZATION}/admin_api_keys/{{key_id}}": "key revoke",
    f"GET {ORGANIZATION}/audit_logs": "audit list",
    f"GET {ORGANIZATION}/usage/completions": "usage",
    f"GET {ORGANIZATION}/usage/embeddings": "usage",
    f"GET {ORGANIZATION}/costs": "costs",
    f"GET {ORGANIZATION}/focus": "focus export",
    f"GET {ORGANIZATION}/wallets": "organisation list",
    f"POST {ORGANIZATION}/wallets/{{wallet_id}}/credits": "wallet credit",
    f"GET {ORGANIZATION}/wallets/{{wallet_id}}/lots": "lot list",
    f"POST {ORGANIZATION}/wallets/{{wallet_id}}/lots": "lot grant",
    f"GET {ORGANIZATION}/refunds": "refund list",
    f"POST {ORGANIZATION}/refunds": "refund make",
    f"GET {ORGANIZATION}/limits": "limit list",
    f"POST {ORGANIZATION}/limits": "limit set",
    f"GET {ORGANIZATION}/limits/{{limit_id}}": ONE_OF_A_LIST,
    f"POST {ORGANIZATION}/limits/{{limit_id}}": "limit change",
    f"DELETE {ORGANIZATION}/limits/{{limit_id}}": "limit end",
    f"GET {ORGANIZATION}/webhooks": "webhook list",
    f"POST {ORGANIZATION}/webhooks": "webhook set",
    f"GET {ORGANIZATION}/webhooks/{{webhook_id}}": ONE_OF_A_LIST,
    f"POST {ORGANIZATION}/webhooks/{{webhook_id}}": "webhook set",
    f"DELETE {ORGANIZATION}/webhooks/{{webhook_id}}": "webhook end",
    f"POST {ORGANIZATION}/webhooks/{{webhook_id}}/test": "webhook test",
    f"GET {ORGANIZATION}/commitments": "commitment list",
    f"POST {ORGANIZATION}/commitments": "commitment set",
    f"GET {ORGANIZATION}/commitments/{{commitment_id}}": ONE_OF_A_LIST,
    f"POST {ORGANIZATION}/commitments/{{commitment_id}}": "commitment end",
    f"GET {ORGANIZATION}/prices": "price list",
    f"POST {ORGANIZATION}/prices": "price publish",
    f"POST {ORGANIZATION}/prices/preview": "price preview",
    f"GET {ORGANIZATION}/invoices": "invoice list",
    f"POST {ORGANIZATION}/invoices": "invoice run",
    f"GET {ORGANIZATION}/invoices/preview": "invoice preview",
    f"GET {ORGANIZATION}/invoices/{{invoice_id}}": "invoice show",
    f"GET {ORGANIZATION}/invoices/{{invoice_id}}/payments": "invoice payments",
    f"POST {ORGANIZATION}/invoices/{{invoice_id}}/payments": "invoice pay",
    f"GET {ORGANIZATION}/invoices/{{invoice_id}}/credit_notes": "invoice payments",
    f"POST {ORGANIZATION}/invoices/{{invoice_id}}/credit_notes": "invoice credit",
    f"GET {ORGANIZATION}/credit_notes/{{credit_note_id}}": "invoice show",
    f"GET {ORGANIZATION}/ageing": "invoice ageing",
    f"GET {ORGANIZATION}/billing": "invoice billing",
    f"POST {ORGANIZATION}/billing": "invoice billing",
}


def routes():
    document = yaml.safe_load((ROOT / "docs/api/openapi.yaml").read_text())
    return {f"{method.upper()} {path}" for path, methods in document["paths"].items()
            for method in methods if method in ("get", "post", "delete", "put", "patch")}


@functools.cache
def help_of(command):
    done = subprocess.run([BINARY, *command.split(), "--help"], capture_output=True, text=True, timeout=60)
    return done.stdout


class CommandForEachRouteTest(unittest.TestCase):
    def test_every_route_has_its_command_or_a_reason(self):
        self.assertEqual(routes() - COMMANDS.keys(), set(), "routes without a command")
        self.assertEqual(COMMANDS.keys() - routes(), set(), "routes that are not there")

    def test_every_command_is_there(self):
        for route, command in COMMANDS.items():
            if not isinstance(command, Reason):
                self.assertIn(f"Usage: feilun {command} [OPTIONS]", help_of(command), route)


if __name__ == "__main__":
    run_tests()
