//! Several accounts: whose buckets and objects are whose, and who else may use them.

use emulator::Emulator;

use crate::v2::Signer;
use crate::wire::{Reply, Wire};

const OTHER: (&str, &str) = ("AKIDOTHER", "other-secret");

/// An emulator of two accounts, the first with the bucket `/bkt`, and a connection to it.
struct Two {
    wire: Wire,
    first: Signer,
    second: Signer,
    second_id: String,
    _emulator: Emulator,
}

/// Who sends a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    First,
    Second,
    Nobody,
}

use Who::{First, Nobody, Second};

impl Two {
    async fn start() -> Self {
        let builder = Emulator::builder().user("AKIDFIRST", "first-secret");
        let emulator = builder.account(OTHER.0, OTHER.1).start().await.unwrap();
        let signer = |key: (&str, &str)| Signer::new(key.0, key.1, emulator.addr());
        let mut two = Self {
            wire: Wire::open(emulator.addr()).await,
            first: signer(("AKIDFIRST", "first-secret")),
            second: signer(OTHER),
            second_id: emulator
                .account_of(OTHER.0)
                .unwrap()
                .canonical_id()
                .to_owned(),
            _emulator: emulator,
        };
        two.done(First, "PUT", "/bkt/", &[], "").await;
        two
    }

    async fn call(
        &mut self,
        who: Who,
        (method, target): (&str, &str),
        fields: &[(&str, &str)],
        body: &str,
    ) -> Reply {
        let request = match who {
            First => self.first.request(method, target, fields, body.as_bytes()),
            Second => self.second.request(method, target, fields, body.as_bytes()),
            Nobody => {
                let mut head = format!(
                    "{method} {target} HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n",
                    self.first.host,
                    body.len()
                );
                for (name, value) in fields {
                    head.push_str(&format!("{name}: {value}\r\n"));
                }
                format!("{head}\r\n{body}").into_bytes()
            }
        };
        self.wire.call(&request).await
    }

    /// Sends what has to be let in.
    async fn done(
        &mut self,
        who: Who,
        method: &str,
        target: &str,
        fields: &[(&str, &str)],
        body: &str,
    ) -> Reply {
        let reply = self.call(who, (method, target), fields, body).await;
        assert!(
            reply.status < 300,
            "{who:?} {method} {target}: {} {}",
            reply.status,
            reply.text()
        );
        reply
    }

    /// Who of the three is let in.
    async fn let_in(&mut self, method: &str, target: &str) -> Vec<Who> {
        let mut all = Vec::new();
        for who in [First, Second, Nobody] {
            let reply = self.call(who, (method, target), &[], "").await;
            match reply.status {
                200..300 => all.push(who),
                403 => {}
                other => panic!("{who:?} {method} {target}: {other}"),
            }
        }
        all
    }

    async fn policy(&mut self, statements: &str) {
        let policy = format!("{{\"Version\":\"2012-10-17\",\"Statement\":[{statements}]}}");
        self.done(First, "PUT", "/bkt/?policy", &[], &policy).await;
    }
}

#[tokio::test]
async fn buckets_are_of_who_made_them() {
    let mut two = Two::start().await;
    two.done(First, "PUT", "/bkt/k", &[], "x").await;
    for (method, target) in [
        ("GET", "/bkt/"),
        ("GET", "/bkt/k"),
        ("GET", "/bkt/none"),
        ("PUT", "/bkt/new"),
        ("GET", "/bkt/?acl"),
        ("GET", "/bkt/?location"),
        ("GET", "/bkt/?policy"),
        ("DELETE", "/bkt/k"),
        ("DELETE", "/bkt/"),
    ] {
        for who in [Second, Nobody] {
            let refused = two.call(who, (method, target), &[], "").await;
            assert_eq!(
                refused.error(),
                (403, "AccessDenied"),
                "{who:?} {method} {target}"
            );
        }
    }
    let taken = two.call(Second, ("PUT", "/bkt/"), &[], "").await;
    assert_eq!(taken.error(), (409, "BucketAlreadyExists"));
    let own = two.call(First, ("PUT", "/bkt/"), &[], "").await;
    assert_eq!(own.error(), (409, "BucketAlreadyOwnedByYou"));
    two.done(Second, "PUT", "/theirs/", &[], "").await;
    let listed = two.done(Second, "GET", "/", &[], "").await;
    assert_eq!(listed.all("Name"), ["theirs"]);
    assert_eq!(listed.all("ID"), [two.second_id.as_str()]);
    let expected = [("x-amz-expected-bucket-owner", "123456789013")];
    let reply = two.call(Second, ("GET", "/theirs/"), &expected, "").await;
    assert_eq!(reply.status, 200);
    let expected = [("x-amz-expected-bucket-owner", "123456789012")];
    let reply = two.call(Second, ("GET", "/theirs/"), &expected, "").await;
    assert_eq!(reply.error(), (403, "AccessDenied"));
}

