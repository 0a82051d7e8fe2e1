//! `ip()`, `cidr()` and what can be done with them, as in Kubernetes: no IPv4-mapped IPv6
//! addresses, no zones, no leading zeros.

use std::net::IpAddr;

use cel::{
    Env, ExecutionError,
    common::{
        types::{CelBool, CelInt, CelString, STRING_TYPE},
        value::CowVal,
    },
};
use ipnet::IpNet;

use super::{Library, argument, quoted, text, type_of};

pub(super) const LIBRARY: Library = Library {
    register: |env: &mut Env| {
        register_ip(env)?;
        register_cidr(env)
    },
    globals: &["cidr", "ip", "ip.isCanonical", "isCIDR", "isIP"],
    members: &[
        "containsCIDR",
        "containsIP",
        "family",
        "ip",
        "isGlobalUnicast",
        "isLinkLocalMulticast",
        "isLinkLocalUnicast",
        "isLoopback",
        "isUnspecified",
        "masked",
        "prefixLength",
    ],
};

/// An IP address.
#[derive(Clone, Debug, PartialEq)]
struct Ip(IpAddr);

opaque_value!(Ip, "net.IP");

/// A network as it was written: bits after the prefix count.
#[derive(Clone, Debug, PartialEq)]
struct Cidr(IpNet);

opaque_value!(Cidr, "net.CIDR");

fn register_ip(env: &mut Env) -> Result<(), cel::DeclarationError> {
    let string = || vec![STRING_TYPE];
    let ip = type_of::<Ip>;
    env.add_overload("ip", "string_to_ip", string(), |args| {
        parse_ip(text(&args, 0)?).map(CowVal::owned)
    })?;
    env.add_overload("isIP", "is_ip", string(), |args| {
        truth(parse_ip(text(&args, 0)?).is_ok())
    })?;
    env.add_overload("ip.isCanonical", "ip_is_canonical", string(), |args| {
        let written = text(&args, 0)?;
        truth(parse_ip(written)?.0.to_string() == written)
    })?;
    env.add_overload("string", "ip_to_string", vec![ip()], |args| {
        let text = argument::<Ip>(&args, 0)?.0.to_string();
        Ok(CowVal::owned(CelString::from(text)))
    })?;
    env.add_member_overload("family", "ip_family", ip(), vec![], |args| {
        let family = if argument::<Ip>(&args, 0)?.0.is_ipv4() {
            4
        } else {
            6
        };
        Ok(CowVal::owned(CelInt::from(family)))
    })?;
    env.add_member_overload("isUnspecified", "ip_is_unspecified", ip(), vec![], |args| {
        truth(argument::<Ip>(&args, 0)?.0.is_unspecified())
    })?;
    env.add_member_overload("isLoopback", "ip_is_loopback", ip(), vec![], |args| {
        truth(argument::<Ip>(&args, 0)?.0.is_loopback())
    })?;
    env.add_member_overload(
        "isLinkLocalMulticast",
        "ip_is_link_local_multicast",
        ip(),
        vec![],
        |args| truth(is_link_local_multicast(argument::<Ip>(&args, 0)?.0)),
    )?;
    env.add_member_overload(
        "isLinkLocalUnicast",
        "ip_is_link_local_unicast",
        ip(),
        vec![],
        |args| truth(is_link_local_unicast(argument::<Ip>(&args, 0)?.0)),
    )?;
    env.add_member_overload(
        "isGlobalUnicast",
        "ip_is_global_unicast",
        ip(),
        vec![],
        |args| truth(is_global_unicast(argument::<Ip>(&args, 0)?.0)),
    )
}

