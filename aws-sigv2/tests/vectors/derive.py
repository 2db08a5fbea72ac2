#!/usr/bin/env python3.11
"""Writes the signature vectors next to this file, one directory each.

Needs Python 3.11 (the last that imports boto), boto 2.49.0 and botocore 1.43.11 (`pip install boto==2.49.0
botocore==1.43.11`). The tests read only the files; nothing runs this script for them. Running it again
gives the same bytes.

There are two kinds. Published vectors state what Amazon printed, and the script only checks which of them
plain HMAC confirms. Derived vectors state what boto's and botocore's own signers make of an input; where both
can take it, both run and must agree.

What neither library can be given as it is on the wire goes to them in the form that they sign, and the
`source` file says so: folded headers are handed over unfolded, `?acl=` as `?acl`, and `+` in a value as
`%20`. The servers that were compared (Ceph RGW, Swift, MinIO, s3s, Riak CS) read them that way.

Files of a vector, by prefix of its name:

  all        source, credentials (access key, secret, token: a line each)
  s3-        request, bucket (virtual-host style), string-to-sign, authorization; sub-resources (a known
             list, by name), published (a signature that Amazon printed and that does not follow its rules)
  link-      request, bucket, expires, string-to-sign, signature
  query-     request, params.json, time, algorithm, string-to-sign, signed
  policy-    document, fields.json (builder calls), policy, signature

A request is a start line and headers, separated by CRLF, values with all their blanks.
"""

import base64
import hashlib
import hmac
import json
import pathlib
import shutil
from urllib.parse import quote, unquote, urlsplit

import boto
import boto.auth
import boto.provider
import boto.utils
import botocore
import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

HERE = pathlib.Path(__file__).parent
VERSIONS = f"boto {boto.__version__} and botocore {botocore.__version__}"
KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
FIRST_KEY, FIRST_SECRET = "0PN5J17HBGZHT7JJ3X82", "uV3F3YluFJax1cknvbcGwgjvx4QpvB+leU8dUj2o"
OLD_PAGE = "Amazon S3 Developer Guide (API 2006-03-01), Signing and Authenticating REST Requests"
FIRST_PAGE = OLD_PAGE + ", first edition, with the key pair 0PN5J17HBGZHT7JJ3X82"
NEW_PAGE = OLD_PAGE + ", edition with awsexamplebucket1"
DATE = "Tue, 27 Mar 2007 19:36:42 +0000"
written = set()


def write(name, **files):
    assert name not in written, name
    written.add(name)
    directory = HERE / name
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    for file, text in files.items():
        if text is not None:
            (directory / file.replace("_json", ".json").replace("_", "-")).write_bytes(text.encode())


def sign(secret, text, digest=hashlib.sha1):
    data = text if isinstance(text, bytes) else text.encode()
    return base64.b64encode(hmac.new(secret.encode(), data, digest).digest()).decode()


def credentials(token=None, key=KEY, secret=SECRET):
    return "\n".join([key, secret] + ([token] if token else [])) + "\n"


def raw(method, target, headers):
    return "\r\n".join([f"{method} {target}"] + [f"{name}:{value}" for name, value in headers]) + "\r\n"


def auth_path(bucket, target):
    return f"/{bucket}{target}" if bucket else target


# --- S3, headers ---------------------------------------------------------------------------------------------


def published(name, page, method, target, headers, string, printed, bucket=None, wrong=None, key=KEY, secret=SECRET):
    conforming = sign(secret, string)
    if wrong is None:
        assert conforming == printed, (name, conforming)
        note = f"Published: {page}.\n"
    else:
        assert conforming != printed, name
        assert sign(secret, wrong) == printed, name
        note = (f"Published: {page}.\nErratum: the printed signature ({printed}) is of this text, which breaks the page's\n"
                f"own rules; authorization holds the one that follows them.\n\n{wrong}\n")
    write(name, source=note, credentials=credentials(None, key, secret), request=raw(method, target, headers),
          bucket=bucket, string_to_sign=string, authorization=f"AWS {key}:{conforming}",
          published=None if wrong is None else printed)


def with_boto(method, path, headers, token):
    """The string to sign and the Authorization value of boto's S3 handler."""
    provider = boto.provider.Provider("aws", KEY, SECRET, token)
    handler = boto.auth.HmacAuthV1Handler("s3.amazonaws.com", None, provider)

    class Request:
        pass

    request = Request()
    request.method, request.auth_path, request.headers = method, path, dict(headers)
    handler.add_auth(request)
    string = boto.utils.canonical_string(method, path, request.headers, None, provider)
    return string, request.headers["Authorization"]


class Fixed(botocore.auth.HmacV1Auth):
    def __init__(self, credentials, date):
        super().__init__(credentials)
        self.date, self.seen = date, None

    def _get_date(self):
        return self.date

    def sign_string(self, string_to_sign):
        self.seen = string_to_sign
        return super().sign_string(string_to_sign)


