"""The way of a price from a public list to the price book: import, preview, publish, list, beside a running server."""
import datetime
import decimal
import json
import pathlib
import subprocess
import time
import unittest

from feilun_server import BINARY, TESTDATA, FeilunServer, run_tests
from money_checks import chat

GENAI_PRICES = TESTDATA / "prices/genai-prices.json"

# In the shape of LiteLLM's model_prices_and_context_window.json; numbers as it writes them.
LITELLM = {
    "gpt-flagship": {"litellm_provider": "openai", "input_cost_per_token": 2.5e-06, "output_cost_per_token": 1.5e-05,
                     "cache_read_input_token_cost": 2.5e-07, "cache_creation_input_token_cost_above_1hr": 6e-06},
    "painter": {"litellm_provider": "openai", "output_cost_per_image": 0.04},
    "grok": {"litellm_provider": "xai", "input_cost_per_token": 2e-07, "output_cost_per_token": 5e-07},
}
RATES = [{"from": "USD", "to": "CNY", "rate": "7.2", "since": "2020-01-01"},
         {"from": "USD", "to": "CNY", "rate": "8", "since": "2099-01-01"}]


def feilun(*arguments):
    return subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True, timeout=60)


def microseconds(day):
    return int(datetime.datetime(day.year, day.month, day.day, tzinfo=datetime.timezone.utc).timestamp()) * 1_000_000


class WithPrices(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = FeilunServer().start()
        cls.addClassCleanup(cls.server.__exit__)
        cls.acme_id = cls.server.run("organisation", "create", "acme")
        cls.server.run("project", "create", "web", "--organisation", "acme")
        cls.server.run("wallet", "credit", "--project", "acme", "--amount", 5)
        cls.acme = cls.server.create_key("acme/web")
        cls.today = datetime.datetime.now(datetime.timezone.utc).date()
        cls.litellm = cls.file("litellm.json", LITELLM)
        cls.rates = cls.file("rates.json", RATES)

    @classmethod
    def file(cls, name, content):
        path = pathlib.Path(cls.server.data) / name
        path.write_text(json.dumps(content))
        return path

    def refused(self, *arguments):
        done = feilun("price", *arguments, "--data", self.server.data)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        return done.stderr

    def imported(self, path, provider, model):
        done = feilun("price", "import", path, "--provider", provider, "--model", model)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout), done.stderr


