"""Drives the emulator with the SimpleDB clients that others wrote: boto 2.49 and boto3.

Takes the server from SDB_URL and the keys from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY;
with `--check` as its only argument, it only says whether this Python has both clients.
"""

import importlib
import importlib.abc
import importlib.machinery
import os
import sys
import types
import unittest
import warnings
from urllib.parse import urlsplit


class Six(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives boto the installed six in place of the one it carries.

    Python 3.12 no longer asks importers of the kind that one has, and has no `imp`, which boto
    imports without need.
    """

    INNER = "boto.vendored.six"

    def find_spec(self, name, path, target=None):
        if name == self.INNER or name.startswith(self.INNER + "."):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        return importlib.import_module("six" + spec.name[len(self.INNER):])

    def exec_module(self, module):
        pass


warnings.simplefilter("ignore")
if sys.version_info >= (3, 12):
    sys.meta_path.insert(0, Six())
    sys.modules.setdefault("imp", types.ModuleType("imp"))

import boto
import boto3
import boto.exception
import boto.sdb.connection
import boto.sdb.regioninfo
import botocore.config
import botocore.exceptions

if not boto.__version__.startswith("2.49"):
    sys.exit(f"boto 2.49 is needed, this is {boto.__version__}")

BOOKS = {
    "0385333498": {
        "Title": "The Sirens of Titan",
        "Year": "1959",
        "Keyword": ["Book", "Paperback"],
        "Rating": ["*****", "5 stars", "Excellent"],
    },
    "0802131786": {"Title": "Tropic of Cancer", "Year": "1934", "Keyword": "Book", "Rating": "****"},
    "1579124585": {
        "Title": "The Right Stuff",
        "Year": "1979",
        "Keyword": ["Book", "Hardcover", "American"],
        "Rating": ["****", "4 stars"],
    },
}
NASTY = "a &<>\"'`%+/=? \u00e9\u20ac\U0001f600 ~\t\n"


def usual(item):
    """Attributes with their values as sorted lists."""
    return {name: sorted([value] if isinstance(value, str) else value) for name, value in item.items()}


class Boto(unittest.TestCase):
    """boto 2.49: GET and POST, gaps in indices, indices from 0."""

    def setUp(self):
        url = urlsplit(os.environ["SDB_URL"])
        region = boto.sdb.regioninfo.SDBRegionInfo(name="local", endpoint=url.hostname)
        self.sdb = boto.sdb.connection.SDBConnection(
            os.environ["AWS_ACCESS_KEY_ID"],
            os.environ["AWS_SECRET_ACCESS_KEY"],
            is_secure=False,
            port=url.port,
            region=region,
        )
        self.sdb.num_retries = 0
        self.domain = self.sdb.create_domain("boto-domain")
        self.addCleanup(self.sdb.delete_domain, "boto-domain")

    def names(self, query, **options):
        rows = self.domain.select(query.replace("DOM", "`boto-domain`"), consistent_read=True, **options)
        return [row.name for row in rows]

    def refused(self, code, status, call, *args, **options):
        with self.assertRaises(boto.exception.SDBResponseError) as caught:
            call(*args, **options)
        self.assertEqual((caught.exception.error_code, caught.exception.status), (code, status))
        return caught.exception

    def test_domains(self):
        for name in ["aaa", "bbb", "ccc"]:
            self.sdb.create_domain(name)
            self.addCleanup(self.sdb.delete_domain, name)
        self.assertEqual([domain.name for domain in self.sdb.get_all_domains()], ["aaa", "bbb", "boto-domain", "ccc"])
        first = self.sdb.get_all_domains(max_domains=3)
        self.assertEqual([domain.name for domain in first], ["aaa", "bbb", "boto-domain"])
        rest = self.sdb.get_all_domains(max_domains=3, next_token=first.next_token)
        self.assertEqual([domain.name for domain in rest], ["ccc"])
        self.assertEqual(self.sdb.lookup("aaa").name, "aaa")
        self.assertIsNone(self.sdb.lookup("nosuch"))
        self.refused("InvalidParameterValue", 400, self.sdb.create_domain, "a b")
        self.refused("NoSuchDomain", 400, self.sdb.get_domain, "nosuch")

    def test_items(self):
        self.domain.put_attributes("i", {"a": ["1", "2"], "b": "3"})
        self.assertEqual(usual(self.domain.get_attributes("i", consistent_read=True)), {"a": ["1", "2"], "b": ["3"]})
        self.domain.put_attributes("i", {"a": "4"}, replace=False)
        self.assertEqual(usual(self.domain.get_attributes("i")), {"a": ["1", "2", "4"], "b": ["3"]})
        self.domain.put_attributes("i", {"a": "5"})
        self.assertEqual(usual(self.domain.get_attributes("i", attribute_name=["a"])), {"a": ["5"]})
        item = self.domain.get_item("i")
        item.add_value("a", "6")
        item["c"] = "7"
        item.save()
        self.assertEqual(usual(self.domain.get_item("i")), {"a": ["5", "6"], "b": ["3"], "c": ["7"]})
        self.domain.delete_attributes("i", {"a": ["5"]})
        self.domain.delete_attributes("i", ["b"])
        self.assertEqual(usual(self.domain.get_item("i")), {"a": ["6"], "c": ["7"]})
        self.domain.delete_attributes("i")
        self.assertIsNone(self.domain.get_item("i", consistent_read=True))

    def test_nasty_names_and_values(self):
        self.domain.put_attributes(NASTY, {NASTY: NASTY, "empty": ""})
        self.assertEqual(dict(self.domain.get_attributes(NASTY)), {NASTY: NASTY, "empty": ""})
        self.assertEqual(self.names("select * from DOM where empty = ''"), [NASTY])

    def test_conditions(self):
        self.domain.put_attributes("i", {"v": "1"}, expected_value=["v", False])
        put = self.domain.put_attributes
        self.refused("ConditionalCheckFailed", 409, put, "i", {"v": "2"}, expected_value=["v", False])
        self.refused("ConditionalCheckFailed", 409, put, "i", {"v": "2"}, expected_value=["v", "0"])
        self.refused("AttributeDoesNotExist", 404, put, "i", {"v": "2"}, expected_value=["w", "0"])
        self.refused("IncompleteExpectedExpression", 400, put, "i", {"v": "2"}, expected_value=["v", True])
        put("i", {"v": ["2", "3"]}, expected_value=["v", "1"])
        self.refused("MultiValuedAttribute", 409, put, "i", {"v": "4"}, expected_value=["v", "2"])
        delete = self.domain.delete_attributes
        self.refused("ConditionalCheckFailed", 409, delete, "i", expected_values=["v", False])

    def test_batches(self):
        self.domain.batch_put_attributes(BOOKS)
        for name, book in BOOKS.items():
            self.assertEqual(usual(self.domain.get_item(name)), usual(book))
        self.domain.batch_put_attributes({"0802131786": {"Year": "1961"}}, replace=False)
        self.assertEqual(usual(self.domain.get_item("0802131786"))["Year"], ["1934", "1961"])
        self.domain.batch_delete_attributes({"0802131786": {"Year": "1934"}, "1579124585": None})
        self.assertEqual(self.domain.get_item("0802131786")["Year"], "1961")
        self.assertIsNone(self.domain.get_item("1579124585"))
        many = {str(n): {"a": "1"} for n in range(26)}
        self.refused("NumberSubmittedItemsExceeded", 409, self.domain.batch_put_attributes, many)
        big = {"i": {"a": [str(n) for n in range(257)]}}
        self.refused("NumberSubmittedAttributesExceeded", 409, self.domain.batch_put_attributes, big)

    def test_select(self):
        self.domain.batch_put_attributes(BOOKS)
        for where, found in [
            ("where Title = 'The Right Stuff'", ["1579124585"]),
            ("where Keyword = 'Book' and Keyword = 'Hardcover'", []),
            ("where Keyword = 'Book' intersection Keyword = 'Hardcover'", ["1579124585"]),
            ("where every(Keyword) in ('Book', 'Paperback')", ["0385333498", "0802131786"]),
            ("where Year < '1980' order by Year desc", ["1579124585", "0385333498", "0802131786"]),
            ("where Pages is null and Rating like '%stars' limit 1", ["0385333498", "1579124585"]),
        ]:
            self.assertEqual(self.names(f"select * from DOM {where}"), found, where)
        (count,) = self.domain.select("select count(*) from `boto-domain`")
        self.assertEqual((count.name, count["Count"]), ("Domain", "3"))
        self.refused("InvalidQueryExpression", 400, self.names, "select from DOM")
        self.refused("InvalidSortExpression", 400, self.names, "select * from DOM order by Year")

    def test_select_follows_tokens(self):
        for start in range(0, 250, 25):
            items = {f"{n:03}": {"n": f"{n:03}"} for n in range(start, start + 25)}
            self.domain.batch_put_attributes(items)
        self.assertEqual(self.names("select * from DOM"), [f"{n:03}" for n in range(250)])
        self.assertEqual(self.names("select n from DOM where n >= '100' limit 7"), [f"{n:03}" for n in range(100, 250)])

    def test_metadata_and_usage(self):
        self.domain.batch_put_attributes({"i": {"a": ["1", "22"]}, "jj": {"a": "1", "bb": "333"}})
        metadata = self.domain.get_metadata()
        self.assertEqual((metadata.item_count, metadata.item_names_size), (2, 3))
        self.assertEqual((metadata.attr_name_count, metadata.attr_names_size), (2, 3))
        self.assertEqual((metadata.attr_value_count, metadata.attr_values_size), (4, 7))
        self.assertGreater(int(metadata.timestamp), 1_500_000_000)
        used = self.sdb.box_usage
        self.domain.get_item("i")
        self.assertGreater(self.sdb.box_usage, used)

    def test_wrong_keys(self):
        self.sdb.provider.secret_key = "wrong"
        self.sdb._auth_handler.update_provider(self.sdb.provider)
        error = self.refused("SignatureDoesNotMatch", 403, self.sdb.get_all_domains)
        self.assertNotIn("wrong", error.body if isinstance(error.body, str) else error.body.decode())
        self.sdb.provider.secret_key = os.environ["AWS_SECRET_ACCESS_KEY"]
        self.sdb._auth_handler.update_provider(self.sdb.provider)


class Boto3(unittest.TestCase):
    """boto3: form POST, answers checked against Amazon's model of the service."""

    def setUp(self):
        self.sdb = boto3.client(
            "sdb",
            endpoint_url=os.environ["SDB_URL"],
            region_name="us-east-1",
            config=botocore.config.Config(retries={"max_attempts": 0}),
        )
        self.dom = {"DomainName": "boto3.domain"}
        self.sdb.create_domain(**self.dom)
        self.addCleanup(lambda: self.sdb.delete_domain(**self.dom))

    def refused(self, code, status, call, **options):
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            call(**options)
        response = caught.exception.response
        found = (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"])
        self.assertEqual(found, (code, status))
        return caught.exception

    def put(self, item, pairs, **options):
        attributes = [{"Name": name, "Value": value} for name, value in pairs]
        self.sdb.put_attributes(ItemName=item, Attributes=attributes, **self.dom, **options)

    def get(self, item, **options):
        answer = self.sdb.get_attributes(ItemName=item, ConsistentRead=True, **self.dom, **options)
        return [(pair["Name"], pair["Value"]) for pair in answer.get("Attributes", [])]

    def test_domains(self):
        for name in ["aaa", "bbb"]:
            self.sdb.create_domain(DomainName=name)
            self.addCleanup(self.sdb.delete_domain, DomainName=name)
        pages = self.sdb.get_paginator("list_domains").paginate(PaginationConfig={"PageSize": 1})
        names = [name for page in pages for name in page.get("DomainNames", [])]
        self.assertEqual(names, ["aaa", "bbb", "boto3.domain"])
        answer = self.sdb.delete_domain(DomainName="nosuch")
        self.assertRegex(answer["ResponseMetadata"]["RequestId"], r"^[0-9a-f-]{36}$")
        self.refused("NoSuchDomain", 400, self.sdb.domain_metadata, DomainName="nosuch")
        self.assertRaises(self.sdb.exceptions.NoSuchDomain, self.sdb.domain_metadata, DomainName="nosuch")

    def test_items(self):
        self.put("i", [("a", "1"), ("a", "2"), ("b", NASTY)])
        self.assertEqual(self.get("i"), [("a", "1"), ("a", "2"), ("b", NASTY)])
        self.assertEqual(self.get("i", AttributeNames=["b"]), [("b", NASTY)])
        self.sdb.delete_attributes(ItemName="i", Attributes=[{"Name": "a", "Value": "1"}, {"Name": "b", "Value": NASTY}], **self.dom)
        self.assertEqual(self.get("i"), [("a", "2")])
        self.put("bell", [("a", "\x07")])
        self.assertEqual(self.get("bell"), [("a", "Bw==")])
        self.refused(
            "InvalidParameterValue", 400, self.sdb.put_attributes,
            ItemName="i", Attributes=[{"Name": "a", "Value": "x" * 1025}], **self.dom,
        )

    def test_conditions(self):
        self.put("i", [("v", "1")], Expected={"Name": "v", "Exists": False})
        put = {"ItemName": "i", "Attributes": [{"Name": "v", "Value": "2", "Replace": True}], **self.dom}
        call = self.sdb.put_attributes
        self.refused("ConditionalCheckFailed", 409, call, Expected={"Name": "v", "Exists": False}, **put)
        self.refused("ConditionalCheckFailed", 409, call, Expected={"Name": "v", "Value": "0"}, **put)
        self.refused("AttributeDoesNotExist", 404, call, Expected={"Name": "w", "Value": "0"}, **put)
        both = {"Name": "v", "Value": "1", "Exists": False}
        self.refused("ExistsAndExpectedValue", 400, call, Expected=both, **put)
        call(Expected={"Name": "v", "Value": "1", "Exists": True}, **put)
        self.assertEqual(self.get("i"), [("v", "2")])
        delete = {"ItemName": "i", **self.dom}
        self.refused("ConditionalCheckFailed", 409, self.sdb.delete_attributes, Expected={"Name": "v", "Value": "1"}, **delete)
        self.sdb.delete_attributes(Expected={"Name": "v", "Value": "2"}, **delete)
        self.assertEqual(self.get("i"), [])

    def test_batches_and_select(self):
        items = [
            {"Name": f"{n:03}", "Attributes": [{"Name": "n", "Value": f"{n:03}"}, {"Name": "odd", "Value": str(n % 2)}]}
            for n in range(25)
        ]
        self.sdb.batch_put_attributes(Items=items, **self.dom)
        self.refused("DuplicateItemName", 400, self.sdb.batch_put_attributes, Items=[items[0], items[0]], **self.dom)
        pages = self.sdb.get_paginator("select").paginate(
            SelectExpression="select n from `boto3.domain` where odd = '1' intersection n > '003' order by n desc limit 4",
            ConsistentRead=True,
        )
        found = [item["Name"] for page in pages for item in page.get("Items", [])]
        self.assertEqual(found, [f"{n:03}" for n in range(23, 3, -2)])
        (count,) = self.sdb.select(SelectExpression="select count(*) from `boto3.domain`")["Items"]
        self.assertEqual(count, {"Name": "Domain", "Attributes": [{"Name": "Count", "Value": "25"}]})
        self.sdb.batch_delete_attributes(Items=[{"Name": f"{n:03}"} for n in range(24)], **self.dom)
        (item,) = self.sdb.select(SelectExpression="select * from `boto3.domain`")["Items"]
        self.assertEqual(item["Name"], "024")
        metadata = self.sdb.domain_metadata(**self.dom)
        self.assertEqual((metadata["ItemCount"], metadata["AttributeValueCount"]), (1, 2))

    def test_errors_of_select(self):
        for expression, code in [
            ("select", "InvalidQueryExpression"),
            ("select * from nosuch", "NoSuchDomain"),
            ("select * from `boto3.domain` order by a", "InvalidSortExpression"),
            ("select * from `boto3.domain` where " + " or ".join(["a = ''"] * 21), "InvalidNumberPredicates"),
            ("select * from `boto3.domain` where a in (" + ", ".join(["''"] * 21) + ")", "InvalidNumberValueTests"),
        ]:
            self.refused(code, 400, self.sdb.select, SelectExpression=expression)
        self.refused("InvalidNextToken", 400, self.sdb.select, SelectExpression="select * from `boto3.domain`", NextToken="x")

    def test_wrong_keys(self):
        url = os.environ["SDB_URL"]
        for key, secret, code in [
            (os.environ["AWS_ACCESS_KEY_ID"], "wrong", "SignatureDoesNotMatch"),
            ("NOBODY", "wrong", "InvalidClientTokenId"),
        ]:
            sdb = boto3.client(
                "sdb", endpoint_url=url, region_name="us-east-1", aws_access_key_id=key, aws_secret_access_key=secret
            )
            self.refused(code, 403, sdb.list_domains)


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        print(f"Python {sys.version.split()[0]}, boto {boto.__version__}, boto3 {boto3.__version__}")
        sys.exit(0)
    unittest.main(warnings="ignore")
