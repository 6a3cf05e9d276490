//! Which addresses may be connected to.
//!
//! An address of IPv6 that carries one of IPv4 (mapped, NAT64, 6to4) is judged
//! by the one that it carries: that is where the packets go.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use Class::{Metadata, Never, Private, Public};

/// What a connection opens beyond public addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Policy {
    /// Loopback, private and link-local addresses.
    pub private: bool,
    /// Addresses at which clouds hand out credentials.
    pub metadata: bool,
}

/// An address that may not be connected to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{address} is {kind}")]
pub struct Denied {
    /// The address, as it was given.
    pub address: IpAddr,
    /// What it is, with its article.
    pub kind: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Public,
    /// Opened by `allowPrivate`.
    Private(&'static str),
    /// Opened by `allowMetadata`.
    Metadata(&'static str),
    /// Not the address of a server.
    Never(&'static str),
}

const METADATA: Class = Metadata("a metadata address");

/// Metadata services of the large clouds, IPv4: most, containers on AWS (2),
/// Alibaba, Oracle, Azure's host agent, whose address is public otherwise.
const METADATA_V4: [Ipv4Addr; 6] = [
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(169, 254, 170, 2),
    Ipv4Addr::new(169, 254, 170, 23),
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(192, 0, 0, 192),
    Ipv4Addr::new(168, 63, 129, 16),
];

/// The same over IPv6: AWS (2) and Google.
const METADATA_V6: [Ipv6Addr; 3] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
];

impl Policy {
    /// Whether an address may be connected to.
    pub fn check(self, address: IpAddr) -> Result<(), Denied> {
        let kind = match class(address) {
            Public => return Ok(()),
            Private(_) if self.private => return Ok(()),
            Metadata(_) if self.metadata => return Ok(()),
            Private(kind) | Metadata(kind) | Never(kind) => kind,
        };
        Err(Denied { address, kind })
    }
}

fn class(address: IpAddr) -> Class {
    match address {
        IpAddr::V4(v4) => class_v4(v4),
        IpAddr::V6(v6) => class_v6(v6),
    }
}

fn class_v4(address: Ipv4Addr) -> Class {
    if METADATA_V4.contains(&address) {
        return METADATA;
    }
    match address.octets() {
        [0, ..] => Never("an unspecified address"),
        [127, ..] => Private("a loopback address"),
        [10, ..] | [192, 168, ..] | [172, 16..=31, ..] => Private("a private address"),
        [169, 254, ..] => Private("a link-local address"),
        [100, 64..=127, ..] => Private("an address of a carrier's network"),
        [198, 18 | 19, ..] => Private("an address for benchmarks"),
        [192, 0, 0, _] | [192, 88, 99, _] => Never("a reserved address"),
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => {
            Never("an address for documentation")
        }
        [224..=239, ..] => Never("a multicast address"),
        [255, 255, 255, 255] => Never("the broadcast address"),
        [240..=255, ..] => Never("a reserved address"),
        _ => Public,
    }
}

fn class_v6(address: Ipv6Addr) -> Class {
    if METADATA_V6.contains(&address) {
        return METADATA;
    }
    if let Some(v4) = carried(address) {
        return class_v4(v4);
    }
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Never("an unspecified address"),
        [0, 0, 0, 0, 0, 0, 0, 1] => Private("a loopback address"),
        [0xfc00..=0xfdff, ..] => Private("a private address"),
        [0xfe80..=0xfeff, ..] => Private("a link-local address"),
        [0xff00..=0xffff, ..] => Never("a multicast address"),
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Never("an address for documentation"),
        // Protocol assignments, Teredo among them, which hides an IPv4 address.
        [0x2001, 0..=0x1ff, ..] => Never("a reserved address"),
        [0x2000..=0x3fff, ..] => Public,
        _ => Never("a reserved address"),
    }
}

/// The IPv4 address that an IPv6 address carries.
fn carried(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let join = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match address.segments() {
        // `::` and `::1` are no carriers.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        // Compatible (RFC 4291 2.5.5.1), mapped (2.5.5.2), translated (RFC 2765).
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0, 0, 0, 0, 0xffff, 0, high, low] => {
            Some(join(high, low))
        }
        // NAT64, well-known prefix (RFC 6052).
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(join(high, low)),
        // 6to4 (RFC 3056).
        [0x2002, high, low, ..] => Some(join(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: Policy = Policy {
        private: true,
        metadata: false,
    };
    const WIDE: Policy = Policy {
        private: true,
        metadata: true,
    };

    fn refused(policy: Policy, address: &str) -> Option<&'static str> {
        policy.check(address.parse().unwrap()).err().map(|d| d.kind)
    }

    #[test]
    fn public_addresses_are_open() {
        for address in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:200::1",
            "2003::1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
        ] {
            assert_eq!(refused(Policy::default(), address), None, "{address}");
        }
    }

    #[test]
    fn private_addresses_are_opened_by_a_connection_alone() {
        for address in [
            "127.0.0.1",
            "127.255.255.255",
            "10.0.0.0",
            "10.255.255.255",
            "172.16.0.0",
            "172.31.255.255",
            "192.168.0.0",
            "192.168.255.255",
            "169.254.0.1",
            "100.64.0.0",
            "100.127.255.255",
            "198.18.0.0",
            "198.19.255.255",
            "::1",
            "fc00::1",
            "fdff::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "::ffff:127.0.0.1",
            "::ffff:10.1.2.3",
            "::ffff:0:192.168.1.1",
            "::7f00:1",
            "64:ff9b::127.0.0.1",
            "64:ff9b::a00:1",
            "2002:7f00:1::",
            "2002:c0a8:101::1",
        ] {
            assert!(refused(Policy::default(), address).is_some(), "{address}");
            assert_eq!(refused(OPEN, address), None, "{address}");
        }
    }

    #[test]
    fn metadata_addresses_need_their_own_flag() {
        for address in [
            "169.254.169.254",
            "169.254.170.2",
            "169.254.170.23",
            "100.100.100.200",
            "192.0.0.192",
            "168.63.129.16",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fd20:ce::254",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::",
        ] {
            assert_eq!(
                refused(OPEN, address),
                Some("a metadata address"),
                "{address}"
            );
            assert_eq!(refused(WIDE, address), None, "{address}");
        }
    }

    #[test]
    fn addresses_that_no_server_has_are_never_open() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
            "3fff::1",
            "100::1",
            "64:ff9b:1::1",
            "4000::1",
            "5f00::1",
            "::ffff:0.0.0.0",
            "64:ff9b::e000:1",
            "2002:ffff:ffff::1",
        ] {
            assert!(refused(WIDE, address).is_some(), "{address}");
        }
    }
}
