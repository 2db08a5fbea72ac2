"""The requests of benches/src/clients/simpledb.rs by boto3, one after another; prints a sample as JSON."""

import argparse
import json
import os
import resource
import time

import boto3
from botocore.config import Config

options = argparse.ArgumentParser()
options.add_argument("--server", required=True)
options.add_argument("--action", required=True, choices=["put", "get", "select"])
options.add_argument("--expect", type=int, required=True)
options.add_argument("--warm-up", type=float, required=True)
options.add_argument("--time", type=float, required=True)
options.add_argument("--cores", type=int, required=True)
args, _ = options.parse_known_args()
os.sched_setaffinity(0, {args.cores})
access, secret = os.environ.get("BENCH_KEYS", "AKIDBENCH:the-secret-of-the-benchmark").split(":", 1)
sdb = boto3.client(
    "sdb",
    endpoint_url=f"http://{args.server}/{args.action}/",
    region_name="us-east-1",
    aws_access_key_id=access,
    aws_secret_access_key=secret,
    config=Config(retries={"max_attempts": 0}),
)
PUT = [
    {"Name": name, "Value": value, "Replace": True}
    for name, value in [
        ("name", "Ann Example"),
        ("mail", "ann@example.org"),
        ("version", "0017"),
        ("city", "Springfield & Sons"),
    ]
]


def put():
    sdb.put_attributes(DomainName="bench", ItemName="item-000017", Attributes=PUT)
    return len(PUT)


def get():
    return len(sdb.get_attributes(DomainName="bench", ItemName="item-000017")["Attributes"])


def select():
    text = "select * from `bench` where `version` > '0001' limit 100"
    return len(sdb.select(SelectExpression=text)["Items"])


once = {"put": put, "get": get, "select": select}[args.action]
end = time.monotonic() + args.warm_up / 1e3
while time.monotonic() < end:
    once()
times, errors, first_error = [], 0, None
start, cpu = time.monotonic(), time.process_time()
while time.monotonic() - start < args.time / 1e3:
    before = time.monotonic()
    found = once()
    if found == args.expect:
        times.append(time.monotonic() - before)
    else:
        errors, first_error = errors + 1, f"{found} things"
seconds, cpu = time.monotonic() - start, time.process_time() - cpu
times.sort()


def quantile(share):
    return times[min(int(share * len(times)), len(times) - 1)] * 1e3 if times else 0


n = len(times)
sample = {
    "requests": n,
    "errors": errors,
    "first_error": first_error,
    "seconds": seconds,
    "rate": n / seconds,
    "cpu_us": cpu * 1e6 / n if n else None,
    "p50_ms": quantile(0.5),
    "p98_ms": quantile(0.98),
    "p99_ms": quantile(0.99),
    "p999_ms": quantile(0.999),
    "over_50ms": sum(t > 0.05 for t in times) / n if n else None,
    "rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
}
print(json.dumps(sample))
