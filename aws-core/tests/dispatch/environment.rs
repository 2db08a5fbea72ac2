//! What a dispatcher takes from the environment, and what it says of that which it passes over.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_core::dispatch::Dispatch;
use aws_core::shared_config::{ServiceId, SharedConfig, Variables};
use pipeline_pool::HttpPool;

const SERVICE: ServiceId = ServiceId {
    host: "toy",
    id: "TOY",
    settings: &[],
};

fn said(variables: &[(&str, &str)]) -> Variables {
    variables.iter().copied().collect()
}

/// How attempts are repeated by a client with these variables.
fn retry(variables: &[(&str, &str)]) -> String {
    let mut builder = Dispatch::builder();
    builder.environment(said(variables));
    builder.configure(SERVICE).unwrap();
    let shown = format!("{builder:?}");
    let from = shown.find("retry: ").unwrap();
    shown[from..].to_owned()
}

#[test]
fn how_attempts_are_repeated_is_taken_from_variables() {
    let standard = retry(&[("AWS_RETRY_MODE", "standard")]);
    assert!(standard.contains("adaptive: false"), "{standard}");
    let adaptive = retry(&[("AWS_RETRY_MODE", "adaptive"), ("AWS_MAX_ATTEMPTS", "7")]);
    assert!(adaptive.contains("adaptive: true"), "{adaptive}");
    assert!(adaptive.contains("attempts: 7"), "{adaptive}");
}

/// A pool that was given has its own certificates and its own way.
#[test]
fn what_a_pool_of_the_programs_passes_over_is_warned_of() {
    let file = std::env::temp_dir().join(format!("aws-core-roots-{}.pem", std::process::id()));
    let path = file.to_str().unwrap();
    let variables = said(&[
        ("AWS_CA_BUNDLE", path),
        // Of proxies it is said when the endpoint is known.
        ("https_proxy", "http://me:hidden@proxy.example:3128"),
    ]);
    let configure = || -> SharedConfig {
        let mut builder = Dispatch::builder();
        builder.environment(variables.clone());
        builder.credentials(aws_core::Credentials::new("AKID", "hidden"));
        builder.transport(HttpPool::builder().build());
        builder.configure(SERVICE).unwrap()
    };
    let warnings = configure().warnings().join("\n");
    for named in [path, "pool_with("] {
        assert!(warnings.contains(named), "{named} is not in {warnings}");
    }
    assert!(!warnings.contains("hidden"), "{warnings}");
    let mut own = Dispatch::builder();
    own.environment(said(&[("https_proxy", "http://proxy.example:3128")]));
    assert_eq!(own.configure(SERVICE).unwrap().warnings(), [""; 0]);
}

/// What the program sets comes after what variables say, and counts as one pool with it.
#[test]
fn a_pool_is_that_of_variables_and_of_the_program() {
    let mut builder = Dispatch::builder();
    assert!(!builder.has_transport());
    builder.environment(said(&[("https_proxy", "http://proxy.example:3128")]));
    builder.credentials(aws_core::Credentials::new("AKID", "hidden"));
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    builder.pool_with(move |pool| {
        count.fetch_add(1, Ordering::Relaxed);
        pool
    });
    builder.configure(SERVICE).unwrap();
    assert!(builder.has_transport());
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    builder.build().unwrap();
}

#[test]
fn certificates_that_cannot_be_used_are_an_error() {
    let mut builder = Dispatch::builder();
    builder.environment(said(&[("AWS_CA_BUNDLE", "/no/such/roots.pem")]));
    let error = builder.configure(SERVICE).unwrap_err();
    assert_eq!(error.kind(), aws_core::Kind::Invalid);
    assert!(error.to_string().contains("/no/such/roots.pem"), "{error}");
}