def with_botocore(method, path, query, headers, token):
    date = dict((name.lower(), value) for name, value in headers).get("date", "")
    signer = Fixed(Credentials(KEY, SECRET, token), date)
    request = AWSRequest(method=method, url="http://s3.test" + path + ("?" + query if query else ""), auth_path=path)
    for name, value in headers:
        request.headers[name] = value
    signer.add_auth(request)
    return signer.seen, request.headers["Authorization"]


def s3(name, method, target, headers, bucket=None, token=None, signers="both", wire=None, list_name=None, why=""):
    """headers and target are what the signers see; wire, a (target, headers) pair, is what is sent."""
    sent_target, sent_headers = wire or (target, [(n, " " + v) for n, v in headers])
    path, _, query = target.partition("?")
    results = []
    if signers in ("both", "boto"):
        assert len({n.lower() for n, _ in headers}) == len(headers), "boto holds one value a header"
        results.append(with_boto(method, auth_path(bucket, target), headers, token))
    if signers in ("both", "botocore"):
        results.append(with_botocore(method, auth_path(bucket, path), query, headers, token))
    assert all(result == results[0] for result in results), (name, results)
    string, authorization = results[0]
    by = VERSIONS if signers == "both" else f"{signers} {getattr(globals()[signers], '__version__')}"
    write(name, source=f"Derived: {by}.\n{why}", credentials=credentials(token),
          request=raw(method, sent_target, sent_headers), bucket=bucket, string_to_sign=string,
          authorization=authorization, sub_resources=list_name)