#[tokio::test]
async fn lists_of_objects_and_buckets_let_others_in() {
    let mut two = Two::start().await;
    for (acl, bucket, readers) in [
        ("private", vec![First], vec![First]),
        (
            "public-read",
            vec![First, Second, Nobody],
            vec![First, Second, Nobody],
        ),
        (
            "authenticated-read",
            vec![First, Second],
            vec![First, Second],
        ),
    ] {
        let fields = [("x-amz-acl", acl)];
        two.done(First, "PUT", "/bkt/k", &fields, "x").await;
        assert_eq!(two.let_in("GET", "/bkt/k").await, readers, "{acl}");
        assert_eq!(two.let_in("HEAD", "/bkt/k").await, readers, "{acl}");
        assert_eq!(two.let_in("GET", "/bkt/k?acl").await, [First], "{acl}");
        two.done(First, "PUT", "/bkt/?acl", &fields, "").await;
        assert_eq!(two.let_in("GET", "/bkt/").await, bucket, "{acl}");
        assert_eq!(two.let_in("PUT", "/bkt/new").await, [First], "{acl}");
    }
    let grants = format!("id=\"{}\"", two.second_id);
    let fields = [("x-amz-grant-read-acp", grants.as_str())];
    two.done(First, "PUT", "/bkt/k?acl", &fields, "").await;
    assert_eq!(two.let_in("GET", "/bkt/k?acl").await, [First, Second]);
    assert_eq!(two.let_in("GET", "/bkt/k").await, [First]);
}

#[tokio::test]
async fn objects_are_of_who_wrote_them() {
    let mut two = Two::start().await;
    let open = [("x-amz-acl", "public-read-write")];
    two.done(First, "PUT", "/bkt/?acl", &open, "").await;
    two.done(Second, "PUT", "/bkt/k", &[], "x").await;
    assert_eq!(two.let_in("GET", "/bkt/k").await, [Second]);
    let given = [("x-amz-acl", "bucket-owner-full-control")];
    two.done(Second, "PUT", "/bkt/k", &given, "x").await;
    assert_eq!(two.let_in("GET", "/bkt/k").await, [First, Second]);
    let listed = two.done(First, "GET", "/bkt/?list-type=2&fetch-owner=true", &[], "");
    assert_eq!(listed.await.all("ID"), [two.second_id.clone()]);
    // Where the owner of the bucket owns all in it, lists count for nothing.
    let enforced = "<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule>\
        </OwnershipControls>";
    let target = ("PUT", "/bkt/?ownershipControls");
    let shared = two.call(First, target, &[], enforced).await;
    assert_eq!(shared.error(), (400, "InvalidBucketAclWithObjectOwnership"));
    let private = [("x-amz-acl", "private")];
    two.done(First, "PUT", "/bkt/?acl", &private, "").await;
    two.done(First, target.0, target.1, &[], enforced).await;
    assert_eq!(two.let_in("GET", "/bkt/k").await, [First]);
    let refused = two.call(First, ("PUT", "/bkt/k"), &open, "x").await;
    assert_eq!(refused.error(), (400, "AccessControlListNotSupported"));
}

#[tokio::test]
async fn policies_allow_and_deny() {
    let mut two = Two::start().await;
    two.done(First, "PUT", "/bkt/a/k", &[], "x").await;
    two.policy(
        r#"{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::bkt/a/*"}"#,
    )
    .await;
    assert_eq!(two.let_in("GET", "/bkt/a/k").await, [First, Second, Nobody]);
    assert_eq!(two.let_in("GET", "/bkt/").await, [First]);
    // Only who may list the bucket is told what is not in it.
    for (who, told) in [
        (First, (404, "NoSuchKey")),
        (Second, (403, "AccessDenied")),
        (Nobody, (403, "AccessDenied")),
    ] {
        let gone = two.call(who, ("GET", "/bkt/a/none"), &[], "").await;
        assert_eq!(gone.error(), told, "{who:?}");
    }
    two.policy(
        r#"{"Effect":"Allow","Principal":"*","Action":["s3:GetObject","s3:ListBucket"],
            "Resource":["arn:aws:s3:::bkt","arn:aws:s3:::bkt/*"]}"#,
    )
    .await;
    let gone = two.call(Nobody, ("GET", "/bkt/a/none"), &[], "").await;
    assert_eq!(gone.error(), (404, "NoSuchKey"));
    two.policy(
        r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789013:root"},"Action":["s3:ListBucket","s3:PutObject"],
            "Resource":["arn:aws:s3:::bkt","arn:aws:s3:::bkt/*"]},
           {"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::bkt/*",
            "Condition":{"StringEquals":{"s3:x-amz-acl":"public-read"}}}"#,
    )
    .await;
    assert_eq!(two.let_in("GET", "/bkt/").await, [First, Second]);
    assert_eq!(two.let_in("PUT", "/bkt/new").await, [First, Second]);
    let public = [("x-amz-acl", "public-read")];
    for who in [First, Second] {
        let refused = two.call(who, ("PUT", "/bkt/new"), &public, "").await;
        assert_eq!(refused.error(), (403, "AccessDenied"), "{who:?}");
    }
    // Who is denied everything can still take the policy away.
    two.policy(r#"{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::bkt","arn:aws:s3:::bkt/*"]}"#)
        .await;
    assert_eq!(two.let_in("GET", "/bkt/a/k").await, []);
    two.done(First, "DELETE", "/bkt/?policy", &[], "").await;
    assert_eq!(two.let_in("GET", "/bkt/a/k").await, [First]);
}

