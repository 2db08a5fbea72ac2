"""Runs the tests of the EC2 client that run on any server, `ec2-client/tests/elsewhere.rs`, on moto.

moto verifies no signature, and takes a request without a scope of Version 4 for S3's. So it stands behind a front of this
script's own, which verifies both versions with Keystone's signer, refuses what is not right as EC2 does, and puts a scope on
requests of Version 2. All of it listens on 127.0.0.1 and ends with this script.
"""

import hashlib
import http.client
import http.server
import os
import socket
import subprocess
import sys
import threading
import time
from urllib.parse import parse_qsl

import boto3
from keystoneclient.contrib.ec2.utils import Ec2Signer

ACCESS_KEY, SECRET_KEY, REGION = "AKIDMOTO", "moto/secret+key", "us-east-1"
NASTY = 'chat & <"é'
REFUSED = (
    '<?xml version="1.0"?><Response><Errors><Error><Code>SignatureDoesNotMatch</Code><Message>wrong</Message></Error>'
    "</Errors><RequestID>front</RequestID></Response>"
)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Front(http.server.BaseHTTPRequestHandler):
    """Verifies a request, and has moto answer it."""

    protocol_version = "HTTP/1.1"
    moto_port = 0
    verified = {"2": 0, "4": 0}
    refused = 0

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        params = dict(parse_qsl(body.decode(), keep_blank_values=True))
        credentials = {
            "access": ACCESS_KEY,
            "host": self.headers["Host"],
            "verb": "POST",
            "path": self.path,
            "params": dict(params),
        }
        headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
        authorization = self.headers.get("Authorization")
        if authorization is None:
            version, given = params.get("SignatureVersion"), credentials["params"].pop("Signature", None)
            day = time.strftime("%Y%m%d", time.gmtime())
            scope = f"{ACCESS_KEY}/{day}/{REGION}/ec2/aws4_request"
            headers["Authorization"] = (
                f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
            )
        else:
            version, given = "4", authorization.rsplit("Signature=", 1)[1]
            credentials["params"] = {}
            # It looks for names in this spelling.
            credentials["headers"] = {name.title(): value for name, value in self.headers.items()}
            credentials["body_hash"] = hashlib.sha256(body).hexdigest()
        if Ec2Signer(SECRET_KEY).generate(credentials) != given:
            Front.refused += 1
            return self.answer(403, "text/xml", REFUSED.encode())
        Front.verified[version] += 1
        moto = http.client.HTTPConnection("127.0.0.1", self.moto_port, timeout=60)
        headers["Host"] = f"ec2.{REGION}.amazonaws.com"
        moto.request("POST", "/", body=body, headers=headers)
        response = moto.getresponse()
        answer = response.read()
        moto.close()
        return self.answer(response.status, response.headers.get("Content-Type", "text/xml"), answer)

    def answer(self, status, kind, body):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def fill(port):
    """Three of a cluster, one of them stopped, and twelve others, each launched by itself."""
    ec2 = boto3.client(
        "ec2",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name=REGION,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
    )
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    group = ec2.create_security_group(GroupName="chat", Description="of the test")["GroupId"]

    def run(name, tags, **options):
        tags = [{"Key": key, "Value": value} for key, value in {"Name": name, **tags}.items()]
        started = ec2.run_instances(
            ImageId=image,
            InstanceType="t3.micro",
            MinCount=1,
            MaxCount=1,
            TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
            **options,
        )
        return started["Instances"][0]["InstanceId"]

    ids = [run(name, {"cluster": NASTY}, SecurityGroupIds=[group]) for name in ("n1", "n2", "n3")]
    ec2.stop_instances(InstanceIds=ids[2:])
    for i in range(12):
        run(f"other{i}", {"cluster": "chat & x"})
    ended = run("ended", {"cluster": NASTY}, SecurityGroupIds=[group])
    ec2.terminate_instances(InstanceIds=[ended])


def main():
    moto_port, failed = free_port(), 0
    moto = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(moto_port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(600):
            time.sleep(0.1)
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", moto_port)) == 0:
                    break
        fill(moto_port)
        Front.moto_port = moto_port
        front = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Front)
        threading.Thread(target=front.serve_forever, daemon=True).start()
        runs = [
            ("v4", moto_port, "moto itself, Version 4"),
            ("v4", front.server_address[1], "the front, Version 4"),
            ("v2", front.server_address[1], "the front, Version 2"),
        ]
        for signature, port, what in runs:
            print(f"== {what}", flush=True)
            environment = {
                **os.environ,
                "EC2_TEST_ENDPOINT": f"http://127.0.0.1:{port}",
                "EC2_TEST_ACCESS_KEY": ACCESS_KEY,
                "EC2_TEST_SECRET_KEY": SECRET_KEY,
                "EC2_TEST_SIGNATURE": signature,
            }
            test = ["cargo", "test", "--locked", "--package", "ec2-client", "--test", "elsewhere"]
            failed += subprocess.run(test, env=environment).returncode != 0
        print(f"verified by Keystone's signer: {Front.verified}, refused: {Front.refused}")
        failed += min(Front.verified.values()) == 0 or Front.refused == 0
    finally:
        moto.terminate()
        moto.wait()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
