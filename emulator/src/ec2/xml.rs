//! Answers in EC2's XML.

use std::collections::BTreeMap;

use super::error::Ec2Error;
use super::row::{Group, InstanceRow};
use crate::xml::{DECLARATION, element};

fn wrap(out: &mut String, name: &str, inside: impl FnOnce(&mut String)) {
    out.push_str(&format!("<{name}>"));
    inside(out);
    out.push_str(&format!("</{name}>"));
}

pub(super) fn error(error: &Ec2Error, request_id: &str) -> String {
    let mut out = format!("{DECLARATION}<Response><Errors><Error>");
    element(&mut out, "Code", error.code);
    element(&mut out, "Message", &error.message);
    out.push_str("</Error></Errors>");
    element(&mut out, "RequestID", request_id);
    out.push_str("</Response>");
    out
}

/// The answer to an action: what is inside of its envelope.
pub(super) fn response(action: &str, version: &str, request_id: &str, inside: &str) -> String {
    let mut out = format!(
        "{DECLARATION}<{action}Response xmlns=\"http://ec2.amazonaws.com/doc/{version}/\">"
    );
    element(&mut out, "requestId", request_id);
    out.push_str(inside);
    out.push_str(&format!("</{action}Response>"));
    out
}

pub(super) fn instances(rows: &[&InstanceRow], next: Option<&str>) -> String {
    let mut reservations: BTreeMap<&str, Vec<&InstanceRow>> = BTreeMap::new();
    for row in rows {
        reservations.entry(&row.reservation).or_default().push(row);
    }
    let mut out = String::new();
    wrap(&mut out, "reservationSet", |out| {
        for (id, rows) in reservations {
            wrap(out, "item", |out| {
                element(out, "reservationId", id);
                element(out, "ownerId", &rows[0].owner);
                // Since there are VPCs, groups are the instances'.
                out.push_str("<groupSet/>");
                wrap(out, "instancesSet", |out| {
                    for row in rows {
                        wrap(out, "item", |out| instance(out, row));
                    }
                });
            });
        }
    });
    if let Some(next) = next {
        element(&mut out, "nextToken", next);
    }
    out
}

fn instance(out: &mut String, row: &InstanceRow) {
    element(out, "instanceId", &row.id);
    element(out, "imageId", &row.image);
    wrap(out, "instanceState", |out| {
        element(out, "code", &row.state.code().to_string());
        element(out, "name", row.state.name());
    });
    // Present and empty where there is none.
    element(out, "privateDnsName", row.private_dns().unwrap_or_default());
    element(out, "dnsName", row.public_dns().unwrap_or_default());
    out.push_str("<reason/>");
    optional(out, "keyName", row.key_name.as_deref());
    element(out, "amiLaunchIndex", &row.index.to_string());
    out.push_str("<productCodes/>");
    element(out, "instanceType", &row.kind);
    element(out, "launchTime", &row.launched);
    wrap(out, "placement", |out| {
        element(out, "availabilityZone", &row.zone);
        element(out, "groupName", &row.placement_group);
        element(out, "tenancy", &row.tenancy);
    });
    out.push_str("<monitoring><state>disabled</state></monitoring>");
    let alive = row.private_ip().is_some() || !row.ipv6().is_empty();
    if alive {
        element(out, "subnetId", &row.subnet);
        element(out, "vpcId", &row.vpc);
    }
    optional(out, "privateIpAddress", row.private_ip());
    optional(out, "ipAddress", row.public_ip());
    optional(out, "ipv6Address", row.ipv6().first().map(String::as_str));
    out.push_str("<sourceDestCheck>true</sourceDestCheck>");
    groups(out, &row.groups);
    element(out, "architecture", &row.architecture);
    out.push_str("<rootDeviceType>ebs</rootDeviceType><rootDeviceName>/dev/xvda</rootDeviceName>");
    out.push_str("<blockDeviceMapping/><virtualizationType>hvm</virtualizationType><clientToken/>");
    if !row.tags.is_empty() {
        wrap(out, "tagSet", |out| {
            for (key, value) in &row.tags {
                wrap(out, "item", |out| {
                    element(out, "key", key);
                    element(out, "value", value);
                });
            }
        });
    }
    out.push_str("<hypervisor>xen</hypervisor>");
    wrap(out, "networkInterfaceSet", |out| {
        if alive {
            wrap(out, "item", |out| interface(out, row));
        }
    });
    if let Some(arn) = &row.profile {
        wrap(out, "iamInstanceProfile", |out| element(out, "arn", arn));
    }
    out.push_str("<ebsOptimized>false</ebsOptimized>");
}

fn interface(out: &mut String, row: &InstanceRow) {
    element(out, "networkInterfaceId", &row.id.replacen("i-", "eni-", 1));
    element(out, "subnetId", &row.subnet);
    element(out, "vpcId", &row.vpc);
    element(out, "ownerId", &row.owner);
    element(out, "status", "in-use");
    optional(out, "privateIpAddress", row.private_ip());
    groups(out, &row.groups);
    wrap(out, "ipv6AddressesSet", |out| {
        for address in row.ipv6() {
            wrap(out, "item", |out| element(out, "ipv6Address", address));
        }
    });
}

fn groups(out: &mut String, groups: &[Group]) {
    wrap(out, "groupSet", |out| {
        for group in groups {
            wrap(out, "item", |out| {
                element(out, "groupId", &group.id);
                element(out, "groupName", &group.name);
            });
        }
    });
}

fn optional(out: &mut String, name: &str, text: Option<&str>) {
    if let Some(text) = text {
        element(out, name, text);
    }
}
