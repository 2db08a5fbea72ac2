//! Questions and answers over a pipe in memory, with the stores on the emulator.

use emulator::{Emulator, Fault, Rule};
use s3_client::{Credentials, S3Client};
use sdb_client::SdbClient;
use std::time::Duration;
use tokio::io::duplex;

use super::*;

async fn stores(emulator: &Emulator) -> Stores {
    let keys = Credentials::new(emulator.access_key(), emulator.secret_key());
    let s3 = S3Client::builder()
        .endpoint(emulator.url())
        .credentials(keys.clone())
        .build()
        .expect("a client");
    let sdb = SdbClient::builder()
        .endpoint(emulator.url())
        .credentials(keys)
        .build()
        .expect("a client");
    let bucket = s3.bucket("chat");
    bucket.create().await.expect("a bucket");
    let stores = Stores::builder(bucket, sdb)
        .shards(1)
        .deadline(Duration::from_secs(2));
    stores.open().await.expect("stores")
}

/// What is answered to these questions, and how the front ends after them.
async fn ask(stores: &Stores, questions: &[&str]) -> (Vec<bool>, Result<(), ExtauthError>) {
    let (mut to, input) = duplex(1 << 10);
    let (output, mut from) = duplex(1 << 10);
    let questions: Vec<u8> = questions
        .iter()
        .flat_map(|question| {
            [
                &(question.len() as u16).to_be_bytes()[..],
                question.as_bytes(),
            ]
            .concat()
        })
        .collect();
    let write = async {
        to.write_all(&questions).await.expect("a front that reads");
        drop(to);
    };
    let mut answers = Vec::new();
    let (ended, (), read) = tokio::join!(
        serve(input, output, stores),
        write,
        from.read_to_end(&mut answers)
    );
    read.expect("answers");
    let answers = answers.chunks(4).map(|answer| {
        assert!(matches!(answer, [0, 2, 0, 0 | 1]), "{answer:?}");
        answer[3] == 1
    });
    (answers.collect(), ended)
}

#[tokio::test]
async fn people_come_log_in_and_go() {
    let emulator = Emulator::start().await.expect("an emulator");
    let stores = stores(&emulator).await;
    let asked = [
        ("isuser:ann:example.com", false),
        ("auth:ann:example.com:secret", false),
        ("setpass:ann:example.com:secret", false),
        ("tryregister:ann:example.com:se:cr:et", true),
        ("tryregister:ann:example.com:other", false),
        ("isuser:ann:example.com", true),
        ("isuser:ann:example.org", false),
        ("auth:ann:example.com:se:cr:et", true),
        ("auth:ann:example.com:se:cr", false),
        ("auth:ann:example.com:", false),
        ("setpass:ann:example.com:new", true),
        ("auth:ann:example.com:se:cr:et", false),
        ("auth:ann:example.com:new", true),
        ("removeuser3:ann:example.com:wrong", false),
        ("isuser:ann:example.com", true),
        ("removeuser3:ann:example.com:new", true),
        ("isuser:ann:example.com", false),
        ("tryregister:bob:example.com:secret", true),
        ("removeuser:bob:example.com", true),
        ("isuser:bob:example.com", false),
        // What makes no sense is answered, too.
        ("tryregister:eve:example.com:", false),
        ("isuser::example.com", false),
        ("isuser:a@b:example.com", false),
        ("nonsense:ann:example.com", false),
        ("", false),
    ];
    let (answers, ended) = ask(&stores, &asked.map(|(question, _)| question)).await;
    for ((question, expected), answer) in asked.iter().zip(&answers) {
        assert_eq!(answer, expected, "{question}");
    }
    assert_eq!(answers.len(), asked.len());
    assert!(ended.is_ok());
    emulator.shutdown().await;
}

#[tokio::test]
async fn an_outage_is_no_answer() {
    let emulator = Emulator::start().await.expect("an emulator");
    let stores = stores(&emulator).await;
    let (answers, _) = ask(&stores, &["tryregister:ann:example.com:secret"]).await;
    assert_eq!(answers, [true]);
    emulator
        .faults()
        .add(Rule::new(Fault::error(503, "ServiceUnavailable")));
    for question in [
        "auth:ann:example.com:secret",
        "isuser:ann:example.com",
        "tryregister:bob:example.com:secret",
    ] {
        let (answers, ended) = ask(&stores, &[question]).await;
        assert!(answers.is_empty(), "{question}");
        assert!(matches!(ended, Err(ExtauthError::Store(_))), "{question}");
    }
    emulator.shutdown().await;
}

#[tokio::test]
async fn an_end_within_a_question_is_an_error() {
    let emulator = Emulator::start().await.expect("an emulator");
    let stores = stores(&emulator).await;
    let ended = serve(&[0, 9, b'a'][..], tokio::io::sink(), &stores).await;
    assert!(matches!(ended, Err(ExtauthError::Input(_))));
    emulator.shutdown().await;
}