def s3_vectors():
    date = [("Date", " " + DATE)]
    puppy = "/johnsmith/photos/puppy.jpg"
    published("s3-published-object-get", OLD_PAGE, "GET", "/photos/puppy.jpg",
              [("Host", " johnsmith.s3.amazonaws.com")] + date,
              f"GET\n\n\n{DATE}\n{puppy}", "bWq2s1WEIj+Ydj0vQ697zp+IXMU=", "johnsmith")
    published("s3-published-object-put", OLD_PAGE, "PUT", "/photos/puppy.jpg",
              [("Content-Type", " image/jpeg"), ("Content-Length", " 94328"), ("Host", " johnsmith.s3.amazonaws.com"),
               ("Date", " Tue, 27 Mar 2007 21:15:45 +0000")],
              f"PUT\n\nimage/jpeg\nTue, 27 Mar 2007 21:15:45 +0000\n{puppy}", "MyyxeRY7whkBe+bq8fHCL/2kKUg=",
              "johnsmith")
    published("s3-published-list", OLD_PAGE, "GET", "/?prefix=photos&max-keys=50&marker=puppy",
              [("User-Agent", " Mozilla/5.0"), ("Host", " johnsmith.s3.amazonaws.com"),
               ("Date", " Tue, 27 Mar 2007 19:42:41 +0000")],
              "GET\n\n\nTue, 27 Mar 2007 19:42:41 +0000\n/johnsmith/", "htDYFYduRNen8P9ZfE/s9SuKy0U=", "johnsmith")
    published("s3-published-fetch", OLD_PAGE, "GET", "/?acl",
              [("Host", " johnsmith.s3.amazonaws.com"), ("Date", " Tue, 27 Mar 2007 19:44:46 +0000")],
              "GET\n\n\nTue, 27 Mar 2007 19:44:46 +0000\n/johnsmith/?acl", "c2WLPFtWHVgbEmeEG93a4cG37dM=", "johnsmith")
    delete = [("User-Agent", " dotnet"), ("Host", " s3.amazonaws.com"), ("Date", " Tue, 27 Mar 2007 21:20:27 +0000"),
              ("x-amz-date", " Tue, 27 Mar 2007 21:20:26 +0000")]
    published("s3-published-delete", OLD_PAGE, "DELETE", puppy, delete,
              f"DELETE\n\n\n\nx-amz-date:Tue, 27 Mar 2007 21:20:26 +0000\n{puppy}", "lx3byBScXR6KzyMaifNkardMwNk=",
              wrong=f"DELETE\n\n\nTue, 27 Mar 2007 21:20:26 +0000\n{puppy}")
    published("s3-published-upload", OLD_PAGE, "PUT", "/db-backup.dat.gz",
              [("User-Agent", " curl/7.15.5"), ("Host", " static.johnsmith.net:8080"),
               ("Date", " Tue, 27 Mar 2007 21:06:08 +0000"), ("x-amz-acl", " public-read"),
               ("content-type", " application/x-download"), ("Content-MD5", " 4gJE4saaMU4BqNR0kLY+lw=="),
               ("X-Amz-Meta-ReviewedBy", " joe@johnsmith.net"), ("X-Amz-Meta-ReviewedBy", " jane@johnsmith.net"),
               ("X-Amz-Meta-FileChecksum", " 0x02661779"), ("X-Amz-Meta-ChecksumAlgorithm", " crc32"),
               ("Content-Disposition", " attachment; filename=database.dat"), ("Content-Encoding", " gzip"),
               ("Content-Length", " 5913339")],
              "PUT\n4gJE4saaMU4BqNR0kLY+lw==\napplication/x-download\nTue, 27 Mar 2007 21:06:08 +0000\n"
              "x-amz-acl:public-read\nx-amz-meta-checksumalgorithm:crc32\nx-amz-meta-filechecksum:0x02661779\n"
              "x-amz-meta-reviewedby:joe@johnsmith.net,jane@johnsmith.net\n/static.johnsmith.net/db-backup.dat.gz",
              "ilyl83RwaSoYIEdixDQcA4OnAnc=", "static.johnsmith.net")
    published("s3-published-list-all-my-buckets", OLD_PAGE, "GET", "/",
              [("Host", " s3.amazonaws.com"), ("Date", " Wed, 28 Mar 2007 01:29:59 +0000")],
              "GET\n\n\nWed, 28 Mar 2007 01:29:59 +0000\n/", "qGdzdERIC03wnaRNKh6OqZehG9s=")
    published("s3-published-unicode-keys", OLD_PAGE, "GET", "/dictionary/fran%C3%A7ais/pr%c3%a9f%c3%a8re",
              [("Host", " s3.amazonaws.com"), ("Date", " Wed, 28 Mar 2007 01:49:49 +0000")],
              "GET\n\n\nWed, 28 Mar 2007 01:49:49 +0000\n/dictionary/fran%C3%A7ais/pr%c3%a9f%c3%a8re",
              "DNEZGsoieTZ92F3bUfSPQcbGmlM=")
    for name, printed in [
        ("object-get", "xXjDGYUmKxnwqr5KXNPGldn5LbA="), ("object-put", "hcicpDDvL9SsO6AkvxqmIWkmOuQ="),
        ("list", "jsRt/rhG+Vtp88HrYL706QhE4w4="), ("fetch", "thdUi9VAkzhkniLj96JIrOPGi0g="),
        ("delete", "k3nL7gH3+PadhTEVn5Ip83xlYzk="), ("upload", "C0FlOtU8Ylb9KDTpZqYkZPX91iI="),
        ("list-all-my-buckets", "Db+gepJSUbZKwpx1FR0DLtEYoZA="), ("unicode-keys", "dxhSBHoI6eVSPcXJqEghlUzZMnY="),
    ]:
        again = HERE / f"s3-published-{name}"
        start, *lines = (again / "request").read_text().split("\n")[:-1]
        published(f"s3-published-first-{name}", FIRST_PAGE, *start.split(" "), [line.split(":", 1) for line in lines],
                  (again / "string-to-sign").read_text(), printed,
                  (again / "bucket").read_text() if (again / "bucket").exists() else None,
                  key=FIRST_KEY, secret=FIRST_SECRET)
    bucket = "awsexamplebucket1"
    for name, method, target, headers, string, printed in [
        ("object-get", "GET", "/photos/puppy.jpg", date, f"GET\n\n\n{DATE}\n/{bucket}/photos/puppy.jpg",
         "qgk2+6Sv9/oM7G3qLEjTH1a1l1g="),
        ("object-put", "PUT", "/photos/puppy.jpg",
         [("Content-Type", " image/jpeg"), ("Date", " Tue, 27 Mar 2007 21:15:45 +0000")],
         f"PUT\n\nimage/jpeg\nTue, 27 Mar 2007 21:15:45 +0000\n/{bucket}/photos/puppy.jpg",
         "iqRzw+ileNPu1fhspnRs8nOjjIA="),
        ("list", "GET", "/?prefix=photos&max-keys=50&marker=puppy", [("Date", " Tue, 27 Mar 2007 19:42:41 +0000")],
         f"GET\n\n\nTue, 27 Mar 2007 19:42:41 +0000\n/{bucket}/", "m0WP8eCtspQl5Ahe6L1SozdX9YA="),
        ("fetch", "GET", "/?acl", [("Date", " Tue, 27 Mar 2007 19:44:46 +0000")],
         f"GET\n\n\nTue, 27 Mar 2007 19:44:46 +0000\n/{bucket}/?acl", "82ZHiFIjc+WbcwFKGUVEQspPn+0="),
    ]:
        published(f"s3-published-new-{name}", NEW_PAGE, method, target, headers, string, printed, bucket)
    published("s3-published-new-delete", NEW_PAGE, "DELETE", f"/{bucket}/photos/puppy.jpg", delete,
              f"DELETE\n\n\n\nx-amz-date:Tue, 27 Mar 2007 21:20:26 +0000\n/{bucket}/photos/puppy.jpg",
              "XbyTlbQdu9Xw5o8P4iMwPktxQd8=",
              wrong=f"DELETE\n\n\nTue, 27 Mar 2007 21:20:26 +0000\n/{bucket}/photos/puppy.jpg")

    date = [("Date", DATE)]
    s3("s3-service", "GET", "/", date)
    s3("s3-bucket-path-style", "GET", "/quotes/", date)
    s3("s3-bucket-virtual-host", "HEAD", "/", date, "quotes")
    s3("s3-virtual-host-dotted", "GET", "/a", date, "static.example.com")
    s3("s3-virtual-host-uppercase", "GET", "/a", date, "MixedCase", why="The bucket is signed as given.\n")
    s3("s3-head", "HEAD", "/b/k", date)
    s3("s3-post-delete", "POST", "/b/?delete", date + [("Content-MD5", "1B2M2Y8AsgTpgAmY7PhCfg=="),
                                                       ("Content-Type", "application/xml")])
    s3("s3-options", "OPTIONS", "/b/k", date)
    for name, key in [
        ("space", "a b"), ("plus", "a+b"), ("percent", "100%"), ("tilde", "~home/~"), ("braces", "{a}[b]|c"),
        ("unicode", "日本/ключ/é"), ("astral", "𝄞🦀"), ("double-slash", "a//b"), ("leading-slash", "/a"),
        ("trailing-slash", "folder/"), ("question", "what?acl"), ("hash", "a#b"), ("ampersand", "a&b=c;d"),
        ("quotes", "\"'`<>\\^"), ("at-colon", "user@host:80,$!*()"), ("dots", "a/./../b"), ("control", "a\tb\x01\x7f"),
    ]:
        s3(f"s3-key-{name}", "GET", "/b/" + quote(key, safe="/~"), date,
           why=f"The key is {json.dumps(key)}; the path is signed as sent.\n")
    s3("s3-key-lightly-escaped", "GET", "/b/a+b~c!$'(),;:@%2f", date, why="Escapes of the sender's own taste stay.\n")

    s3("s3-amz-sorted", "PUT", "/b/k", date + [("x-amz-meta-b", "2"), ("X-AMZ-Meta-A", "1"), ("x-amz-acl", "private"),
                                               ("X-Amz-Storage-Class", "STANDARD")])
    s3("s3-amz-sorted-by-byte", "PUT", "/b/k", date + [("x-amz-meta-a_b", "1"), ("x-amz-meta-a-b", "2"),
                                                       ("x-amz-meta-ab", "3"), ("x-amz-meta-a.b", "4"),
                                                       ("x-amz-meta-a", "5"), ("x-amz-meta-a0", "6")])
    s3("s3-amz-many", "PUT", "/b/k", date + [(f"x-amz-meta-{(i * 7) % 40:02}", str(i)) for i in range(40)])
    s3("s3-amz-repeated", "PUT", "/b/k", date + [("x-amz-meta-r", "z"), ("X-Amz-Meta-R", "a"), ("x-amz-meta-r", "m")],
       signers="botocore")
    s3("s3-amz-empty-value", "PUT", "/b/k", date + [("x-amz-meta-empty", ""), ("x-amz-meta-full", "x")])
    s3("s3-amz-colon-and-comma", "PUT", "/b/k", date + [("x-amz-copy-source", "/src/a%20b:c,d?versionId=3")])
    s3("s3-amz-inner-blanks", "PUT", "/b/k", date + [("x-amz-meta-t", "a   b\t c")])
    s3("s3-amz-outer-blanks", "PUT", "/b/k", date + [("x-amz-meta-t", "a b")],
       wire=("/b/k", [("Date", "\t " + DATE + "  "), ("x-amz-meta-t", "  \t a b \t ")]))
    unfolded = f"Derived: {VERSIONS}, given the folded values unfolded.\n"
    for name, value in [("crlf", "first\r\n second"), ("tab", "first\r\n\tsecond"), ("deep", "first  \r\n \t  second"),
                        ("twice", "first\r\n \r\n second"), ("end", "first second\r\n ")]:
        s3(f"s3-amz-folded-{name}", "PUT", "/b/k", date + [("x-amz-meta-f", "first second")],
           wire=("/b/k", [("Date", " " + DATE), ("x-amz-meta-f", " " + value)]))
        (HERE / f"s3-amz-folded-{name}" / "source").write_text(unfolded)
    s3("s3-amz-utf8-value", "PUT", "/b/k", date + [("x-amz-meta-name", "Zoë")])
    s3("s3-not-quite-amz", "PUT", "/b/k", date + [("x-amzn-trace", "1"), ("x-ama-z", "2"), ("amz-x", "3")])
    s3("s3-amz-date", "GET", "/b/k", [("x-amz-date", DATE), ("Date", "Mon, 26 Mar 2007 00:00:00 +0000")], signers="boto")
    s3("s3-amz-date-alone", "GET", "/b/k", [("X-Amz-Date", DATE), ("Date", "")], signers="boto",
       wire=("/b/k", [("X-Amz-Date", " " + DATE)]))
    s3("s3-content-headers-any-case", "PUT", "/b/k", [("DATE", DATE), ("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg=="),
                                                      ("CONTENT-TYPE", "text/plain; charset=utf-8")], signers="botocore")
    s3("s3-token", "GET", "/b/k", date, token="AQoDYXdzEPT//////////wEXAMPLE+tc764bNrC9SAPBSM22wDOk4x4HIZ8j==")
    s3("s3-token-among-amz", "PUT", "/b/k", date + [("x-amz-storage-class", "STANDARD"), ("x-amz-acl", "private")],
       token="tok/en+==")
    s3("s3-token-held", "GET", "/b/k", date + [("X-Amz-Security-Token", "tok")],
       signers="botocore", token="tok")

    for name, query in [
        ("acl", "acl"), ("upload-part", "partNumber=7&uploadId=VXBsb2FkIElE"), ("uploads", "uploads"),
        ("unsorted", "versionId=3&uploadId=x&acl&partNumber=2"), ("list-only", "prefix=a&max-keys=2&delimiter=%2F"),
        ("mixed", "prefix=a&acl&delimiter=/"), ("override", "response-content-type=text%2Fplain"),
        ("overrides", "response-expires=Thu%2C%2001%20Dec%202033%2016%3A00%3A00%20GMT&response-cache-control=no-cache"
                      "&response-content-disposition=attachment%3B%20filename%3D%22a%2Bb.txt%22"
                      "&response-content-encoding=gzip&response-content-language=mi%2C%20en"),
        ("utf8", "response-content-disposition=attachment%3B%20filename%2A%3DUTF-8%27%27%C3%A9%E2%82%AC"),
        ("lower-hex", "versionId=a%2fb%3d"), ("stray-percent", "versionId=100%&acl"), ("equals-inside", "versionId=a=b"),
        ("case", "ACL&Policy&uploadid=1"), ("similar", "acls&xacl&policyStatus"), ("tagging", "tagging&versionId=null"),
        ("cors", "cors"), ("lifecycle", "lifecycle"), ("website", "website"), ("restore", "restore&versionId=1"),
        ("policy", "policy"), ("request-payment", "requestPayment"), ("torrent", "torrent"), ("logging", "logging"),
        ("location", "location"), ("versions", "versions&prefix=x"), ("versioning", "versioning"),
    ]:
        s3(f"s3-sub-{name}", "GET", "/b/k?" + query, date)
    for name, query in [("notification", "notification"), ("replication", "replication"), ("accelerate", "accelerate"),
                        ("inventory", "inventory&id=1"), ("object-lock", "object-lock"), ("select", "select&select-type=2")]:
        s3(f"s3-sub-{name}", "GET", "/b/?" + query, date, signers="botocore")
    s3("s3-sub-boto-list", "GET", "/b/?websiteConfig&notification&billing", date, signers="boto", list_name="boto")
    s3("s3-sub-empty-value", "GET", "/b/k?acl", date, wire=("/b/k?acl=&prefix=", [("Date", " " + DATE)]),
       why="The signers were given ?acl: servers sign no = without a value.\n")
    s3("s3-sub-plus", "GET", "/b/k?response-content-type=a%20b", date,
       wire=("/b/k?response-content-type=a+b", [("Date", " " + DATE)]),
       why="The signers were given %20: servers read a + in a query as a space.\n")
    s3("s3-sub-empty-pieces", "GET", "/b/k?acl&versionId=1", date, wire=("/b/k?&acl&&versionId=1&", [("Date", " " + DATE)]),
       why="The signers were given no empty pieces.\n")
    s3("s3-sub-escaped-name", "GET", "/b/k?acl", date, wire=("/b/k?%61cl", [("Date", " " + DATE)]),
       why="The signers were given the name unescaped, as servers read it.\n")
    s3("s3-sub-virtual-host", "PUT", "/?policy", date + [("Content-Type", "application/json")], "quotes")


