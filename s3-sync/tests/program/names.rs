//! `s3-sync names`.

use serde_json::Value;

use crate::common::World;

#[tokio::test]
async fn keys_that_are_no_names_are_told() {
    let world = World::start().await;
    for key in ["p/../up", "p/a", "p/a/b", "p/B", "p/b", "q/.."] {
        world.bucket.put(key, "x").await.unwrap();
    }
    // What stands for a folder is no name.
    for key in ["p/", "p/d/"] {
        world.bucket.put(key, "").await.unwrap();
    }
    let ran = world.run(&["names", "s3://bucket/p"]).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines.len(), 3, "{ran:?}");
    assert!(lines[0].starts_with("../up: "), "{ran:?}");
    assert!(lines[1].starts_with("a/b: "), "{ran:?}");
    assert_eq!(lines[2], "5 keys, of which 2 cannot be names of files");

    let ran = world
        .run(&["names", "s3://bucket/p", "--folding", "--json", "-q"])
        .await;
    let events: Vec<Value> = ran
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let keys: Vec<&str> = events.iter().filter_map(|e| e["key"].as_str()).collect();
    assert_eq!(keys, ["../up", "a/b", "b"]);

    let ran = world.run(&["names", "s3://bucket/nothing"]).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

#[tokio::test]
async fn a_key_outside_of_the_prefix_is_judged_as_it_is() {
    let world = World::start().await;
    let page = "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>x\u{e9}</Key><Size>1</Size></Contents>\
                </ListBucketResult>";
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/xml\r\ncontent-length: {}\r\n\r\n{page}",
        page.len()
    );
    let rule = emulator::Rule::new(emulator::Fault::garbage(answer));
    world.emulator.faults().add(rule.operation("ListObjectsV2"));
    let ran = world.run(&["names", "s3://bucket/p"]).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.out, "1 keys, of which 0 cannot be names of files\n");
}
