//! Records as they stand in files: read back, cut, and with flipped bits.

use super::*;
use crate::disk::frame::{Frame, Mark, Read, read, write};
use crate::sdb::record::SdbEntry;

fn changes() -> Vec<(String, Vec<Change>)> {
    let change = |name: &str, value: Option<&str>, replace| Change {
        name: name.into(),
        value: value.map(Into::into),
        replace,
    };
    vec![
        ("i".into(), vec![change("é", Some(""), true)]),
        (
            "j".into(),
            vec![change("a", None, false), change("b", Some("\0"), false)],
        ),
        ("k".into(), vec![]),
    ]
}

#[test]
fn records_are_read_back_and_cut_ones_are_short() {
    let batch = changes();
    let (put, take) = (
        SdbRecord::Put("dom", &batch),
        SdbRecord::Take("dom", &batch),
    );
    let (create, delete) = (SdbRecord::Create("dom"), SdbRecord::Delete("dom"));
    let entries = [
        (create, SdbEntry::Create("dom".into())),
        (put, SdbEntry::Put("dom".into(), changes())),
        (take, SdbEntry::Take("dom".into(), changes())),
        (delete, SdbEntry::Delete("dom".into())),
    ];
    let marks = [Mark::End(4), Mark::Flushed(1 << 40)];
    for seal in [Seal::Plain, Seal::Salted([7; 16])] {
        let mut bytes = Vec::new();
        let mut written = Vec::new();
        for (record, entry) in &entries {
            let place = bytes.len() as u64;
            write(&mut bytes, record, seal, place);
            written.push((place, format!("{:?}", Frame::State(entry))));
        }
        for mark in &marks {
            let place = bytes.len() as u64;
            write(&mut bytes, mark, seal, place);
            written.push((place, format!("{:?}", Frame::<SdbEntry>::Mark(*mark))));
        }
        let mut place = 0;
        for (begins, frame) in written {
            assert_eq!(place as u64, begins);
            let Read::Record(found, size) = read::<Domains>(&bytes, seal, place) else {
                panic!("not a record");
            };
            assert_eq!(format!("{found:?}"), frame);
            for cut in place..place + size {
                assert_eq!(read::<Domains>(&bytes[..cut], seal, place), Read::Short);
            }
            place += size;
        }
        assert_eq!(read::<Domains>(&bytes, seal, place), Read::Short);
    }
}

#[test]
fn a_record_is_one_in_its_place_of_its_file_only() {
    let seal = Seal::Salted([7; 16]);
    let mut bytes = vec![0; 5];
    write(&mut bytes, &Mark::Flushed(9), seal, 5);
    assert!(matches!(read::<Domains>(&bytes, seal, 5), Read::Record(..)));
    assert_eq!(read::<Domains>(&bytes[1..], seal, 4), Read::Bad);
    assert_eq!(read::<Domains>(&bytes, Seal::Salted([8; 16]), 5), Read::Bad);
    assert_eq!(read::<Domains>(&bytes, Seal::Plain, 5), Read::Bad);
}

#[test]
fn a_flipped_bit_is_seen() {
    let mut bytes = Vec::new();
    write(
        &mut bytes,
        &SdbRecord::Put("dom", &changes()),
        Seal::Plain,
        0,
    );
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut wrong = bytes.clone();
            wrong[at] ^= 1 << bit;
            // In the length it may also make the record seem cut.
            let found = read::<Domains>(&wrong, Seal::Plain, 0);
            assert!(matches!(found, Read::Bad | Read::Short), "{at} {bit}");
            assert!(at < 4 || matches!(found, Read::Bad), "{at} {bit}");
        }
    }
}
