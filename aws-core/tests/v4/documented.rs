//! The examples of the S3 documentation.

use std::time::Duration;

use aws_core::v4::{
    CHUNK, ChunkSigner, Chunks, Payload, Request, Scope, Trailer, policy, trailed_len,
};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::{at, example_keys};

/// 2013-05-24T00:00:00Z.
const TIME: u64 = 1_369_353_600;
const HOST: (&str, &str) = ("Host", "examplebucket.s3.amazonaws.com");

fn signature(
    method: &str,
    target: &str,
    headers: &[(&'static str, &'static str)],
    body: &[u8],
) -> String {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let request = Request {
        method,
        path,
        query,
        headers: headers.iter().copied(),
        payload: Payload::Bytes(body),
    };
    let scope = Scope::s3("us-east-1");
    let keys = example_keys();
    let signed = request.sign(&scope, &keys, at(TIME));
    signed.signature().to_owned()
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>
#[test]
fn headers() {
    assert_eq!(
        signature("GET", "/test.txt", &[HOST, ("Range", "bytes=0-9")], b""),
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    );
    let put = [
        HOST,
        ("Date", "Fri, 24 May 2013 00:00:00 GMT"),
        ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
    ];
    assert_eq!(
        signature("PUT", "/test%24file.text", &put, b"Welcome to Amazon S3."),
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
    );
    assert_eq!(
        signature("GET", "/?lifecycle", &[HOST], b""),
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
    );
    assert_eq!(
        signature("GET", "/?max-keys=2&prefix=J", &[HOST], b""),
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
    );
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>
#[test]
fn a_link() {
    let request = Request {
        method: "GET",
        path: "/test.txt",
        query: "",
        headers: [HOST],
        payload: Payload::Unsigned,
    };
    let scope = Scope::s3("us-east-1");
    let sign = |seconds| {
        let expires = Duration::from_secs(seconds);
        request.presign(&scope, &example_keys(), at(TIME), expires)
    };
    let link = sign(86_400).unwrap();
    assert_eq!(
        link,
        "X-Amz-Algorithm=AWS4-HMAC-SHA256\
         &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
         &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
         &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    );
    // Signed again, it is the same link.
    let again = Request {
        query: &link,
        ..request
    };
    let expires = Duration::from_secs(86_400);
    assert_eq!(
        again
            .presign(&scope, &example_keys(), at(TIME), expires)
            .unwrap(),
        link
    );
    for seconds in [0, 604_801] {
        let error = sign(seconds).unwrap_err().to_string();
        assert!(
            error.contains(&seconds.to_string()) && error.contains("604800"),
            "{error}"
        );
    }
    assert!(sign(1).is_ok() && sign(604_800).is_ok());
}

/// The request of both examples of bodies in chunks, with the field that only one of them has.
fn in_chunks(
    field: (&'static str, &'static str),
) -> Request<'static, [(&'static str, &'static str); 5]> {
    Request {
        method: "PUT",
        path: "/examplebucket/chunkObject.txt",
        query: "",
        headers: [
            ("Host", "s3.amazonaws.com"),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            ("Content-Encoding", "aws-chunked"),
            ("x-amz-decoded-content-length", "66560"),
            field,
        ],
        payload: Payload::Unsigned,
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html>
#[tokio::test]
async fn chunks() {
    let request = in_chunks(("Content-Length", "66824"));
    let (scope, keys) = (Scope::s3("us-east-1"), example_keys());
    let (seed, mut signer) = request.sign_chunks(&scope, &keys, at(TIME));
    assert_eq!(
        seed.signature(),
        "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
    );
    let content = seed.headers().find(|(n, _)| *n == "x-amz-content-sha256");
    assert_eq!(content.unwrap().1, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
    let body = vec![b'a'; 66_560];
    let heads = [
        "10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n",
        "400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n",
        "0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n",
    ];
    let pieces: [&[u8]; 3] = [&body[..CHUNK], &body[CHUNK..], b""];
    let mut whole = Vec::new();
    for (head, piece) in heads.iter().zip(pieces) {
        assert_eq!(signer.head(piece), *head);
        whole.extend_from_slice(head.as_bytes());
        whole.extend_from_slice(piece);
        whole.extend_from_slice(b"\r\n");
    }
    assert_eq!(ChunkSigner::encoded_len(66_560, CHUNK), 66_824);
    // However the body comes in pieces, the same goes out.
    for size in [1000, CHUNK, 66_560, CHUNK + 1] {
        let (_, signer) = request.sign_chunks(&scope, &keys, at(TIME));
        let pieces: Vec<_> = body.chunks(size).map(Bytes::copy_from_slice).collect();
        let pieces = stream::iter(pieces).map(Ok::<_, std::io::Error>);
        let sent: Vec<Bytes> = Chunks::new(pieces, signer, CHUNK)
            .try_collect()
            .await
            .unwrap();
        assert_eq!(sent.concat(), whole, "{size}");
    }
}

/// The example of [trailing headers](https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html).
#[tokio::test]
async fn chunks_with_a_trailer() {
    let request = in_chunks(("x-amz-trailer", "x-amz-checksum-crc32c"));
    let (scope, keys) = (Scope::s3("us-east-1"), example_keys());
    let (seed, mut signer) = request.sign_trailed_chunks(&scope, &keys, at(TIME));
    assert_eq!(
        seed.signature(),
        "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
    );
    let content = seed.headers().find(|(n, _)| *n == "x-amz-content-sha256");
    assert_eq!(
        content.unwrap().1,
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
    );
    let body = vec![b'a'; 66_560];
    for (piece, head) in [
        (
            &body[..CHUNK],
            "10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n",
        ),
        (
            &body[CHUNK..],
            "400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n",
        ),
        (
            b"",
            "0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n",
        ),
    ] {
        assert_eq!(signer.head(piece), head);
    }
    let signature = "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435";
    assert_eq!(
        signer.trailer(&[("x-amz-checksum-crc32c", "sOO8/Q==")]),
        signature
    );
    // The same as it goes out.
    let (_, signer) = request.sign_trailed_chunks(&scope, &keys, at(TIME));
    let seen = Seen::default();
    let pieces: Vec<_> = body.chunks(999).map(Bytes::copy_from_slice).collect();
    let pieces = stream::iter(pieces).map(Ok::<_, std::io::Error>);
    let sent = Chunks::trailed(pieces, Some(signer), seen.clone(), CHUNK);
    let sent = sent.try_collect::<Vec<Bytes>>().await.unwrap().concat();
    let end = format!(
        "0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n\
         x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:{signature}\r\n\r\n"
    );
    assert!(sent.ends_with(end.as_bytes()));
    assert_eq!(seen.0.lock().unwrap().as_slice(), body);
}

/// Says of any body what that of the example has.
#[derive(Clone, Default)]
struct Seen(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl Trailer for Seen {
    fn name(&self) -> &'static str {
        "x-amz-checksum-crc32c"
    }

    fn update(&mut self, piece: &[u8]) {
        self.0.lock().unwrap().extend_from_slice(piece);
    }

    fn value(self: Box<Self>) -> String {
        "sOO8/Q==".to_owned()
    }
}

#[tokio::test]
async fn the_length_of_trailed_chunks_is_known_before() {
    let request = Request {
        method: "PUT",
        path: "/b/k",
        query: "",
        headers: [("host", "h")],
        payload: Payload::ChunksTrailer,
    };
    let (scope, keys) = (Scope::s3("us-east-1"), example_keys());
    for length in [0, 1, 8191, 8192, 8193, 16_384, 100_000] {
        for signed in [true, false] {
            let signer = signed.then(|| request.sign_trailed_chunks(&scope, &keys, at(TIME)).1);
            let body = stream::iter([Ok::<_, std::io::Error>(Bytes::from(vec![7; length]))]);
            let sent = Chunks::trailed(body, signer, Seen::default(), 8192);
            let sent = sent.try_collect::<Vec<Bytes>>().await.unwrap().concat();
            let told = trailed_len(length as u64, 8192, signed, 21, 8);
            assert_eq!(sent.len() as u64, told, "{length} {signed}");
            if length == 1 && !signed {
                assert_eq!(
                    sent,
                    b"1\r\n\x07\r\n0\r\nx-amz-checksum-crc32c:sOO8/Q==\r\n\r\n"
                );
            }
        }
    }
}

#[tokio::test]
async fn the_length_of_chunks_is_known_before() {
    let request = Request {
        method: "PUT",
        path: "/b/k",
        query: "",
        headers: [("host", "h")],
        payload: Payload::Chunks,
    };
    let (scope, keys) = (Scope::s3("us-east-1"), example_keys());
    for length in [0, 1, 8191, 8192, 8193, 16_384, 100_000] {
        let (_, signer) = request.sign_chunks(&scope, &keys, at(TIME));
        let body = stream::iter([Ok::<_, std::io::Error>(Bytes::from(vec![7; length]))]);
        let sent: Vec<Bytes> = Chunks::new(body, signer, 8192).try_collect().await.unwrap();
        let sent: usize = sent.iter().map(Bytes::len).sum();
        assert_eq!(sent as u64, ChunkSigner::encoded_len(length as u64, 8192));
    }
    // An error of the body ends the stream without the empty chunk that would make it look whole.
    let (_, signer) = request.sign_chunks(&scope, &keys, at(TIME));
    let body = stream::iter([
        Ok(Bytes::from_static(b"x")),
        Err(std::io::Error::other("lost")),
    ]);
    let sent: Vec<_> = Chunks::new(body, signer, CHUNK).collect().await;
    assert!(matches!(sent.as_slice(), [Err(error)] if error.to_string() == "lost"));
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-post-example.html>
#[test]
fn a_policy() {
    let document = "{ \"expiration\": \"2015-12-30T12:00:00.000Z\",\r\n  \"conditions\": [\r\n    \
        {\"bucket\": \"sigv4examplebucket\"},\r\n    [\"starts-with\", \"$key\", \"user/user1/\"],\r\n    \
        {\"acl\": \"public-read\"},\r\n    {\"success_action_redirect\": \
        \"http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html\"},\r\n    \
        [\"starts-with\", \"$Content-Type\", \"image/\"],\r\n    {\"x-amz-meta-uuid\": \"14365123651274\"},\r\n    \
        {\"x-amz-server-side-encryption\": \"AES256\"},\r\n    [\"starts-with\", \"$x-amz-meta-tag\", \"\"],\r\n\r\n    \
        {\"x-amz-credential\": \"AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request\"},\r\n    \
        {\"x-amz-algorithm\": \"AWS4-HMAC-SHA256\"},\r\n    {\"x-amz-date\": \"20151229T000000Z\" }\r\n  ]\r\n}";
    let date = aws_core::v4::AmzDate::new(at(1_451_347_200));
    let (encoded, signature) =
        policy::sign_document(document, &Scope::s3("us-east-1"), &example_keys(), date);
    assert!(encoded.starts_with("eyAiZXhwaXJhdGlvbiI6ICIyMDE1LTEyLTMwVDEyOjAwOjAwLjAwMFoiLA0K"));
    assert_eq!(
        signature,
        "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e"
    );
}

#[test]
fn a_policy_has_the_fields_that_its_conditions_demand() {
    let builder = aws_sigv2::policy::Policy::builder()
        .expires(1_451_476_800)
        .bucket("sigv4examplebucket")
        .key_starts_with("user/user1/");
    let keys = example_keys().with_token("fleeting");
    let form = policy::sign(builder, &Scope::s3("us-east-1"), &keys, at(1_451_347_200));
    let names: Vec<&str> = form.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "key",
            "x-amz-algorithm",
            "x-amz-credential",
            "x-amz-date",
            "x-amz-security-token",
            "policy",
            "x-amz-signature"
        ]
    );
    assert_eq!(
        form[2].1,
        "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request"
    );
    assert_eq!(form[4].1, "fleeting");
    assert_eq!(form[6].1.len(), 64);
}

#[test]
fn nothing_secret_is_shown() {
    let keys = example_keys().with_token("fleeting");
    let request = Request {
        method: "GET",
        path: "/test.txt",
        query: "X-Amz-Signature=fleeting",
        headers: [HOST, ("x-amz-meta-a", "fleeting")],
        payload: Payload::Bytes(b"fleeting"),
    };
    let scope = Scope::s3("us-east-1");
    let (signed, chunks) = request.sign_chunks(&scope, &keys, at(TIME));
    let shown = format!("{request:?} {signed:?} {chunks:?} {scope:?}");
    assert!(!shown.contains("fleeting"), "{shown}");
    assert!(!shown.contains(signed.signature()), "{shown}");
    assert!(!shown.contains(keys.secret_key()), "{shown}");
}