#[tokio::test]
async fn what_is_public_can_be_blocked() {
    let mut two = Two::start().await;
    let public = [("x-amz-acl", "public-read")];
    two.done(First, "PUT", "/bkt/k", &public, "x").await;
    let block = |setting: &str| {
        format!(
            "<PublicAccessBlockConfiguration><{setting}>true</{setting}></PublicAccessBlockConfiguration>"
        )
    };
    let target = "/bkt/?publicAccessBlock";
    two.done(First, "PUT", target, &[], &block("IgnorePublicAcls"))
        .await;
    assert_eq!(two.let_in("GET", "/bkt/k").await, [First]);
    two.done(First, "PUT", target, &[], &block("BlockPublicAcls"))
        .await;
    assert_eq!(two.let_in("GET", "/bkt/k").await, [First, Second, Nobody]);
    let refused = two.call(First, ("PUT", "/bkt/k"), &public, "x").await;
    assert_eq!(refused.error(), (403, "AccessDenied"));
    two.done(First, "PUT", target, &[], &block("BlockPublicPolicy"))
        .await;
    let policy = r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::bkt/*"}}"#;
    let refused = two.call(First, ("PUT", "/bkt/?policy"), &[], policy).await;
    assert_eq!(refused.error(), (403, "AccessDenied"));
}

#[tokio::test]
async fn deletes_of_many_are_judged_one_by_one() {
    let mut two = Two::start().await;
    for key in ["/bkt/a", "/bkt/b"] {
        two.done(First, "PUT", key, &[], "x").await;
    }
    two.policy(
        r#"{"Effect":"Allow","Principal":"*","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::bkt/a"}"#,
    )
    .await;
    let body = "<Delete><Object><Key>a</Key></Object><Object><Key>b</Key></Object></Delete>";
    let md5 = [("content-md5", "gnFQWv8HmHVEQ7mTrck6JQ==")];
    let reply = two.call(Second, ("POST", "/bkt/?delete"), &md5, body).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.all("Code"), ["AccessDenied"]);
    let left = two.done(First, "GET", "/bkt/", &[], "").await;
    assert_eq!(left.all("Key"), ["b"]);
}

#[tokio::test]
async fn copies_need_both_sides() {
    let mut two = Two::start().await;
    two.done(First, "PUT", "/bkt/k", &[], "x").await;
    two.done(Second, "PUT", "/theirs/", &[], "").await;
    let source = [("x-amz-copy-source", "/bkt/k")];
    let refused = two.call(Second, ("PUT", "/theirs/k"), &source, "").await;
    assert_eq!(refused.error(), (403, "AccessDenied"));
    let refused = two.call(First, ("PUT", "/theirs/k"), &source, "").await;
    assert_eq!(refused.error(), (403, "AccessDenied"));
    let public = [("x-amz-acl", "public-read")];
    two.done(First, "PUT", "/bkt/k?acl", &public, "").await;
    two.done(Second, "PUT", "/theirs/k", &source, "").await;
}

#[tokio::test]
async fn forms_without_a_signature_are_of_nobody() {
    let mut two = Two::start().await;
    let form = |key: &str| {
        format!(
            "--XX\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\n{key}\r\n--XX\r\nContent-Disposition: \
             form-data; name=\"acl\"\r\n\r\npublic-read\r\n--XX\r\nContent-Disposition: form-data; \
             name=\"tagging\"\r\n\r\n<Tagging><TagSet><Tag><Key>a b</Key><Value>1&amp;2</Value></Tag></TagSet></Tagging>\
             \r\n--XX\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nhi\r\n--XX--\r\n"
        )
    };
    let fields = [("content-type", "multipart/form-data; boundary=XX")];
    let refused = two
        .call(Nobody, ("POST", "/bkt"), &fields, &form("k"))
        .await;
    assert_eq!(refused.error(), (403, "AccessDenied"));
    let open = [("x-amz-acl", "public-read-write")];
    two.done(First, "PUT", "/bkt/?acl", &open, "").await;
    two.done(Nobody, "POST", "/bkt", &fields, &form("k")).await;
    assert_eq!(two.let_in("GET", "/bkt/k").await, [First, Second, Nobody]);
    let tags = two.call(First, ("GET", "/bkt/k?tagging"), &[], "").await;
    let tags = tags.text();
    assert!(
        tags.contains("<Key>a b</Key><Value>1&amp;2</Value>"),
        "{tags}"
    );
    let broken = form("k").replace("</TagSet>", "");
    let refused = two.call(Nobody, ("POST", "/bkt"), &fields, &broken).await;
    assert_eq!(refused.error(), (400, "MalformedXML"));
}
