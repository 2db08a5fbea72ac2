//! Reading the answer of DescribeInstances.
//!
//! Only a whole answer is one: another root, an instance without an id or a state, a list of something else, or an end in
//! the middle is an error, since what is missing from a list is taken for gone.

use std::str::FromStr;

use aws_core::time::parse_iso8601;
use aws_core::xml::{Xml, XmlError};

use super::describe::InstancePage;
use super::instance::{Instance, SecurityGroup, State};

type Result<T> = std::result::Result<T, XmlError>;

/// Reads a page.
pub(super) fn page(text: &[u8]) -> Result<InstancePage> {
    let mut xml = Xml::new(text)?;
    xml.expect_root("DescribeInstancesResponse")?;
    let mut page = InstancePage::default();
    let mut whole = false;
    while let Some(tag) = xml.child()? {
        match tag.name() {
            "reservationSet" => {
                whole = true;
                items_alone(&mut xml, |xml| reservation(xml, &mut page.instances))?;
            }
            "nextToken" => page.next_token = text_of(&mut xml)?,
            "requestId" => page.request_id = text_of(&mut xml)?,
            _ => xml.skip()?,
        }
    }
    match whole {
        true => Ok(page),
        false => Err(XmlError::new("it has no reservationSet")),
    }
}

/// The elements `item` of a list.
fn items(xml: &mut Xml<'_>, mut item: impl FnMut(&mut Xml<'_>) -> Result<()>) -> Result<()> {
    while let Some(tag) = xml.child()? {
        match tag.name() {
            "item" => item(xml)?,
            _ => xml.skip()?,
        }
    }
    Ok(())
}

/// The elements `item` of a list in which an element of another name is an error: it may be what is looked for.
fn items_alone(xml: &mut Xml<'_>, mut item: impl FnMut(&mut Xml<'_>) -> Result<()>) -> Result<()> {
    while let Some(tag) = xml.child()? {
        match tag.name() {
            "item" => item(xml)?,
            other => {
                let start: String = other.chars().take(64).collect();
                return Err(XmlError::new(format!("a list has <{start}> in it")));
            }
        }
    }
    Ok(())
}

/// A text that is not empty.
fn text_of(xml: &mut Xml<'_>) -> Result<Option<String>> {
    Ok(Some(xml.text()?).filter(|text| !text.is_empty()))
}

/// A value, or nothing for an empty text.
fn value_of<T: FromStr>(xml: &mut Xml<'_>) -> Result<Option<T>> {
    let text = xml.text()?;
    if text.trim().is_empty() {
        return Ok(None);
    }
    let value = text.trim().parse();
    value.map(Some).map_err(|_| {
        let start: String = text.chars().take(64).collect();
        XmlError::new(format!("{start:?} is not a legal value"))
    })
}

fn reservation(xml: &mut Xml<'_>, found: &mut Vec<Instance>) -> Result<()> {
    let (mut id, mut owner, first) = (None, None, found.len());
    let mut whole = false;
    while let Some(tag) = xml.child()? {
        match tag.name() {
            "reservationId" => id = text_of(xml)?,
            "ownerId" => owner = text_of(xml)?,
            "instancesSet" => {
                whole = true;
                items_alone(xml, |xml| {
                    found.push(instance(xml)?);
                    Ok(())
                })?;
            }
            _ => xml.skip()?,
        }
    }
    if !whole {
        return Err(XmlError::new("a reservation has no instancesSet"));
    }
    // Elements have no promised order.
    for instance in &mut found[first..] {
        instance.reservation.clone_from(&id);
        instance.owner.clone_from(&owner);
    }
    Ok(())
}

fn instance(xml: &mut Xml<'_>) -> Result<Instance> {
    let mut read = Instance::new("");
    let mut state = None;
    let mut main_ipv6 = None;
    while let Some(tag) = xml.child()? {
        match tag.name() {
            "instanceId" => read.id = xml.text()?,
            "instanceState" => state = state_of(xml)?,
            "privateIpAddress" => read.private_ip = value_of(xml)?,
            "ipAddress" => read.public_ip = value_of(xml)?,
            "ipv6Address" => main_ipv6 = value_of(xml)?,
            "networkInterfaceSet" => items(xml, |xml| interface(xml, &mut read))?,
            "privateDnsName" => read.private_dns = text_of(xml)?,
            "dnsName" => read.public_dns = text_of(xml)?,
            "groupSet" => items(xml, |xml| {
                read.security_groups.push(group(xml)?);
                Ok(())
            })?,
            "tagSet" => items(xml, |xml| {
                let (key, value) = tag_of(xml)?;
                read.tags.insert(key, value);
                Ok(())
            })?,
            "placement" => placement(xml, &mut read)?,
            "vpcId" => read.vpc = text_of(xml)?,
            "subnetId" => read.subnet = text_of(xml)?,
            "launchTime" => read.launched = parse_iso8601(xml.text()?.trim()),
            "amiLaunchIndex" => read.launch_index = value_of(xml)?,
            "instanceType" => read.instance_type = text_of(xml)?,
            "imageId" => read.image = text_of(xml)?,
            "keyName" => read.key_name = text_of(xml)?,
            "architecture" => read.architecture = text_of(xml)?,
            "reason" => read.reason = text_of(xml)?,
            "iamInstanceProfile" => {
                while let Some(tag) = xml.child()? {
                    match tag.name() {
                        "arn" => read.profile = text_of(xml)?,
                        _ => xml.skip()?,
                    }
                }
            }
            _ => xml.skip()?,
        }
    }
    if read.id.is_empty() {
        return Err(XmlError::new("an instance has no id"));
    }
    if let Some(main) = main_ipv6 {
        read.ipv6.retain(|other| *other != main);
        read.ipv6.insert(0, main);
    }
    read.state = state.ok_or_else(|| XmlError::new("an instance has no state"))?;
    Ok(read)
}

