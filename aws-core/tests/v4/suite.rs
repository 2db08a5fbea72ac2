//! The published test suite, under `tests/vectors/v4`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_core::Credentials;
use aws_core::time::parse_iso8601;
use aws_core::v4::{Payload, Request, Scope};
use serde_json::Value;

/// How many cases the suite has.
const CASES: usize = 38;

struct Case {
    path: PathBuf,
    context: Value,
}

impl Case {
    fn all() -> Vec<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/v4");
        let dirs = fs::read_dir(root).unwrap().map(|e| e.unwrap().path());
        dirs.filter(|path| path.is_dir())
            .map(|path| {
                let context = fs::read(path.join("context.json")).unwrap();
                let context = serde_json::from_slice(&context).unwrap();
                Self { path, context }
            })
            .collect()
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path.join(file)).unwrap()
    }

    fn flag(&self, name: &str) -> bool {
        self.context[name].as_bool().unwrap_or_default()
    }
}

struct Wire {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: String,
}

fn parse(text: &str) -> Wire {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines: Vec<String> = Vec::new();
    for line in head.lines() {
        match lines.last_mut() {
            Some(last) if line.starts_with(' ') => {
                last.push('\n');
                last.push_str(line);
            }
            _ => lines.push(line.to_owned()),
        }
    }
    let start = lines.remove(0);
    let start = start.strip_suffix(" HTTP/1.1").unwrap();
    let (method, target) = start.split_once(' ').unwrap();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let split = |line: &String| {
        let (name, value) = line.split_once(':').unwrap();
        (name.to_owned(), value.to_owned())
    };
    Wire {
        method: method.into(),
        // The suite gives paths as the text that is escaped in the end, but for this one escape in one case.
        path: path.replace("%20", " "),
        query: query.into(),
        headers: lines.iter().map(split).collect(),
        body: body.into(),
    }
}

#[test]
fn every_case_of_the_suite() {
    let cases = Case::all();
    assert_eq!(cases.len(), CASES);
    for case in cases {
        let name = case.path.file_name().unwrap().to_string_lossy();
        let text = |path: &str| case.context.pointer(path).and_then(Value::as_str);
        let keys = Credentials::new(
            text("/credentials/access_key_id").unwrap(),
            text("/credentials/secret_access_key").unwrap(),
        );
        // Where the token is added after signing, the signature is that of the pair without it.
        let token = text("/credentials/token").filter(|_| !case.flag("omit_session_token"));
        let keys = token.map_or(keys.clone(), |token| keys.with_token(token));
        let time = parse_iso8601(text("/timestamp").unwrap()).unwrap();
        let scope = Scope::new(text("/region").unwrap(), text("/service").unwrap())
            .with_normalized_path(case.flag("normalize"))
            .with_content_sha256(case.flag("sign_body"));
        let wire = parse(&case.read("request.txt"));
        let request = Request {
            method: &wire.method,
            path: &wire.path,
            query: &wire.query,
            headers: wire.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())),
            payload: Payload::Bytes(wire.body.as_bytes()),
        };
        assert_eq!(
            request.canonical_request(&scope, &keys, time),
            case.read("header-canonical-request.txt"),
            "{name}"
        );
        assert_eq!(
            request.string_to_sign(&scope, &keys, time),
            case.read("header-string-to-sign.txt").trim_end(),
            "{name}"
        );
        let signed = request.sign(&scope, &keys, time);
        assert_eq!(
            signed.signature(),
            case.read("header-signature.txt"),
            "{name}"
        );
        assert_eq!(signed.token(), keys.session_token(), "{name}");

        let seconds = case.context["expiration_in_seconds"].as_u64().unwrap();
        let expires = Duration::from_secs(seconds);
        assert_eq!(
            request
                .presign_canonical_request(&scope, &keys, time, expires)
                .unwrap(),
            case.read("query-canonical-request.txt"),
            "{name}"
        );
        let link = request.presign(&scope, &keys, time, expires).unwrap();
        let (_, signature) = link.rsplit_once("&X-Amz-Signature=").unwrap();
        assert_eq!(signature, case.read("query-signature.txt"), "{name}");
    }
}