# --- S3, links -----------------------------------------------------------------------------------------------


class Link(botocore.auth.HmacV1QueryAuth):
    def __init__(self, credentials, expires):
        super().__init__(credentials)
        self.at, self.seen = str(expires), None

    def _get_date(self):
        return self.at

    def sign_string(self, string_to_sign):
        self.seen = string_to_sign
        return super().sign_string(string_to_sign)


def link(name, method, target, headers=(), bucket=None, token=None, expires=1175139620, in_query=False, why=""):
    path, _, query = target.partition("?")
    signer = Link(Credentials(KEY, SECRET, token), expires)
    request = AWSRequest(method=method, url="http://s3.test" + target, auth_path=auth_path(bucket, path))
    for header, value in headers:
        request.headers[header] = value
    signer.add_auth(request)
    signature = signer._string = sign(SECRET, signer.seen)
    assert "Signature=" + quote(signature, safe="") in urlsplit(request.url).query
    # boto signs the same text, from headers.
    flat = dict(headers)
    provider = boto.provider.Provider("aws", KEY, SECRET, token)
    if token:
        flat["x-amz-security-token"] = token
    other = boto.utils.canonical_string(method, auth_path(bucket, target), flat, expires, provider)
    assert other == signer.seen, (name, other, signer.seen)
    sent_headers = [(n, " " + v) for n, v in headers]
    if in_query:
        embedded = "&".join(f"{n}={quote(v, safe='')}" for n, v in headers)
        target, sent_headers = f"{path}?{query + '&' if query else ''}{embedded}", []
    write(name, source=f"Derived: {VERSIONS}.\n{why}", credentials=credentials(token),
          request=raw(method, target, sent_headers), bucket=bucket, expires=str(expires),
          string_to_sign=signer.seen, signature=signature)