fn state_of(xml: &mut Xml<'_>) -> Result<Option<State>> {
    let (mut code, mut name) = (None, None);
    while let Some(tag) = xml.child()? {
        match tag.name() {
            "code" => code = value_of(xml)?,
            "name" => name = text_of(xml)?,
            _ => xml.skip()?,
        }
    }
    let by_name = || State::from_name(name.as_deref()?);
    Ok(code.map(State::from_code).or_else(by_name))
}

fn interface(xml: &mut Xml<'_>, read: &mut Instance) -> Result<()> {
    while let Some(tag) = xml.child()? {
        match tag.name() {
            "ipv6AddressesSet" => items(xml, |xml| {
                while let Some(tag) = xml.child()? {
                    match tag.name() {
                        "ipv6Address" => {
                            let address = value_of(xml)?;
                            let new = address.filter(|address| !read.ipv6.contains(address));
                            read.ipv6.extend(new);
                        }
                        _ => xml.skip()?,
                    }
                }
                Ok(())
            })?,
            _ => xml.skip()?,
        }
    }
    Ok(())
}

fn group(xml: &mut Xml<'_>) -> Result<SecurityGroup> {
    let mut group = SecurityGroup::default();
    while let Some(tag) = xml.child()? {
        match tag.name() {
            "groupId" => group.id = xml.text()?,
            "groupName" => group.name = xml.text()?,
            _ => xml.skip()?,
        }
    }
    Ok(group)
}

fn tag_of(xml: &mut Xml<'_>) -> Result<(String, String)> {
    let (mut key, mut value) = (String::new(), String::new());
    while let Some(tag) = xml.child()? {
        match tag.name() {
            "key" => key = xml.text()?,
            "value" => value = xml.text()?,
            _ => xml.skip()?,
        }
    }
    Ok((key, value))
}

