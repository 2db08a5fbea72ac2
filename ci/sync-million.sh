#!/usr/bin/env bash
# Peak memory of s3-sync with a million keys: a server that makes the pages of a listing up, a folder that is empty (all keys would
# come down), and two prefixes that are level.
#
#   ci/sync-million.sh [KEYS]      fails above 64 MiB
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
keys=${1:-1000000}
S3_SYNC=${S3_SYNC:-target/release/s3-sync}
[[ -x $S3_SYNC ]] || cargo build --quiet --release --package s3-sync

python3 - "$S3_SYNC" "$keys" <<'PYTHON'
import http.server, os, subprocess, sys, tempfile, threading, urllib.parse

program, keys = sys.argv[1], int(sys.argv[2])
PAGE = 1000
requests = 0

class Server(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        global requests
        requests += 1
        url = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(url.query)
        if "list-type" not in query:
            return self.answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        prefix = query.get("prefix", [""])[0]
        first = int(query.get("continuation-token", ["0"])[0])
        last = min(first + PAGE, keys)
        out = [b"<ListBucketResult>"]
        for n in range(first, last):
            out.append(b"<Contents><Key>%s%04d/%08d.bin</Key><Size>4096</Size><ETag>&quot;%032x&quot;</ETag><LastModified>2026-01-01T00:00:00.000Z"
                       b"</LastModified><StorageClass>STANDARD</StorageClass></Contents>" % (prefix.encode(), n // 1000, n, n))
        more = b"true" if last < keys else b"false"
        out.append(b"<IsTruncated>%s</IsTruncated>" % more)
        if last < keys:
            out.append(b"<NextContinuationToken>%d</NextContinuationToken>" % last)
        out.append(b"</ListBucketResult>")
        self.answer(200, b"".join(out))

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
failed = False
with tempfile.TemporaryDirectory() as folder:
    environment = {"HOME": folder, "PATH": os.environ["PATH"], "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{server.server_port}",
                   "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1"}
    empty = os.path.join(folder, "empty")
    os.mkdir(empty)
    for what, source, target in [("all would come down", "s3://bucket/a", empty), ("two level prefixes", "s3://bucket/a", "s3://bucket/b")]:
        requests = 0
        child = subprocess.Popen([program, "sync", "--dry-run", source, target], stdout=subprocess.PIPE, env=environment)
        lines = sum(1 for _ in child.stdout)
        _, status, used = os.wait4(child.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        memory = used.ru_maxrss / 1024
        print(f"{keys} keys, {what}: {memory:.1f} MiB, {used.ru_utime + used.ru_stime:.2f} CPU s, {requests} requests, "
              f"{lines} lines, exit code {code}")
        failed |= code != 0 or memory > 64
sys.exit(failed)
PYTHON