class PriceCommands(WithPrices):
    def preview(self, sheet, *more):
        month = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m")
        return self.server.run("price", "preview", "--offering", "feilun-nano", "--sheet", sheet, "--month", month,
                               *more)

    def line_of(self, customer, *sheet):
        lines = json.loads(self.preview(*sheet, "--json"))["lines"]
        return next(line for line in lines if line["customer"] == customer)

    def customer(self, name):
        """Its id and a key."""
        made = self.server.run("project", "create", name)
        self.server.run("wallet", "credit", "--project", name, "--amount", 5)
        return made, self.server.create_key(name)

    def listed(self, **wanted):
        lines = self.server.run("price", "list", "--offering", "feilun-nano").splitlines()
        found = [json.loads(line) for line in lines]
        return [each for each in found if all(each.get(name) == value for name, value in wanted.items())]

    def test_from_a_public_list_to_the_price_of_tomorrow(self):
        names = feilun("price", "import", self.litellm)
        self.assertEqual(names.stdout.splitlines(),
                         ["openai/gpt-flagship", "openai/painter  (no price by the token)", "xai/grok"])
        sheet, beside = self.imported(self.litellm, "openai", "gpt-flagship")
        self.assertEqual(sheet, {"currency": "USD", "input": "2.5", "cache_read": "0.25", "output": "15"})
        self.assertIn("not in the sheet: cache_creation_input_token_cost_above_1hr 6e-06", beside)

        customer, key = self.customer("first")
        _, reply = chat(self.server, key)
        usage = reply["usage"]
        path = self.file("sheet.json", {**sheet, "also": ["CNY"]})
        self.assertIn("no exchange rate from USD to CNY", self.refused(
            "preview", "--offering", "feilun-nano", "--sheet", path, "--month", "2026-01"))
        line = self.line_of(customer, path, "--rates", self.rates)
        cached = usage["prompt_tokens_details"]["cached_tokens"]
        self.assertEqual(int(line["before_pico"]), self.pico(reply))
        self.assertEqual(int(line["after_pico"]), (usage["prompt_tokens"] - cached) * 18_000_000 +
                         cached * 1_800_000 + usage["completion_tokens"] * 108_000_000)
        self.assertIn("total", self.preview(path, "--rates", self.rates))

        tomorrow = self.today + datetime.timedelta(days=1)
        self.assertIn("it is past", self.refused("publish", "--offering", "feilun-nano", "--sheet", path, "--rates",
                                                 self.rates, "--from", "2026-01-01"))
        published = self.server.run("price", "publish", "--offering", "feilun-nano", "--sheet", path, "--rates",
                                    self.rates, "--from", tomorrow)
        self.assertEqual([line.split(" (version")[0] for line in published.splitlines()],
                         [f"feilun-nano: 1 rows in {currency} from {tomorrow} 00:00:00 UTC"
                          for currency in ("USD", "CNY")])
        first, later = self.listed(currency="CNY", organisation=None)
        self.assertEqual(first["rows"][0]["input"], "300000")
        self.assertEqual((later["from"], later["rows"][0]["input"], later["rows"][0]["output"]),
                         (microseconds(tomorrow), "18000000", "108000000"))
        self.assertEqual(self.listed(currency="USD")[0]["rows"][0]["output"], "15000000")
        today = chat(self.server, key)[1]
        self.assertEqual(self.pico(today), self.cost(today, 300_000, 600_000))

    def test_a_preview_of_the_price_in_force_changes_nothing(self):
        customer, key = self.customer("second")
        chat(self.server, key)
        sheet = self.file("same.json", {"currency": "CNY", "input": "0.3", "output": "0.6"})
        line = self.line_of(customer, sheet)
        self.assertEqual((line["requests"], line["after_pico"]), (1, line["before_pico"]))
        shown = next(line for line in self.preview(sheet).splitlines() if line.startswith("second"))
        self.assertTrue(shown.endswith(" 0.00 %"), shown)

    def test_a_contract_is_of_its_customer_alone(self):
        sheet = self.file("contract.json", {"currency": "CNY", "input": "0.1", "output": "0.2"})
        self.server.run("price", "publish", "--offering", "feilun-nano", "--sheet", sheet, "--organisation", "acme")
        own, other = chat(self.server, self.acme)[1], chat(self.server, self.customer("third")[1])[1]
        self.assertEqual(self.pico(own), self.cost(own, 100_000, 200_000))
        self.assertEqual(self.pico(other), self.cost(other, 300_000, 600_000))
        contracts = self.listed(organisation=self.acme_id)
        self.assertEqual([each["rows"][0]["input"] for each in contracts], ["100000"])

    def test_a_contract_ends_and_the_list_price_holds_again(self):
        sheet = self.file("ending.json", {"currency": "CNY", "input": "9", "output": "9"})
        self.server.run("organisation", "create", "brief")
        contract = ("--offering", "feilun-nano", "--organisation", "brief", "--sheet", sheet)
        self.assertIn("would end before it begins", self.refused(
            "publish", *contract, "--from", "2099-02-01", "--until", "2099-02-01"))
        self.assertIn("--until: is empty", self.refused("publish", *contract, "--until", ""))
        said = self.server.run("price", "publish", *contract, "--from", "2099-01-01", "--until", "2099-02-01")
        self.assertIn("from 2099-01-01 00:00:00 UTC until 2099-02-01 00:00:00 UTC", said)
        published = self.listed(**{"from": microseconds(datetime.date(2099, 1, 1))})
        self.assertEqual([each["until"] for each in published], [microseconds(datetime.date(2099, 2, 1))])
        soon = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=6)).replace(microsecond=0)
        self.server.run("price", "publish", *contract, "--until", soon.strftime("%Y-%m-%dT%H:%M:%SZ"))
        self.server.run("project", "create", "web", "--organisation", "brief")
        self.server.run("wallet", "credit", "--project", "brief", "--amount", 5)
        key = self.server.create_key("brief/web")
        while datetime.datetime.now(datetime.timezone.utc) < soon:
            time.sleep(0.05)
        after = chat(self.server, key)[1]
        self.assertEqual(self.pico(after), self.cost(after, 300_000, 600_000))
        said = self.server.run("price", "set", "--offering", "sold-once", "--input", 1, "--output", 2, "--from",
                               "2099-01-01", "--until", "2099-02-01")
        self.assertIn("until 2099-02-01", said)

    @staticmethod
    def pico(reply):
        return int(decimal.Decimal(reply["feilun"]["charged"]).scaleb(12))

    @staticmethod
    def cost(reply, input_unit, output_unit):
        return reply["usage"]["prompt_tokens"] * input_unit + reply["usage"]["completion_tokens"] * output_unit

    def test_a_sheet_comes_from_standard_input_too_and_errors_name_the_field(self):
        done = subprocess.run([BINARY, "price", "publish", "--offering", "other", "--sheet", "-", "--data",
                               self.server.data], input='{"currency":"CNY","input":"1","outputs":"2"}',
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 2)
        self.assertIn("output", done.stderr)
        self.assertEqual(self.server.run("price", "list", "--offering", "other"), "")

    def test_every_command_teaches_how_it_is_used(self):
        for command in ("set", "publish", "preview", "import", "list"):
            done = feilun("price", command, "--help")
            self.assertEqual(done.returncode, 0, command)
            self.assertGreater(len(done.stdout), 200, command)


@unittest.skipUnless(GENAI_PRICES.exists(), f"{GENAI_PRICES} is absent")
class GenaiPrices(WithPrices):
    def test_every_model_of_genai_prices_that_has_a_sheet_can_be_priced(self):
        models = [line for line in feilun("price", "import", GENAI_PRICES).stdout.splitlines() if "(" not in line]
        self.assertGreater(len(models), 1000)
        sheet, _ = self.imported(GENAI_PRICES, "anthropic", "claude-sonnet-4-5")
        self.assertEqual(sheet["length_tiers"], [{"from": 200001, "input": "6", "cache_read": "0.6",
                                                  "cache_write": "7.5", "output": "22.5"}])
        path = self.file("sonnet.json", sheet)
        self.assertIn("2 rows in USD", self.server.run("price", "publish", "--offering", "sonnet", "--sheet", path))
        self.assertIn("gpt-4o", feilun("price", "import", GENAI_PRICES, "--provider", "openai").stdout)
        done = feilun("price", "import", GENAI_PRICES, "--provider", "openai", "--model", "gpt-nothing")
        self.assertEqual(done.returncode, 1)


if __name__ == "__main__":
    run_tests()
