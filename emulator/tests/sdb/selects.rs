//! The select language against the cases of `select.txt`, and how its pages go together.

use emulator::SdbModes;

use crate::bench::{Bench, bench};

const CASES: &str = include_str!("select.txt");

async fn put(bench: &mut Bench, domain: &str, line: &str) {
    let mut fields = line.split(" | ");
    let item = fields.next().unwrap();
    let mut pairs = Vec::new();
    for field in fields {
        let (name, values) = field.split_once(": ").unwrap();
        pairs.extend(values.split("; ").map(|value| (name, value)));
    }
    bench.put_to(domain, item, &pairs).await;
}

/// The text of a name or value in an answer.
fn plain(text: &str) -> String {
    text.replace("&quot;", "\"").replace("&amp;", "&")
}

/// What the cases file would say of an answer.
async fn found(bench: &mut Bench, expression: &str) -> String {
    let reply = bench
        .call("Select", &[("SelectExpression", expression)])
        .await;
    if reply.status != 200 {
        return format!("! {}", reply.error().1);
    }
    if expression
        .to_ascii_lowercase()
        .starts_with("select count(*)")
    {
        return format!("= {}", reply.all("Value")[0]);
    }
    let text = reply.text();
    let items = text.split("<Item><Name>").skip(1);
    let mut names: Vec<_> = items
        .map(|item| plain(item.split('<').next().unwrap()))
        .collect();
    if !expression.to_ascii_lowercase().contains(" order by ") {
        names.sort();
    }
    match names.as_slice() {
        [] => "-".to_owned(),
        names => names.join(" "),
    }
}