def link_vectors():
    string = "GET\n\n\n1175139620\n/johnsmith/photos/puppy.jpg"
    assert sign(SECRET, string) == "NpgCjnDzrM+WFzoENXmpNDUsSn8="
    write("link-published-get", source=f"Published: {OLD_PAGE}, Query String Request Authentication Alternative.\n",
          credentials=credentials(), request=raw("GET", "/photos/puppy.jpg", [("Host", " johnsmith.s3.amazonaws.com")]),
          bucket="johnsmith", expires="1175139620", string_to_sign=string, signature="NpgCjnDzrM+WFzoENXmpNDUsSn8=")
    for method in ("GET", "PUT", "HEAD", "DELETE"):
        link(f"link-{method.lower()}", method, "/b/a%20b~c")
    link("link-virtual-host", "GET", "/k", bucket="quotes")
    link("link-overrides", "GET", "/b/k?response-content-type=text%2Fplain&response-content-disposition=attachment"
                                  "%3B%20filename%3D%22a%20b.txt%22")
    link("link-sub-resource", "PUT", "/b/k?uploadId=abc&partNumber=1")
    link("link-unsigned-parameter", "GET", "/b/?prefix=a%2Fb&list-type=2")
    link("link-content-headers", "PUT", "/b/k", [("Content-Type", "image/png"), ("Content-MD5", "1B2M2Y8AsgTpgAmY7PhCfg==")])
    link("link-amz-headers", "PUT", "/b/k", [("x-amz-meta-b", "two words"), ("x-amz-acl", "public-read")])
    link("link-amz-in-query", "PUT", "/b/k?acl", [("x-amz-meta-b", "two words & é"), ("x-amz-acl", "public-read")],
         in_query=True, why="The headers are parameters of the link, as botocore sends them.\n")
    link("link-token", "GET", "/b/k", token="tok/en+==")
    link("link-token-and-amz", "PUT", "/b/k", [("x-amz-storage-class", "STANDARD"), ("x-amz-acl", "private")],
         token="tok/en+==")
    link("link-far", "GET", "/b/k", expires=2**40)


