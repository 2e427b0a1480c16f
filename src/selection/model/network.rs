use super::{RulesError, serde_as_text};
use std::{fmt, net::IpAddr, str::FromStr};

/// A range of addresses; [`Text::network`](super::Text::network) describes it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Network {
    first: Address,
    /// How many bits of an address are open.
    open: u8,
}

impl Network {
    /// Whether the address is in it. An IPv4-mapped IPv6 address counts as the IPv4 address.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        self.has(Address::from(address))
    }

    #[inline]
    pub(crate) fn has(&self, address: Address) -> bool {
        let differ = self.first.bits ^ address.bits;
        self.first.v4 == address.v4 && differ.checked_shr(self.open.into()).unwrap_or(0) == 0
    }

    fn masked(self) -> Self {
        let mask = u128::MAX.checked_shl(self.open.into()).unwrap_or(0);
        let mut masked = self;
        masked.first.bits &= mask;
        masked
    }
}

/// An address as one number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Address {
    bits: u128,
    v4: bool,
}

impl Address {
    fn width(self) -> u8 {
        if self.v4 { 32 } else { 128 }
    }

    /// Returns a number for the owner of the address, never zero. For IPv6 it is the /64, because
    /// hosts choose the rest. Bit 64 marks IPv6, bit 65 IPv4.
    pub(crate) fn site(self) -> u128 {
        if self.v4 {
            1 << 65 | self.bits
        } else {
            1 << 64 | self.bits >> 64
        }
    }

    pub(crate) fn ip(self) -> IpAddr {
        if self.v4 {
            // An IPv4 address has 32 bits.
            IpAddr::V4((self.bits as u32).into())
        } else {
            IpAddr::V6(self.bits.into())
        }
    }
}

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        Self::as_written(address.to_canonical())
    }
}

impl Address {
    fn as_written(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(a) => Self {
                bits: a.to_bits().into(),
                v4: true,
            },
            IpAddr::V6(a) => Self {
                bits: a.to_bits(),
                v4: false,
            },
        }
    }
}

impl FromStr for Network {
    type Err = RulesError;

    fn from_str(text: &str) -> Result<Self, RulesError> {
        let expected = || {
            RulesError::expected("expected an address or a network such as `10.0.0.0/8` or `::1`")
        };
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let first = Address::as_written(address.parse().map_err(|_| expected())?);
        let digits = |prefix: &str| prefix.bytes().all(|b| b.is_ascii_digit());
        let prefix = match prefix {
            None => first.width(),
            Some(prefix) if digits(prefix) => prefix.parse().map_err(|_| expected())?,
            Some(_) => return Err(expected()),
        };
        let open = first.width().checked_sub(prefix).ok_or_else(expected)?;
        let network = Self {
            // Peers have the same form.
            first: match first.ip().to_canonical() {
                mapped @ IpAddr::V4(_) if open <= 32 => Address::as_written(mapped),
                _ => first,
            },
            open,
        };
        // It would select more than its author may think.
        if network.masked() == network {
            Ok(network)
        } else {
            let masked = network.masked();
            Err(RulesError::expected(format!(
                "expected a network without bits beyond its prefix, such as `{masked}`"
            )))
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first.ip(), self.first.width() - self.open)
    }
}

serde_as_text!(Network, "an address or a network such as `10.0.0.0/8`");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks() {
        let holds = |network: &str, address: &str| {
            let network: Network = network.parse().unwrap();
            network.contains(address.parse().unwrap())
        };
        assert!(holds("10.0.0.0/8", "10.255.0.1"));
        assert!(!holds("10.0.0.0/8", "11.0.0.0"));
        assert!(holds("10.0.0.0/8", "::ffff:10.1.2.3"));
        assert!(holds("::ffff:10.0.0.0/104", "10.1.2.3"));
        assert!(holds("::ffff:10.1.2.3", "::ffff:10.1.2.3"));
        assert!(!holds("::ffff:10.0.0.0/104", "11.0.0.0"));
        let mapped: Network = "::ffff:10.0.0.0/104".parse().unwrap();
        assert_eq!(mapped.to_string(), "10.0.0.0/8");
        assert!(holds("0.0.0.0/0", "255.255.255.255"));
        assert!(!holds("0.0.0.0/0", "::1"));
        assert!(holds("::/0", "::1"));
        assert!(holds("127.0.0.1", "127.0.0.1") && !holds("127.0.0.1", "127.0.0.2"));
        assert!(holds("2001:db8::/32", "2001:db8:ffff::1"));
        assert!(!holds("2001:db8::/32", "2001:db9::"));
        for bad in [
            "",
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "a",
            "::/129",
            "10.0.0.1/8",
            "::ffff:10.0.0.1/104",
            "::ffff:0:0/95",
        ] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
        let error = "10.1.2.3/8".parse::<Network>().unwrap_err().to_string();
        assert!(error.contains("10.0.0.0/8"), "{error}");
    }
}