fn placement(xml: &mut Xml<'_>, read: &mut Instance) -> Result<()> {
    while let Some(tag) = xml.child()? {
        match tag.name() {
            "availabilityZone" => read.zone = text_of(xml)?,
            "groupName" => read.placement_group = text_of(xml)?,
            "tenancy" => read.tenancy = text_of(xml)?,
            _ => xml.skip()?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The form of an instance as moto 5.2 writes it, which has more than is read, in no order of importance.
    const ANSWER: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15"><nextToken>r-9&amp;</nextToken>
<reservationSet><item><reservationId>r-9</reservationId><ownerId>123456789012</ownerId><groupSet/><instancesSet>
<item><architecture>x86_64</architecture><blockDeviceMapping><item><deviceName>/dev/sda1</deviceName></item>
</blockDeviceMapping><networkInterfaceSet><item><association><publicIp>54.214.58.178</publicIp></association>
<groupSet><item><groupId>sg-0</groupId><groupName>other</groupName></item></groupSet><ipv6AddressesSet>
<item><ipv6Address>2600::2</ipv6Address></item><item><ipv6Address>2600::1</ipv6Address></item></ipv6AddressesSet>
<privateIpAddress>10.9.9.9</privateIpAddress></item></networkInterfaceSet><groupSet><item><groupId>sg-1</groupId>
<groupName>chat</groupName></item></groupSet><tagSet><item><key>cluster</key><value>chat &amp; &lt;"é</value></item>
<item><key>empty</key><value></value></item></tagSet><instanceId>i-b7f766561e8a5eed8</instanceId>
<imageId>ami-03cf127a</imageId><instanceState><code>272</code><name>running</name></instanceState>
<privateDnsName>ip-10-161-170-240.ec2.internal</privateDnsName><dnsName/><reason/><amiLaunchIndex>3</amiLaunchIndex>
<instanceType>m1.small</instanceType><launchTime>2026-11-30T00:19:17.000Z</launchTime><placement><groupName/>
<tenancy>default</tenancy><availabilityZone>us-east-1a</availabilityZone></placement><subnetId>subnet-8</subnetId>
<vpcId>vpc-2</vpcId><privateIpAddress>10.161.170.240</privateIpAddress><ipAddress>54.214.58.178</ipAddress>
<ipv6Address>2600::1</ipv6Address></item></instancesSet></item></reservationSet></DescribeInstancesResponse>"#;

    #[test]
    fn an_answer_is_read() {
        let page = page(ANSWER.as_bytes()).unwrap();
        assert_eq!(page.next_token.as_deref(), Some("r-9&"));
        let [one] = &page.instances[..] else {
            panic!("{page:?}")
        };
        // 272 is 256 and 16: the high byte means nothing.
        assert_eq!(
            (&*one.id, one.state),
            ("i-b7f766561e8a5eed8", State::Running)
        );
        assert_eq!(one.private_ip.unwrap().to_string(), "10.161.170.240");
        assert_eq!(one.public_ip.unwrap().to_string(), "54.214.58.178");
        let ipv6: Vec<_> = one.ipv6.iter().map(ToString::to_string).collect();
        assert_eq!(ipv6, ["2600::1", "2600::2"], "the instance's own first");
        assert_eq!(one.tag("cluster"), Some("chat & <\"\u{e9}"));
        assert_eq!((one.tag("empty"), one.name()), (Some(""), None));
        assert_eq!(one.security_groups.len(), 1);
        assert_eq!(one.security_groups[0].name, "chat");
        assert_eq!(
            (one.public_dns.clone(), one.placement_group.clone()),
            (None, None)
        );
        assert_eq!(one.reservation.as_deref(), Some("r-9"));
        assert_eq!((one.launch_index, one.launched.is_some()), (Some(3), true));
    }

    #[test]
    fn each_instance_has_its_own_reservation_and_each_address_once() {
        let of = |id: &str, reservation: &str| {
            format!(
                "<item><instancesSet><item><instanceId>{id}</instanceId><instanceState><code>16</code></instanceState>\
                 <networkInterfaceSet><item><ipv6AddressesSet><item><ipv6Address>2600::1</ipv6Address></item>\
                 <item><ipv6Address>2600::1</ipv6Address></item></ipv6AddressesSet></item></networkInterfaceSet>\
                 </item></instancesSet><reservationId>{reservation}</reservationId></item>"
            )
        };
        let text = format!(
            "<DescribeInstancesResponse><reservationSet>{}{}</reservationSet><nextToken/></DescribeInstancesResponse>",
            of("i-1", "r-1"),
            of("i-2", "r-2")
        );
        let page = page(text.as_bytes()).unwrap();
        assert_eq!(page.next_token, None, "an empty one is none");
        let reservations = page.instances.iter().map(|one| one.reservation.as_deref());
        assert!(reservations.eq([Some("r-1"), Some("r-2")]));
        assert!(page.instances.iter().all(|one| one.ipv6.len() == 1));
    }

    #[test]
    fn an_answer_that_is_cut_anywhere_is_none() {
        for end in (0..ANSWER.len()).filter(|end| ANSWER.is_char_boundary(*end)) {
            assert!(page(&ANSWER.as_bytes()[..end]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn what_is_no_list_of_instances_is_an_error() {
        let list = |inside: &str| {
            format!(
                "<DescribeInstancesResponse><reservationSet>{inside}</reservationSet></DescribeInstancesResponse>"
            )
        };
        let of = |inside: &str| {
            list(&format!(
                "<item><instancesSet><item>{inside}</item></instancesSet></item>"
            ))
        };
        for (text, word) in [
            (String::new(), "empty"),
            (
                "<ListAllMyBucketsResult/>".to_owned(),
                "ListAllMyBucketsResult",
            ),
            ("<html><body>it works</body></html>".to_owned(), "html"),
            ("<DescribeInstancesResponse/>".to_owned(), "reservationSet"),
            ("{}".to_owned(), "begin"),
            (
                list("<member><instancesSet/></member>"),
                "a list has <member>",
            ),
            (
                list("<item><instancesSet><instance/></instancesSet></item>"),
                "a list has <instance>",
            ),
            (
                list("<item><reservationId>r-1</reservationId></item>"),
                "a reservation has no instancesSet",
            ),
            (
                of("<instanceState><code>16</code></instanceState>"),
                "no id",
            ),
            (of("<instanceId>i-1</instanceId>"), "no state"),
            (
                of("<instanceId>i-1</instanceId><privateIpAddress>10.0.0</privateIpAddress>"),
                "10.0.0",
            ),
            (
                of("<instanceId>i-1</instanceId><instanceState><code>x</code></instanceState>"),
                "x",
            ),
        ] {
            let error = page(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
        for empty in ["", "<item><instancesSet/></item>", "<!-- none -->"] {
            assert!(page(list(empty).as_bytes()).unwrap().instances.is_empty());
        }
        let named =
            of("<instanceId>i-1</instanceId><instanceState><name>stopping</name></instanceState>");
        assert_eq!(
            page(named.as_bytes()).unwrap().instances[0].state,
            State::Stopping
        );
        let odd = of("<instanceId>i-1</instanceId><instanceState><code>96</code></instanceState>");
        assert_eq!(
            page(odd.as_bytes()).unwrap().instances[0].state,
            State::Other(96)
        );
    }
}