# --- Query API -----------------------------------------------------------------------------------------------


def query(name, method, host, path, params, time=("Timestamp", "2009-04-15T12:34:56Z"), algorithm="HmacSHA256",
          token=None, source=None, stale=(), sent_signature=None):
    provider = boto.provider.Provider("aws", KEY, SECRET, token)
    handler = boto.auth.QuerySignatureV2AuthHandler(host, None, provider)
    if algorithm == "HmacSHA1":
        handler._hmac_256 = None
    full = dict(params)
    assert len(full) == len(params)
    full.update({"AWSAccessKeyId": KEY, "SignatureVersion": "2", time[0]: time[1]})
    text, signature = handler._calc_signature(full, method, path, host)
    signature = signature.decode()
    if algorithm == "HmacSHA256":
        other = dict(full, SignatureMethod=algorithm)
        if token:
            other["SecurityToken"] = token
        request = AWSRequest(method=method, url=f"https://{host.lower()}{path}")
        assert botocore.auth.SigV2Auth(Credentials(KEY, SECRET, token)).calc_signature(request, other) == (text, signature)
    string = f"{method}\n{host.lower()}\n{path}\n{text}"
    assert sign(SECRET, string, hashlib.sha1 if algorithm == "HmacSHA1" else hashlib.sha256) == signature
    assert sent_signature in (None, signature), (name, signature)
    by = VERSIONS if algorithm == "HmacSHA256" else f"boto {boto.__version__}"
    write(name, source=source or f"Derived: {by}.\n", credentials=credentials(token),
          request=raw(method, path, [("Host", " " + host)]),
          params_json=json.dumps(list(stale) + [list(p) for p in params], ensure_ascii=False, indent=1) + "\n",
          time=f"{time[0]} {time[1]}\n", algorithm=algorithm + "\n", string_to_sign=string,
          signed=f"{text}&Signature={quote(signature, safe='')}")