fn register_cidr(env: &mut Env) -> Result<(), cel::DeclarationError> {
    let string = || vec![STRING_TYPE];
    let cidr = type_of::<Cidr>;
    env.add_overload("cidr", "string_to_cidr", string(), |args| {
        parse_cidr(text(&args, 0)?).map(CowVal::owned)
    })?;
    env.add_overload("isCIDR", "is_cidr", string(), |args| {
        truth(parse_cidr(text(&args, 0)?).is_ok())
    })?;
    env.add_overload("string", "cidr_to_string", vec![cidr()], |args| {
        let text = argument::<Cidr>(&args, 0)?.0.to_string();
        Ok(CowVal::owned(CelString::from(text)))
    })?;
    let ip = vec![type_of::<Ip>()];
    env.add_member_overload("containsIP", "cidr_contains_ip_ip", cidr(), ip, |args| {
        truth(
            argument::<Cidr>(&args, 0)?
                .0
                .contains(&argument::<Ip>(&args, 1)?.0),
        )
    })?;
    env.add_member_overload(
        "containsIP",
        "cidr_contains_ip_string",
        cidr(),
        string(),
        |args| {
            truth(
                argument::<Cidr>(&args, 0)?
                    .0
                    .contains(&parse_ip(text(&args, 1)?)?.0),
            )
        },
    )?;
    env.add_member_overload(
        "containsCIDR",
        "cidr_contains_cidr",
        cidr(),
        vec![cidr()],
        |args| {
            truth(
                argument::<Cidr>(&args, 0)?
                    .0
                    .contains(&argument::<Cidr>(&args, 1)?.0),
            )
        },
    )?;
    env.add_member_overload(
        "containsCIDR",
        "cidr_contains_cidr_string",
        cidr(),
        string(),
        |args| {
            truth(
                argument::<Cidr>(&args, 0)?
                    .0
                    .contains(&parse_cidr(text(&args, 1)?)?.0),
            )
        },
    )?;
    env.add_member_overload("ip", "cidr_ip", cidr(), vec![], |args| {
        Ok(CowVal::owned(Ip(argument::<Cidr>(&args, 0)?.0.addr())))
    })?;
    env.add_member_overload("masked", "cidr_masked", cidr(), vec![], |args| {
        Ok(CowVal::owned(Cidr(argument::<Cidr>(&args, 0)?.0.trunc())))
    })?;
    env.add_member_overload(
        "prefixLength",
        "cidr_prefix_length",
        cidr(),
        vec![],
        |args| {
            let length = argument::<Cidr>(&args, 0)?.0.prefix_len();
            Ok(CowVal::owned(CelInt::from(i64::from(length))))
        },
    )
}

fn truth<'b, 'v>(truth: bool) -> Result<CowVal<'b, 'v>, ExecutionError> {
    Ok(CowVal::owned(CelBool::from(truth)))
}

fn parse_ip(source: &str) -> Result<Ip, ExecutionError> {
    source
        .parse()
        .ok()
        .filter(|address| !matches!(address, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some()))
        .map(Ip)
        .ok_or_else(|| {
            ExecutionError::function_error("ip", format!("{} is not an IP address", quoted(source)))
        })
}

fn parse_cidr(source: &str) -> Result<Cidr, ExecutionError> {
    let parse = || {
        let (address, length) = source.rsplit_once('/')?;
        let canonical = length == "0" || !length.starts_with(['0', '+']);
        let length = length.parse().ok().filter(|_| canonical)?;
        IpNet::new(parse_ip(address).ok()?.0, length).ok()
    };
    parse().map(Cidr).ok_or_else(|| {
        ExecutionError::function_error(
            "cidr",
            format!("{} is not a network in CIDR notation", quoted(source)),
        )
    })
}

fn is_link_local_multicast(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.octets()[..3] == [224, 0, 0],
        IpAddr::V6(v6) => v6.segments()[0] & 0xff0f == 0xff02,
    }
}

fn is_link_local_unicast(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.segments()[0] & 0xffc0 == 0xfe80,
    }
}

/// As Go has it: private addresses are global, too.
fn is_global_unicast(address: IpAddr) -> bool {
    let nowhere =
        address.is_unspecified() || matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    !nowhere && !address.is_loopback() && !address.is_multicast() && !is_link_local_unicast(address)
}

#[cfg(test)]
mod tests {
    use super::super::tests::*;

