//! Which addresses may be called. Banks choose them, and the service stands where much can be reached that they cannot reach
//! themselves; so what is checked is the address that is connected to, at the moment of connecting, and not only the text.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use thiserror::Error;

/// Longest address, in bytes.
const URL_BYTES_MAX: usize = 2048;

/// Networks of IPv4 that are not public, or not for everybody: first address and bits.
const NOT_PUBLIC_V4: &[(Ipv4Addr, u32)] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    // Shared by customers of a carrier; clouds have their metadata in it.
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(168, 63, 129, 16), 32),
    // Link-local, with most clouds' metadata.
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    // Multicast, reserved, broadcast.
    (Ipv4Addr::new(224, 0, 0, 0), 3),
];

/// Networks within 2000::/3 that are not public: first address and bits. Outside of 2000::/3 nothing is.
const NOT_PUBLIC_V6: &[(Ipv6Addr, u32)] = &[
    // Teredo, ORCHID, benchmarks and other special purposes.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    // 6to4: an IPv4 address inside, over relays that nobody answers for.
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Why an address is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum UrlRefusal {
    /// It is none, or too long.
    #[error("it is not an address of at most 2048 characters, for instance https://bank.example/yuxin")]
    NotAnAddress,
    /// Another scheme than https.
    #[error("it must begin with https://")]
    Scheme,
    /// A name and password in it.
    #[error("it must not hold a name or password before the host")]
    UserInfo,
    /// A `#`.
    #[error("it must not have a part after #")]
    Fragment,
    /// A port that is not for web servers.
    #[error("its port must be 443 or lie above 1023")]
    Port,
    /// The address of a network that is not public.
    #[error("its host must be public: private, local and reserved addresses are not called")]
    NotPublic,
}

/// A network: the addresses that begin with these bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    first: IpAddr,
    bits: u32,
}

impl Network {
    fn parse(text: &str) -> Option<Network> {
        let (first, bits) = text.split_once('/')?;
        let (first, bits): (IpAddr, u32) = (first.parse().ok()?, bits.parse().ok()?);
        (bits <= if first.is_ipv4() { 32 } else { 128 }).then_some(Network { first, bits })
    }

    fn holds(self, address: IpAddr) -> bool {
        match (self.first, address) {
            (IpAddr::V4(first), IpAddr::V4(address)) => within_v4(address, first, self.bits),
            (IpAddr::V6(first), IpAddr::V6(address)) => within_v6(address, first, self.bits),
            _ => false,
        }
    }
}

fn within_v4(address: Ipv4Addr, first: Ipv4Addr, bits: u32) -> bool {
    let differ = u32::from(address) ^ u32::from(first);
    differ.checked_shr(32 - bits).unwrap_or(0) == 0
}

fn within_v6(address: Ipv6Addr, first: Ipv6Addr, bits: u32) -> bool {
    let differ = u128::from(address) ^ u128::from(first);
    differ.checked_shr(128 - bits).unwrap_or(0) == 0
}

/// Which addresses may be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AddressRules {
    allow_http: bool,
    private: Vec<Network>,
}

impl AddressRules {
    /// The rules with these exceptions; `None` where the text is not a list of networks.
    pub(super) fn new(allow_http: bool, allow_private: &str) -> Option<AddressRules> {
        let private: Option<Vec<Network>> = allow_private.split_whitespace().map(Network::parse).collect();
        Some(AddressRules { allow_http, private: private? })
    }

    /// Whether an address may be connected to.
    pub(super) fn allows(&self, address: IpAddr) -> bool {
        // ::ffff:127.0.0.1 is 127.0.0.1 by another name.
        let address = address.to_canonical();
        self.private.iter().any(|network| network.holds(address)) || is_public(address)
    }

    /// Those of a name's addresses that may be connected to.
    pub(super) fn allowed(&self, found: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
        found.filter(|address| self.allows(address.ip())).collect()
    }

    /// Whether plain http is taken.
    pub(super) fn allows_http(&self) -> bool {
        self.allow_http
    }

