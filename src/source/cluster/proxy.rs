//! Which servers are reached without the proxy of the environment.

use std::net::IpAddr;

use http::Uri;
use ipnet::IpNet;

/// Whether the value of `NO_PROXY` names a server: `*`, a host, a domain with all below it, an
/// address or a network, each perhaps with a port. kube 5.0 compares the proxy's own host instead.
pub(super) fn is_exempt(server: &Uri, no_proxy: &str) -> bool {
    let host = server
        .host()
        .unwrap_or_default()
        .trim_matches(['[', ']'])
        .to_ascii_lowercase();
    let port = server.port_u16().unwrap_or(443).to_string();
    let address: Option<IpAddr> = host.parse().ok();
    no_proxy
        .split(',')
        .map(|entry| entry.trim().to_ascii_lowercase())
        .filter(|entry| !entry.is_empty())
        .any(|entry| {
            if entry == "*" {
                return true;
            }
            if let Some(address) = address {
                let network = entry.parse().is_ok_and(|net: IpNet| net.contains(&address));
                let same = entry.parse().is_ok_and(|exempt: IpAddr| exempt == address);
                if network || same {
                    return true;
                }
            }
            let name = match entry.rsplit_once(':') {
                Some((name, only)) if only == port => name,
                Some(_) => return false,
                None => &entry,
            };
            let name = name.trim_start_matches("*.").trim_matches(['[', ']', '.']);
            let below = host
                .strip_suffix(name)
                .is_some_and(|rest| rest.ends_with('.'));
            !name.is_empty() && (host == name || (below && address.is_none()))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exempts_what_the_variable_names() {
        for (server, no_proxy, exempt) in [
            ("https://k.example.com:6443", "other, example.com", true),
            ("https://k.example.com:6443", ".example.com", true),
            ("https://K.example.com:6443", "k.example.com:6443", true),
            ("https://k.example.com:6443", "k.example.com:443", false),
            ("https://k.notexample.com", "example.com", false),
            ("https://10.1.2.3:6443", "10.0.0.0/8", true),
            ("https://10.1.2.3", "10.1.2.3", true),
            ("https://10.1.2.3", "2.3", false),
            ("https://[fd00::1]:6443", "fd00::/8", true),
            ("https://k.example.com", "*", true),
            ("https://k.example.com", "", false),
        ] {
            let server: Uri = server.parse().unwrap();
            assert_eq!(is_exempt(&server, no_proxy), exempt, "{server} {no_proxy}");
        }
    }
}
