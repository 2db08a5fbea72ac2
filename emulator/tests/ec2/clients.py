"""Drives the emulator's EC2 with clients that others wrote: boto 2.49, boto3 and Apache Libcloud.

Takes the server from EC2_URL and the keys from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; with `--check` as its only
argument, it only says whether this Python has the clients. The table of instances is that of `clients.rs`.
"""

import importlib.util
import os
import pathlib
import sys
import unittest
from urllib.parse import urlsplit

# It makes boto work with newer Pythons.
path = pathlib.Path(__file__).parent.parent / "sdb" / "clients.py"
spec = importlib.util.spec_from_file_location("sdb_clients", path)
sdb_clients = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sdb_clients)

import boto3
import boto.ec2.connection
import boto.ec2.regioninfo
import boto.exception
import botocore.config
import botocore.exceptions
import libcloud.common.types
import libcloud.compute.providers
import libcloud.compute.types

NASTY = 'chat & <"é'
CHAT = ["i-00000000000000001", "i-00000000000000002", "i-00000000000000003"]


def keys():
    return os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]


class Boto(unittest.TestCase):
    """boto 2.49: flat lists, versions of old, Signature Version 2 and 4."""

    capability = ["ec2"]

    def setUp(self):
        self.ec2 = self.connection(*keys())

    def connection(self, access_key, secret_key):
        url = urlsplit(os.environ["EC2_URL"])
        capability = self.capability

        class Connection(boto.ec2.connection.EC2Connection):
            def _required_auth_capability(self):
                return capability

        ec2 = Connection(
            access_key,
            secret_key,
            is_secure=False,
            host=url.hostname,
            port=url.port,
            region=boto.ec2.regioninfo.EC2RegionInfo(name="us-east-1", endpoint=url.hostname),
        )
        ec2.num_retries = 0
        # It takes both from a host name of Amazon's.
        ec2.auth_region_name = "us-east-1"
        ec2.auth_service_name = "ec2"
        self.addCleanup(ec2.close)
        return ec2

    def ids(self, **options):
        return sorted(instance.id for instance in self.ec2.get_only_instances(**options))

    def refused(self, code, status, **options):
        with self.assertRaises(boto.exception.EC2ResponseError) as caught:
            self.ids(**options)
        self.assertEqual((caught.exception.error_code, caught.exception.status), (code, status))

    def test_filters(self):
        for filters, ids in [
            ({"tag:cluster": NASTY}, CHAT),
            ({"tag:cluster": "chat*"}, CHAT),
            ({"instance.group-name": "chat", "instance-state-name": "running"}, CHAT[:2]),
            ({"instance.group-name": "chat", "instance-state-name": ["stopped", "pending"]}, CHAT[2:]),
            ({"tag-key": "cluster", "availability-zone": "us-east-1b"}, CHAT[1:2]),
            ({"private-ip-address": "10.0.0.?"}, CHAT),
            ({"tag:cluster": "nobody"}, []),
        ]:
            self.assertEqual(self.ids(filters=filters), ids, filters)

    def test_instances(self):
        (one,) = self.ec2.get_only_instances(instance_ids=CHAT[:1])
        self.assertEqual((one.state, one.state_code), ("running", 16))
        self.assertEqual((one.private_ip_address, one.ip_address), ("10.0.0.1", "54.1.2.3"))
        self.assertEqual(one.private_dns_name, "ip-10-0-0-1.ec2.internal")
        self.assertEqual(one.tags, {"cluster": NASTY, "empty": ""})
        self.assertEqual([group.name for group in one.groups], ["chat"])
        self.assertEqual(one.placement, "us-east-1a")
        (stopped,) = self.ec2.get_only_instances(instance_ids=CHAT[2:])
        self.assertEqual((stopped.state, stopped.ip_address), ("stopped", None))

    def test_pages(self):
        seen, token = [], None
        while True:
            found = self.ec2.get_all_reservations(max_results=5, next_token=token)
            seen += [instance.id for reservation in found for instance in reservation.instances]
            token = found.next_token
            if not token:
                break
        self.assertEqual(len(seen), 13)
        self.assertEqual(len(set(seen)), 13)

    def test_refusals(self):
        self.refused("InvalidParameterValue", 400, filters={"what": "x"})
        self.refused("InvalidInstanceID.NotFound", 400, instance_ids=["i-nobody"])
        self.refused("InvalidParameterValue", 400, max_results=4)
        self.refused("InvalidParameterCombination", 400, max_results=5, instance_ids=CHAT)
        self.ec2 = self.connection(keys()[0], "wrong")
        self.refused("SignatureDoesNotMatch", 403)