    /// Checks what an address says of itself. `host` is as a URL parser gives it, which writes an IPv4 address in the usual form
    /// whether it came in decimal, octal or hexadecimal.
    pub(super) fn check(&self, url: &UrlParts<'_>) -> Result<(), UrlRefusal> {
        match url.scheme {
            "https" => {}
            "http" if self.allow_http => {}
            _ => return Err(UrlRefusal::Scheme),
        }
        if url.bytes > URL_BYTES_MAX || url.host.is_empty() {
            return Err(UrlRefusal::NotAnAddress);
        }
        if url.user_info {
            return Err(UrlRefusal::UserInfo);
        }
        if url.fragment {
            return Err(UrlRefusal::Fragment);
        }
        // Where private networks are allowed, what listens there is known.
        let usual = matches!((url.scheme, url.port), ("https", 443) | ("http", 80) | (_, 1024..));
        if !usual && self.private.is_empty() {
            return Err(UrlRefusal::Port);
        }
        // Of names only this one says by itself where it leads; the others are looked up when the connection is made.
        let name = url.host.trim_end_matches('.');
        let literal: Option<IpAddr> = url.host.trim_start_matches('[').trim_end_matches(']').parse().ok();
        let allowed = match literal {
            Some(address) => self.allows(address),
            None => !self.private.is_empty() || !(name == "localhost" || name.ends_with(".localhost")),
        };
        if allowed { Ok(()) } else { Err(UrlRefusal::NotPublic) }
    }
}

/// What the rules look at in an address.
#[derive(Debug, Clone, Copy)]
pub(super) struct UrlParts<'a> {
    pub(super) bytes: usize,
    pub(super) scheme: &'a str,
    pub(super) user_info: bool,
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) fragment: bool,
}

/// Whether everybody on the internet reaches the same machine under it.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !NOT_PUBLIC_V4.iter().any(|(first, bits)| within_v4(address, *first, *bits)),
        IpAddr::V6(address) => {
            let public = within_v6(address, Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3)
                && !NOT_PUBLIC_V6.iter().any(|(first, bits)| within_v6(address, *first, *bits));
            (public || is_nat64(address)) && embedded(address).is_none_or(|inner| is_public(IpAddr::V4(inner)))
        }
    }
}

/// Whether it stands for an IPv4 address behind a translator, which is all that counts then.
fn is_nat64(address: Ipv6Addr) -> bool {
    within_v6(address, Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96)
}

/// The IPv4 address to which a gateway passes on what is sent to this one: NAT64 (where a network has only IPv6, public servers
/// have such addresses) and ISATAP.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let parts = address.segments();
    let isatap = (parts[4] & !0x0200) == 0 && parts[5] == 0x5efe;
    (is_nat64(address) || isatap).then(|| {
        let [a, b] = parts[6].to_be_bytes();
        let [c, d] = parts[7].to_be_bytes();
        Ipv4Addr::new(a, b, c, d)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(private: &str) -> AddressRules {
        AddressRules::new(false, private).unwrap()
    }

    #[test]
    fn no_address_is_allowed_that_is_not_public_in_whatever_form() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::127.0.0.1",
            "fd00::5efe:8.8.8.8",
            "fe80::200:5efe:8.8.8.8",
            "::5efe:8.8.8.8",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2001:20::1",
            "2002:7f00:1::1",
            "2002:a9fe:a9fe::",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2a00:1450::5efe:10.0.0.1",
            "2a00:1450::200:5efe:127.0.0.1",
        ] {
            assert!(!rules("").allows(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn public_addresses_are_allowed() {
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "99.255.255.255",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.1",
            "172.15.255.255",
            "172.32.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.5.5.5",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2400:3200::1",
            "2a00:1450:4001:81b::200e",
            "240e::1",
        ] {
            assert!(rules("").allows(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn a_named_network_is_an_exception_and_nothing_beside_it() {
        let rules = rules("10.20.0.0/16  fd12:3456::/32");
        for (address, allowed) in [
            ("10.20.255.1", true),
            ("::ffff:10.20.0.1", true),
            ("10.21.0.1", false),
            ("fd12:3456:1::1", true),
            ("fd12:3457::1", false),
            ("127.0.0.1", false),
        ] {
            assert_eq!(rules.allows(address.parse().unwrap()), allowed, "{address}");
        }
        for nonsense in ["10.0.0.0", "10.0.0.0/33", "::/129", "localhost/8", "10.0.0.0/8,11.0.0.0/8", "/8"] {
            assert_eq!(AddressRules::new(false, nonsense), None, "{nonsense}");
        }
        assert!(AddressRules::new(false, "0.0.0.0/0").unwrap().allows("127.0.0.1".parse().unwrap()));
    }

    #[test]
    fn of_a_names_addresses_only_the_public_ones_are_kept() {
        let found = ["10.0.0.1:0", "8.8.8.8:0", "[::1]:0"].map(|address| address.parse().unwrap());
        assert_eq!(rules("").allowed(found.into_iter()), ["8.8.8.8:0".parse().unwrap()]);
    }
}