def query_vectors():
    query("query-published-emr", "GET", "elasticmapreduce.amazonaws.com", "/",
          [("Action", "DescribeJobFlows"), ("Version", "2009-03-31")], ("Timestamp", "2011-10-03T15:19:30"),
          source="Published: AWS General Reference, Signature Version 2 Signing Process, with its signature.\n",
          sent_signature="i91nKc4PWAt0JJIdXwz9HxZCJDdiy6cf/Mj6vPxyYIs=")
    query("query-published-simpledb", "GET", "sdb.amazonaws.com", "/",
          [("Action", "PutAttributes"), ("DomainName", "MyDomain"), ("ItemName", "Item123"),
           ("Attribute.1.Name", "Color"), ("Attribute.1.Value", "Blue"), ("Attribute.2.Name", "Size"),
           ("Attribute.2.Value", "Med"), ("Attribute.3.Name", "Price"), ("Attribute.3.Value", "0014.99"),
           ("Version", "2009-04-15")], ("Timestamp", "2010-01-25T15:01:28-07:00"),
          source="Published: Amazon SimpleDB Developer Guide (API 2009-04-15), HMAC-SHA Signature: the request and the\n"
                 f"string to sign, which print no key and no signature; those are derived with {VERSIONS}.\n")
    query("query-published-ec2", "GET", "ec2.amazonaws.com", "/",
          [("Action", "RunInstances"), ("ImageId", "ami-60a54009"), ("MaxCount", "3"), ("MinCount", "1"),
           ("Placement.AvailabilityZone", "us-east-1b"), ("Monitoring.Enabled", "true"), ("Version", "2012-03-01")],
          ("Expires", "2010-10-10T12:00:00Z"),
          source="Published: Amazon EC2 User Guide (API 2012-03-01), Making Query Requests: the request. The key and the\n"
                 f"signature printed there are placeholders; those here are derived with {VERSIONS}.\n")
    sdb = "sdb.amazonaws.com"
    select = [("Action", "Select"), ("Version", "2009-04-15"), ("SelectExpression", "select * from `d-1` where a >= 'x''y' % _")]
    query("query-get", "GET", sdb, "/", select)
    query("query-post", "POST", sdb, "/", select)
    query("query-port", "POST", "127.0.0.1:8080", "/", select)
    query("query-default-port", "GET", sdb + ":443", "/", select)
    query("query-host-case", "GET", "SDB.Amazonaws.COM:8080", "/", select)
    query("query-path", "POST", "localhost", "/services/Eucalyptus", [("Action", "DescribeInstances"), ("Version", "2008-12-01")])
    query("query-sha1", "POST", sdb, "/", select, algorithm="HmacSHA1")
    query("query-sha1-token", "GET", sdb, "/", select, algorithm="HmacSHA1", token="tok/en+==")
    query("query-token", "POST", sdb, "/", select, token="AQoDYXdzEPT//////////wEXAMPLE+tc764==")
    query("query-expires", "GET", sdb, "/", select, ("Expires", "2009-04-15T13:00:00Z"))
    query("query-escapes", "POST", sdb, "/", [("Action", "PutAttributes"), ("a b+c/é~", "".join(map(chr, range(1, 128)))),
                                              ("Attribute.1.Value", "日本 𝄞\n~-_.!*'()")])
    query("query-empty-value", "POST", sdb, "/", [("Action", "PutAttributes"), ("Attribute.1.Value", "")])
    query("query-sort-by-byte", "POST", sdb, "/", [(n, str(i)) for i, n in enumerate(
        ["Attribute.10.Name", "Attribute.2.Name", "Attribute.1.Name", "attribute", "Attribute", "Z", "a", "AWS", "AWSAccessKeyIe",
         "_", "~", "0", "-", "Attribute.1", "Attribute-1", "Attribute_1", "é", "A B", "A%B", "A+B", "A/B", "日", "𝄞"])])
    query("query-many", "POST", sdb, "/", [("Action", "BatchPutAttributes")] + [
        (f"Item.{i}.Attribute.{j}.{w}", f"{w}{i}/{j}") for i in range(1, 6) for j in range(1, 4) for w in ("Name", "Value")])
    query("query-stale", "POST", sdb, "/", select, stale=[
        ["Signature", "b2xk"], ["Timestamp", "2001-01-01T00:00:00Z"], ["AWSAccessKeyId", "OLD"], ["SignatureVersion", "1"],
        ["SignatureMethod", "HmacSHA1"], ["SecurityToken", "old"], ["Expires", "2001-01-01T00:00:00Z"]])
    query("query-ec2", "GET", "ec2.amazonaws.com", "/", [("Action", "DescribeImages"), ("ImageId.1", "ami-2bb65342"),
                                                          ("Version", "2010-06-15"), ("Filter.1.Name", "tag:Name"),
                                                          ("Filter.1.Value.1", "web *?")])


# --- POST policies -------------------------------------------------------------------------------------------