class BotoV4(Boto):
    """The same by Version 4."""

    capability = ["hmac-v4"]


class Boto3(unittest.TestCase):
    """boto3: Version 4, a model of the answers."""

    def setUp(self):
        self.ec2 = self.client(*keys())

    def client(self, access_key, secret_key):
        return boto3.client(
            "ec2",
            endpoint_url=os.environ["EC2_URL"],
            region_name="us-east-1",
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            config=botocore.config.Config(retries={"total_max_attempts": 1}),
        )

    def refused(self, code, client=None, **options):
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            (client or self.ec2).describe_instances(**options)
        self.assertEqual(caught.exception.response["Error"]["Code"], code)

    def test_instances(self):
        filters = [{"Name": "tag:cluster", "Values": [NASTY]}]
        pages = self.ec2.get_paginator("describe_instances").paginate(Filters=filters)
        found = [i for page in pages for r in page["Reservations"] for i in r["Instances"]]
        self.assertEqual(sorted(i["InstanceId"] for i in found), CHAT)
        one = next(i for i in found if i["InstanceId"] == CHAT[0])
        self.assertEqual(one["State"], {"Code": 16, "Name": "running"})
        self.assertEqual(one["SecurityGroups"][0]["GroupName"], "chat")
        self.assertEqual(one["Ipv6Address"], "2600::1")
        addresses = one["NetworkInterfaces"][0]["Ipv6Addresses"]
        self.assertEqual([a["Ipv6Address"] for a in addresses], ["2600::1"])
        self.assertEqual(one["LaunchTime"].year, 2026)
        tags = {tag["Key"]: tag["Value"] for tag in one["Tags"]}
        self.assertEqual(tags, {"cluster": NASTY, "empty": ""})

    def test_pages(self):
        paginator = self.ec2.get_paginator("describe_instances")
        pages = paginator.paginate(PaginationConfig={"PageSize": 5})
        sizes = [sum(len(r["Instances"]) for r in page["Reservations"]) for page in pages]
        self.assertEqual(sizes, [5, 5, 3])

    def test_refusals(self):
        self.refused("InvalidParameterValue", Filters=[{"Name": "what", "Values": ["x"]}])
        self.refused("InvalidParameterValue", NextToken="x")
        self.refused("DryRunOperation", DryRun=True)
        self.refused("SignatureDoesNotMatch", client=self.client(keys()[0], "wrong"))
        self.refused("AuthFailure", client=self.client("NOBODY", "wrong"))
        first = self.ec2.describe_instances(MaxResults=5)
        other = [{"Name": "tag-key", "Values": ["cluster"]}]
        self.refused("InvalidParameterValue", MaxResults=5, NextToken=first["NextToken"], Filters=other)
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            self.ec2.describe_regions()
        self.assertEqual(caught.exception.response["Error"]["Code"], "InvalidAction")


class Libcloud(unittest.TestCase):
    """Apache Libcloud: Version 2 in the URL of a GET."""

    def setUp(self):
        self.ec2 = self.driver(*keys())

    def driver(self, access_key, secret_key):
        url = urlsplit(os.environ["EC2_URL"])
        provider = libcloud.compute.types.Provider.EC2
        driver = libcloud.compute.providers.get_driver(provider)
        return driver(access_key, secret_key, secure=False, host=url.hostname, port=url.port, region="us-east-1")

    def test_nodes(self):
        self.assertEqual(str(self.ec2.connection.signature_version), "2")
        nodes = self.ec2.list_nodes(ex_filters={"tag:cluster": NASTY})
        self.assertEqual(sorted(node.id for node in nodes), CHAT)
        one = next(node for node in nodes if node.id == CHAT[0])
        self.assertEqual((one.private_ips, one.public_ips), (["10.0.0.1"], ["54.1.2.3"]))
        self.assertEqual(one.extra["tags"]["cluster"], NASTY)

    def test_refusals(self):
        with self.assertRaises(libcloud.common.types.InvalidCredsError):
            self.driver(keys()[0], "wrong").list_nodes()


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        sys.exit(0)
    unittest.main()
