//! vCards, and the search for people.

use bytes::Bytes;
use cloud_stores::vcard::{Vcard, VcardField, VcardQuery};
use cloud_stores::{BareJid, Kind};

use crate::kit::{World, jid};

fn vcard(fields: &[(VcardField, &str)]) -> Vcard {
    let fields = fields
        .iter()
        .map(|(field, value)| (*field, (*value).to_owned()))
        .collect();
    Vcard {
        xml: Bytes::from_static(b"<vCard/>"),
        fields,
    }
}

fn query(fields: &[(VcardField, &str)], limit: Option<usize>) -> VcardQuery {
    VcardQuery {
        fields: vcard(fields).fields,
        limit,
    }
}

async fn found(world: &World, fields: &[(VcardField, &str)]) -> Vec<String> {
    let query = query(fields, None);
    let found = world
        .stores
        .vcards()
        .search("example.com", &query)
        .await
        .unwrap();
    found
        .into_iter()
        .map(|one| one.jid.local().to_owned())
        .collect()
}

#[tokio::test]
async fn people_are_found_by_what_they_say() {
    use VcardField::{Ctry, Email, Fn, Nick, User};
    let world = World::start().await;
    let vcards = world.stores.vcards();
    let long = "\u{c9}".repeat(600);
    for (local, fields) in [
        (
            "ann",
            vec![
                (User, "ann"),
                (Fn, "Ann \u{c9}clair"),
                (Ctry, "FR"),
                (Nick, "100%"),
            ],
        ),
        (
            "anna",
            vec![(User, "anna"), (Fn, "Anna*"), (Ctry, "fr"), (Nick, "100x")],
        ),
        (
            "bob",
            vec![(User, "bob"), (Fn, "Bob"), (Email, "it's \"bob\"")],
        ),
        ("zoe", vec![(Fn, &*long)]),
    ] {
        vcards.set(&jid(local), &vcard(&fields)).await.unwrap();
    }
    let elsewhere = BareJid::new("ann", "example.org").unwrap();
    vcards
        .set(&elsewhere, &vcard(&[(Fn, "Ann")]))
        .await
        .unwrap();

    assert_eq!(found(&world, &[]).await, ["ann", "anna", "bob", "zoe"]);
    assert_eq!(
        found(&world, &[(Fn, "")]).await,
        ["ann", "anna", "bob", "zoe"]
    );
    assert_eq!(
        found(&world, &[(Fn, "*")]).await,
        ["ann", "anna", "bob", "zoe"]
    );
    assert_eq!(found(&world, &[(Fn, "ANN \u{e9}CLAIR")]).await, ["ann"]);
    assert_eq!(found(&world, &[(Fn, "ann")]).await, [""; 0]);
    assert_eq!(found(&world, &[(Fn, "ann*")]).await, ["ann", "anna"]);
    assert_eq!(found(&world, &[(Fn, "Anna**")]).await, ["anna"]);
    assert_eq!(found(&world, &[(Ctry, "Fr"), (User, "ann")]).await, ["ann"]);
    assert_eq!(
        found(&world, &[(Ctry, "fr"), (Email, "it's \"bob\"")]).await,
        [""; 0]
    );
    assert_eq!(found(&world, &[(Email, "it's \"bob\"")]).await, ["bob"]);
    assert_eq!(found(&world, &[(Nick, "100%*")]).await, ["ann"]);
    assert_eq!(found(&world, &[(Fn, "%")]).await, [""; 0]);
    assert_eq!(found(&world, &[(Fn, &long)]).await, ["zoe"]);
    assert_eq!(found(&world, &[(Fn, &format!("{long}*"))]).await, ["zoe"]);

    let all = vcards
        .search("example.com", &query(&[(User, "ann")], None))
        .await
        .unwrap();
    let shown = vcard(&[
        (User, "ann"),
        (Fn, "Ann \u{c9}clair"),
        (Nick, "100%"),
        (Ctry, "FR"),
    ]);
    assert_eq!((all.len(), &all[0].fields), (1, &shown.fields));
    for limit in 0..6 {
        let some = vcards
            .search("example.com", &query(&[], Some(limit)))
            .await
            .unwrap();
        assert_eq!(some.len(), limit.min(4));
    }
    // Nothing of a vCard before is left.
    vcards
        .set(&jid("ann"), &vcard(&[(User, "ann")]))
        .await
        .unwrap();
    assert_eq!(found(&world, &[(Fn, "ann*")]).await, ["anna"]);
    for local in ["ann", "anna", "bob", "zoe"] {
        vcards.remove(&jid(local)).await.unwrap();
    }
    vcards.remove(&elsewhere).await.unwrap();
    assert!(world.left().await.is_empty());
}

#[tokio::test]
async fn each_action_asks_for_as_much_as_it_says() {
    let world = World::start().await;
    let vcards = world.stores.vcards();
    let ann = jid("ann");
    let (_, requests) = world.requests(vcards.set(&ann, &vcard(&[]))).await;
    assert_eq!(requests, ["PutObject", "PutAttributes"]);
    let (xml, requests) = world.requests(vcards.get(&ann)).await;
    assert_eq!(xml.unwrap().unwrap(), "<vCard/>");
    assert_eq!(requests, ["GetObject"]);
    let (_, requests) = world
        .requests(vcards.search("example.com", &query(&[], Some(10))))
        .await;
    assert_eq!(requests, ["Select"; 4]);
    let (_, mut requests) = world.requests(vcards.remove(&ann)).await;
    requests.sort();
    assert_eq!(requests, ["DeleteAttributes", "DeleteObject"]);
    assert_eq!(vcards.get(&ann).await.unwrap(), None);
}

#[tokio::test]
async fn the_vcard_is_there_where_the_index_failed() {
    let world = World::start().await;
    let vcards = world.stores.vcards();
    let ann = jid("ann");
    let refuse = || emulator::Rule::new(emulator::Fault::error(403, "AccessDenied"));
    world.faults().add(refuse().operation("PutAttributes"));
    let set = vcard(&[(VcardField::Fn, "Ann")]);
    assert_eq!(
        vcards.set(&ann, &set).await.unwrap_err().kind(),
        Kind::Unavailable
    );
    assert!(vcards.get(&ann).await.unwrap().is_some());
    assert!(found(&world, &[]).await.is_empty());
    world.calm();
    vcards.set(&ann, &set).await.unwrap();
    assert_eq!(found(&world, &[(VcardField::Fn, "ann")]).await, ["ann"]);
    // Where the object fails, nobody is found by it.
    world.faults().add(refuse().operation("PutObject"));
    let (error, requests) = world.requests(vcards.set(&jid("bob"), &set)).await;
    assert_eq!(error.unwrap_err().about(), "vCard of bob@example.com");
    assert_eq!(requests, ["PutObject"]);
    world.calm();
    let large = Vcard {
        xml: Bytes::from(vec![0; (4 << 20) + 1]),
        ..Vcard::default()
    };
    let (error, requests) = world.requests(vcards.set(&ann, &large)).await;
    assert_eq!(
        (error.unwrap_err().kind(), requests.len()),
        (Kind::TooLarge, 0)
    );
    world.outage();
    let error = vcards
        .search("example.com", &VcardQuery::default())
        .await
        .unwrap_err();
    assert_eq!(error.about(), "search for people of example.com");
}