#[tokio::test]
async fn every_case_of_the_table_holds() {
    let mut bench = bench().await;
    let mut domain = "";
    let mut asked: Option<&str> = None;
    let (mut cases, mut wrong) = (0, Vec::new());
    for line in CASES
        .lines()
        .skip_while(|line| !line.starts_with("domain "))
    {
        if let Some(expression) = asked.take() {
            let mut expected = line.to_owned();
            let is_list = !line.starts_with(['!', '=', '-']);
            if is_list && !expression.to_ascii_lowercase().contains(" order by ") {
                let mut names: Vec<_> = line.split(' ').collect();
                names.sort_unstable();
                expected = names.join(" ");
            }
            let found = found(&mut bench, expression).await;
            if found != expected {
                wrong.push(format!("{expression}\n  found {found}\n  not   {expected}"));
            }
            cases += 1;
        } else if let Some(name) = line.strip_prefix("domain ") {
            domain = name;
            bench.ok("CreateDomain", &[("DomainName", name)]).await;
        } else if let Some(item) = line.strip_prefix("item ") {
            put(&mut bench, domain, item).await;
        } else if !line.is_empty() && !line.starts_with(' ') {
            asked = Some(line);
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {cases}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(cases > 140, "{cases}");
    assert_eq!(asked, None);
}

async fn numbered(bench: &mut Bench, count: usize) {
    for n in 0..count {
        bench
            .put(&format!("i{n:02}"), &[("n", &format!("{n:02}"))])
            .await;
    }
}

async fn page(
    bench: &mut Bench,
    expression: &str,
    token: Option<&str>,
) -> (String, Option<String>) {
    let mut params = vec![("SelectExpression", expression)];
    params.extend(token.map(|token| ("NextToken", token)));
    let reply = bench.ok("Select", &params).await;
    let token = reply
        .all("NextToken")
        .first()
        .map(|token| (*token).to_owned());
    let found = if expression.contains("count(*)") {
        reply.all("Value").join(" ")
    } else {
        reply.all("Name").join(" ")
    };
    (found, token)
}

#[tokio::test]
async fn a_token_is_of_its_items_and_their_order() {
    let mut bench = bench().await;
    numbered(&mut bench, 9).await;
    let filter = "from dom where n > '00' order by n";
    // A count goes ahead, as over an offset, and a select goes on behind it.
    let (count, token) = page(
        &mut bench,
        &format!("select count(*) {filter} limit 5"),
        None,
    )
    .await;
    assert_eq!(count, "5");
    let (names, token) = page(
        &mut bench,
        &format!("select itemName() {filter} limit 2"),
        token.as_deref(),
    )
    .await;
    assert_eq!(names, "i06 i07");
    let (names, end) = page(
        &mut bench,
        &format!("select itemName()  {filter}"),
        token.as_deref(),
    )
    .await;
    assert_eq!((names.as_str(), end), ("i08", None));
    let token = token.unwrap();
    for other in [
        "select itemName() from dom where n > '01' order by n",
        "select itemName() from dom where n > '00' order by n desc",
        "select itemName() from dom where n > '00'",
        "select itemName() from dom",
    ] {
        let params = [("SelectExpression", other), ("NextToken", token.as_str())];
        let reply = bench.call("Select", &params).await;
        assert_eq!(reply.error(), (400, "InvalidNextToken"), "{other}");
    }
    let first = format!("select itemName() {filter} limit 2");
    for token in ["", "x", "====", &token[..20], &format!("{token}AAAA")] {
        let params = [("SelectExpression", first.as_str()), ("NextToken", token)];
        let reply = bench.call("Select", &params).await;
        assert_eq!(reply.error(), (400, "InvalidNextToken"), "{token}");
    }
}

#[tokio::test]
async fn a_page_goes_on_where_the_last_ended_whatever_was_written_between() {
    let mut bench = bench().await;
    numbered(&mut bench, 6).await;
    let expression = "select itemName() from dom where n >= '00' order by n limit 2";
    let (names, token) = page(&mut bench, expression, None).await;
    assert_eq!(names, "i00 i01");
    let dom = ("DomainName", "dom");
    for gone in ["i01", "i02"] {
        bench
            .ok("DeleteAttributes", &[dom, ("ItemName", gone)])
            .await;
    }
    bench.put("i00a", &[("n", "00a")]).await;
    bench.put("i02a", &[("n", "02a")]).await;
    let (names, token) = page(&mut bench, expression, token.as_deref()).await;
    assert_eq!(names, "i02a i03");
    let (names, token) = page(&mut bench, expression, token.as_deref()).await;
    assert_eq!((names.as_str(), token), ("i04 i05", None));
}

#[tokio::test]
async fn counts_can_be_partial_and_add_up() {
    let mut bench = bench().await;
    numbered(&mut bench, 10).await;
    bench
        .emulator
        .set_sdb_modes(SdbModes::default().rows_max(4));
    let expression = "select count(*) from dom where n like '%' and n != '03'";
    let mut counts = Vec::new();
    let mut token = None;
    loop {
        let (count, next) = page(&mut bench, expression, token.as_deref()).await;
        counts.push(count);
        token = next;
        if token.is_none() {
            break;
        }
    }
    assert_eq!(counts, ["3", "4", "2"]);
    let (none, token) = page(
        &mut bench,
        "select itemName() from dom where n like '%9'",
        None,
    )
    .await;
    assert_eq!(none, "");
    assert!(token.is_some());
    bench.emulator.set_sdb_modes(SdbModes::default());
    assert_eq!(page(&mut bench, expression, None).await.0, "9");
}

#[tokio::test]
async fn only_what_is_asked_for_comes_back() {
    let mut bench = bench().await;
    bench
        .put("i", &[("a", "1"), ("b", "2"), ("b", "3"), ("c", "4")])
        .await;
    for (output, values) in [
        ("*", vec!["1", "2", "3", "4"]),
        ("itemName()", vec![]),
        ("b", vec!["2", "3"]),
        ("c, a", vec!["1", "4"]),
        ("nosuch", vec![]),
    ] {
        let reply = bench.select(&format!("select {output} from dom")).await;
        assert_eq!(reply.all("Value"), values, "{output}");
        assert!(reply.text().contains("<Item><Name>i</Name>"), "{output}");
    }
    let names = |count| {
        (0..count)
            .map(|n| format!("a{n}"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    bench
        .select(&format!("select {} from dom", names(256)))
        .await;
    let many = format!("select {} from dom", names(257));
    let reply = bench.call("Select", &[("SelectExpression", &many)]).await;
    assert_eq!(reply.error(), (400, "TooManyRequestedAttributes"));
    let filter = |count| (0..count).map(|n| format!("a{n}")).collect::<Vec<_>>();
    let many = |count| {
        format!(
            "select * from dom where {} = ''",
            filter(count).join(" = '' or ")
        )
    };
    bench.select(&many(20)).await;
    let reply = bench
        .call("Select", &[("SelectExpression", &many(21))])
        .await;
    assert_eq!(reply.error(), (400, "InvalidNumberPredicates"));
}