def policy(name, expiration, conditions, fields, token=None):
    """fields are the builder's calls: [method, arguments...]."""
    request = AWSRequest(method="POST", url="https://b.s3.test/")
    request.context["s3-presign-post-fields"] = {}
    request.context["s3-presign-post-policy"] = {"expiration": expiration, "conditions": list(conditions)}
    botocore.auth.HmacV1PostAuth(Credentials(KEY, SECRET, token)).add_auth(request)
    signed = request.context["s3-presign-post-fields"]
    write(name, source=f"Derived: botocore {botocore.__version__}.\n", credentials=credentials(token),
          document=base64.b64decode(signed["policy"]).decode(), policy=signed["policy"], signature=signed["signature"],
          fields_json=json.dumps(fields, ensure_ascii=False, indent=1) + "\n")


def policy_vectors():
    document = """{ "expiration": "2007-12-01T12:00:00.000Z",
  "conditions": [
    {"bucket": "johnsmith"},
    ["starts-with", "$key", "user/eric/"],
    {"acl": "public-read"},
    {"success_action_redirect": "http://johnsmith.s3.amazonaws.com/successful_upload.html"},
    ["starts-with", "$Content-Type", "image/"],
    {"x-amz-meta-uuid": "14365123651274"},
    ["starts-with", "$x-amz-meta-tag", ""]
  ]
}
"""
    encoded = base64.b64encode(document.encode()).decode()
    assert encoded == (
        "eyAiZXhwaXJhdGlvbiI6ICIyMDA3LTEyLTAxVDEyOjAwOjAwLjAwMFoiLAogICJjb25kaXRpb25zIjogWwogICAgeyJidWNrZXQiOiAiam9obnNt"
        "aXRoIn0sCiAgICBbInN0YXJ0cy13aXRoIiwgIiRrZXkiLCAidXNlci9lcmljLyJdLAogICAgeyJhY2wiOiAicHVibGljLXJlYWQifSwKICAgIHsi"
        "c3VjY2Vzc19hY3Rpb25fcmVkaXJlY3QiOiAiaHR0cDovL2pvaG5zbWl0aC5zMy5hbWF6b25hd3MuY29tL3N1Y2Nlc3NmdWxfdXBsb2FkLmh0bWwi"
        "fSwKICAgIFsic3RhcnRzLXdpdGgiLCAiJENvbnRlbnQtVHlwZSIsICJpbWFnZS8iXSwKICAgIHsieC1hbXotbWV0YS11dWlkIjogIjE0MzY1MTIz"
        "NjUxMjc0In0sCiAgICBbInN0YXJ0cy13aXRoIiwgIiR4LWFtei1tZXRhLXRhZyIsICIiXQogIF0KfQo=")
    assert sign(FIRST_SECRET, encoded) == "0RavWzkygo6QX9caELEqKi9kDbU="
    write("policy-published", source="Published: Amazon S3 Developer Guide (API 2006-03-01), POST Examples, File Upload.\n"
          "The page prints a new access key beside a signature that was made with the secret of its first edition.\n",
          credentials=credentials(None, KEY, FIRST_SECRET), document=document, policy=encoded, signature="0RavWzkygo6QX9caELEqKi9kDbU=",
          fields_json=json.dumps([
              ["expires", 1196510400], ["bucket", "johnsmith"], ["key_starts_with", "user/eric/"],
              ["exact", "acl", "public-read"],
              ["exact", "success_action_redirect", "http://johnsmith.s3.amazonaws.com/successful_upload.html"],
              ["starts_with", "Content-Type", "image/"], ["exact", "x-amz-meta-uuid", "14365123651274"],
              ["starts_with", "x-amz-meta-tag", ""]], indent=1) + "\n")
    policy("policy-exact-key", "2030-01-01T00:00:00.000Z", [{"bucket": "b"}, {"key": "a b/é"}],
           [["expires", 1893456000], ["bucket", "b"], ["key", "a b/é"]])
    policy("policy-length", "2030-01-01T00:00:00.000Z", [["content-length-range", 1, 1048576]],
           [["expires", 1893456000], ["content_length_range", 1, 1048576]])
    policy("policy-escapes", "2030-01-01T00:00:00.000Z", [{"x-amz-meta-q": "\"\\/\b\f\n\r\t\u0001 é€𝄞"},
                                                         ["starts-with", "$x-amz-meta-\"", "\\"]],
           [["expires", 1893456000], ["exact", "x-amz-meta-q", "\"\\/\b\f\n\r\t\u0001 é€𝄞"],
            ["starts_with", "x-amz-meta-\"", "\\"]])
    policy("policy-token", "2030-01-01T00:00:00.000Z", [{"bucket": "b"}, ["starts-with", "$key", ""]],
           [["expires", 1893456000], ["bucket", "b"], ["starts_with", "key", ""]], token="tok/en+==")


s3_vectors()
link_vectors()
query_vectors()
policy_vectors()
for stray in HERE.iterdir():
    if stray.is_dir() and stray.name not in written:
        raise SystemExit(f"{stray.name} is no vector of this script: remove it")
print(len(written), "vectors")