    #[test]
    fn addresses_are_as_kubernetes_documents() {
        all_true(&[
            "isIP('127.0.0.1') && isIP('::1') && !isIP('127.0.0.256') && !isIP(':::1')",
            "!isIP('::ffff:1.2.3.4') && !isIP('fe80::1%eth0') && !isIP('010.0.0.1') && !isIP('')",
            "ip.isCanonical('127.0.0.1') && ip.isCanonical('2001:db8::abcd')",
            "!ip.isCanonical('2001:DB8::ABCD') && !ip.isCanonical('2001:db8::0:0:0:abcd')",
            "ip('127.0.0.1').family() == 4 && ip('::1').family() == 6",
            "ip('0.0.0.0').isUnspecified() && !ip('127.0.0.1').isUnspecified()",
            "ip('::').isUnspecified() && !ip('::1').isUnspecified()",
            "ip('127.0.0.1').isLoopback() && !ip('192.168.0.1').isLoopback()",
            "ip('::1').isLoopback() && !ip('2001:db8::abcd').isLoopback()",
            "ip('224.0.0.1').isLinkLocalMulticast() && !ip('224.0.1.1').isLinkLocalMulticast()",
            "ip('ff02::1').isLinkLocalMulticast() && !ip('fd00::1').isLinkLocalMulticast()",
            "ip('169.254.169.254').isLinkLocalUnicast() && !ip('192.168.0.1').isLinkLocalUnicast()",
            "ip('fe80::1').isLinkLocalUnicast() && !ip('fd80::1').isLinkLocalUnicast()",
            "ip('192.168.0.1').isGlobalUnicast() && !ip('255.255.255.255').isGlobalUnicast()",
            "ip('2001:db8::abcd').isGlobalUnicast() && !ip('ff00::1').isGlobalUnicast()",
            "string(ip('2001:DB8::0:1')) == '2001:db8::1' && ip('::1') == ip('0:0::1')",
        ]);
        fails("ip('127.0.0.256')");
        fails("ip.isCanonical('127.0.0.1.0')");
    }

    #[test]
    fn networks_are_as_kubernetes_documents() {
        all_true(&[
            "isCIDR('192.168.0.0/16') && isCIDR('::1/128') && isCIDR('0.0.0.0/0')",
            "!isCIDR('192.168.0.0/33') && !isCIDR('::1/129') && !isCIDR('10.0.0.0/08')",
            "!isCIDR('::ffff:1.2.3.4/24') && !isCIDR('10.0.0.0/+8') && !isCIDR('10.0.0.0/')",
            "cidr('192.168.0.0/24').containsIP(ip('192.168.0.1'))",
            "!cidr('192.168.0.0/24').containsIP(ip('192.168.1.1'))",
            "cidr('192.168.0.0/24').containsIP('192.168.0.1')",
            "!cidr('192.168.0.0/24').containsIP('192.168.1.1') && !cidr('::/0').containsIP('1.1.1.1')",
            "cidr('192.168.0.0/16').containsCIDR(cidr('192.168.10.0/24'))",
            "!cidr('192.168.1.0/24').containsCIDR(cidr('192.168.2.0/24'))",
            "cidr('192.168.0.0/16').containsCIDR('192.168.10.0/24')",
            "!cidr('192.168.1.0/24').containsCIDR('192.168.0.0/16')",
            "cidr('192.168.0.1/24').ip() == ip('192.168.0.1') && cidr('::1/128').ip().family() == 6",
            "cidr('192.168.0.1/24').masked() == cidr('192.168.0.0/24')",
            "cidr('192.168.0.1/24') != cidr('192.168.0.1/24').masked()",
            "cidr('192.168.0.0/16').prefixLength() == 16 && cidr('::1/128').prefixLength() == 128",
            "string(cidr('192.168.0.0/24')) == '192.168.0.0/24'",
        ]);
        fails("cidr('192.168.0.0/33')");
        fails("cidr('10.0.0.0/8').containsIP('nonsense')");
    }
}
