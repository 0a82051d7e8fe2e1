//! `url()` and its parts, as in Kubernetes, which has them from Go's `net/url`.
//!
//! The `url` crate reads URLs as browsers do: it adds a path, drops default ports, and mends what
//! is wrong. A rule that checks a URL needs it as it was written, so this follows Go.

use std::collections::BTreeMap;

use ::url::form_urlencoded;
use cel::{
    Env, ExecutionError,
    common::{
        types::{CelBool, CelList, CelMap, CelMapKey, CelString, STRING_TYPE},
        value::{CowVal, Val},
    },
};

use super::{
    Library, argument,
    budget::{BYTES_PER_STEP, spend},
    quoted, text, type_of,
};

pub(super) const LIBRARY: Library = Library {
    register: |env: &mut Env| {
        env.add_overload("url", "string_to_url", vec![STRING_TYPE], |args| {
            let source = text(&args, 0)?;
            spend(1 + source.len() as u64 / BYTES_PER_STEP)?;
            match Url::parse(source) {
                Some(url) => Ok(CowVal::owned(url)),
                None => Err(ExecutionError::function_error(
                    "url",
                    format!("{} is not a URL", quoted(source)),
                )),
            }
        })?;
        env.add_overload("isURL", "is_url_string", vec![STRING_TYPE], |args| {
            let valid = Url::parse(text(&args, 0)?).is_some();
            Ok(CowVal::owned(CelBool::from(valid)))
        })?;
        let url = type_of::<Url>;
        env.add_member_overload("getScheme", "url_get_scheme", url(), vec![], |args| {
            part(&args, |url| url.scheme.clone())
        })?;
        env.add_member_overload("getHost", "url_get_host", url(), vec![], |args| {
            part(&args, |url| url.host.clone())
        })?;
        env.add_member_overload("getHostname", "url_get_hostname", url(), vec![], |args| {
            part(&args, |url| url.hostname().to_owned())
        })?;
        env.add_member_overload("getPort", "url_get_port", url(), vec![], |args| {
            part(&args, |url| url.port().to_owned())
        })?;
        env.add_member_overload(
            "getEscapedPath",
            "url_get_escaped_path",
            url(),
            vec![],
            |args| part(&args, |url| url.path.clone()),
        )?;
        env.add_member_overload("getQuery", "url_get_query", url(), vec![], query)
    },
    globals: &["isURL", "url"],
    members: &[
        "getEscapedPath",
        "getHost",
        "getHostname",
        "getPort",
        "getQuery",
        "getScheme",
    ],
};

/// An absolute URI or an absolute path.
#[derive(Clone, Debug, Default, PartialEq)]
struct Url {
    scheme: String,
    user: String,
    host: String,
    /// Escaped.
    path: String,
    /// As it was written.
    query: String,
    fragment: String,
}

opaque_value!(Url, "kubernetes.URL");

impl Url {
    fn parse(source: &str) -> Option<Url> {
        if source.is_empty() || source.chars().any(|c| c.is_ascii_control()) {
            return None;
        }
        let (rest, fragment) = source.split_once('#').unwrap_or((source, ""));
        let (scheme, rest) = split_scheme(rest)?;
        if scheme.is_empty() && !rest.starts_with('/') && source != "*" {
            return None;
        }
        let (rest, query) = match rest.split_once('?') {
            Some((rest, query)) => (rest, Some(query)),
            None => (rest, None),
        };
        let mut url = Url {
            scheme: scheme.to_ascii_lowercase(),
            query: query.unwrap_or_default().to_owned(),
            fragment: fragment.to_owned(),
            ..Url::default()
        };
        unescape(fragment)?;
        if !rest.starts_with('/') && source != "*" {
            // `mailto:someone` has neither host nor path.
            url.user = rest.to_owned();
            return Some(url);
        }
        let mut path = rest;
        let has_authority = !scheme.is_empty() || !rest.starts_with("///");
        if let Some(authority) = rest.strip_prefix("//").filter(|_| has_authority) {
            let end = authority.find('/').unwrap_or(authority.len());
            let (authority, after) = authority.split_at(end);
            let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
            let allowed = |byte: u8| is_one_of(byte, b"-._:~!$&'()*+,;=%@");
            if !user.bytes().all(allowed) || !is_host(host) {
                return None;
            }
            // Kubernetes wants a path or a query between the host and a fragment.
            if after.is_empty() && query.is_none() && source.contains('#') && !scheme.is_empty() {
                return None;
            }
            unescape(user)?;
            (url.user, url.host, path) = (user.to_owned(), host.to_owned(), after);
        }
        url.path = escaped_path(path)?;
        Some(url)
    }

    fn port_at(&self) -> Option<usize> {
        let colon = self.host.rfind(':')?;
        is_port(&self.host[colon..]).then_some(colon)
    }

    fn hostname(&self) -> &str {
        let host = &self.host[..self.port_at().unwrap_or(self.host.len())];
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        bare.unwrap_or(host)
    }

    fn port(&self) -> &str {
        self.port_at().map_or("", |colon| &self.host[colon + 1..])
    }
}

/// The scheme, or none where there is no colon to end one. A URL must not start with a colon.
fn split_scheme(source: &str) -> Option<(&str, &str)> {
    let end = source.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '+' | '-' | '.'));
    match end {
        Some(0) if source.starts_with(':') => None,
        Some(end)
            if source[end..].starts_with(':')
                && source.starts_with(|c: char| c.is_ascii_alphabetic()) =>
        {
            Some((&source[..end], &source[end + 1..]))
        }
        _ => Some(("", source)),
    }
}

fn is_one_of(byte: u8, others: &[u8]) -> bool {
    byte.is_ascii_alphanumeric() || others.contains(&byte)
}

/// Empty, or a colon and digits.
fn is_port(text: &str) -> bool {
    match text.strip_prefix(':') {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_digit()),
        None => text.is_empty(),
    }
}

fn is_host(host: &str) -> bool {
    let port = if host.starts_with('[') {
        host.rfind(']').map(|bracket| &host[bracket + 1..])
    } else {
        Some(host.rfind(':').map_or("", |colon| &host[colon..]))
    };
    let allowed = |byte: u8| !byte.is_ascii() || is_one_of(byte, b"-_.~!$&'()*+,;=:[]<>\"");
    port.is_some_and(is_port) && host.bytes().all(allowed)
}

/// The bytes that a percent-encoded text stands for; none if a `%` has no two digits.
fn unescape(text: &str) -> Option<Vec<u8>> {
    let (mut plain, mut bytes) = (Vec::with_capacity(text.len()), text.bytes());
    while let Some(byte) = bytes.next() {
        plain.push(if byte == b'%' {
            let mut digit = || char::from(bytes.next()?).to_digit(16);
            u8::try_from(digit()? * 16 + digit()?).ok()?
        } else {
            byte
        });
    }
    Some(plain)
}

/// The path as it was written if that is well escaped, and escaped anew otherwise.
fn escaped_path(path: &str) -> Option<String> {
    let plain = unescape(path)?;
    if path
        .bytes()
        .all(|byte| is_one_of(byte, b"-_.~!$&'()*+,;=:@/%[]"))
    {
        return Some(path.to_owned());
    }
    let mut escaped = String::new();
    for byte in plain {
        if is_one_of(byte, b"-_.~$&+,/:;=@") {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    Some(escaped)
}

fn part<'b, 'v>(
    args: &[CowVal<'b, 'v>],
    part: impl FnOnce(&Url) -> String,
) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let part = part(argument::<Url>(args, 0)?);
    Ok(CowVal::owned(CelString::from(part)))
}

/// The query as a map from each key to the list of its values, unescaped.
fn query<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let query = &argument::<Url>(&args, 0)?.query;
    spend(1 + query.len() as u64 / BYTES_PER_STEP)?;
    let mut values: BTreeMap<String, Vec<Box<dyn Val + 'v>>> = BTreeMap::new();
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        let value = CelString::from(value.into_owned());
        let values = values.entry(key.into_owned()).or_default();
        values.push(Box::new(value));
    }
    let map: std::collections::HashMap<CelMapKey<'v>, Box<dyn Val + 'v>> = values
        .into_iter()
        .map(|(key, values)| {
            let values: Box<dyn Val + 'v> = Box::new(CelList::from(values));
            (CelMapKey::from(key), values)
        })
        .collect();
    Ok(CowVal::owned(CelMap::from(map)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::tests::*, *};

    #[test]
    fn answers_as_kubernetes_documents() {
        all_true(&[
            "isURL('https://user:pass@example.com:80/path?query=val#fragment')",
            "isURL('/absolute-path') && !isURL('https://a:b:c/') && !isURL('../relative-path')",
            "!isURL('') && !isURL('example.com') && !isURL(':x') && isURL('mailto:a@b')",
            "!isURL('https://e.com#f') && isURL('https://e.com/#f') && isURL('https://e.com?#f')",
            "!isURL('https://a b/') && !isURL('https://h/%zz') && !isURL('https://[::1/')",
            "url('/path').getScheme() == '' && url('HTTPS://example.com/').getScheme() == 'https'",
            "url('https://example.com:80/').getHost() == 'example.com:80'",
            "url('https://example.com/').getHost() == 'example.com' && url('/path').getHost() == ''",
            "url('https://[::1]:80/').getHost() == '[::1]:80'",
            "url('https://[::1]/').getHost() == '[::1]'",
            "url('https://example.com:80/').getHostname() == 'example.com'",
            "url('https://127.0.0.1:80/').getHostname() == '127.0.0.1'",
            "url('https://[::1]:80/').getHostname() == '::1' && url('/path').getHostname() == ''",
            "url('https://example.com:443/').getPort() == '443'",
            "url('https://example.com/').getPort() == '' && url('/path').getPort() == ''",
            "url('https://example.com/path').getEscapedPath() == '/path'",
            "url('https://example.com/with space/').getEscapedPath() == '/with%20space/'",
            "url('https://example.com').getEscapedPath() == ''",
            "url('https://e.com/p?k1=a&k2=b&k2=c').getQuery() == {'k1': ['a'], 'k2': ['b', 'c']}",
            "url('https://e.com/p?a key=a value').getQuery() == {'a key': ['a value']}",
            "url('https://e.com/p?').getQuery() == {} && url('https://e.com/p').getQuery() == {}",
            "url('https://u:p@e.com/p#f').getHost() == 'e.com'",
            "url('//host/path').getHost() == 'host' && url('///path').getHost() == ''",
            "url('https://e.com/a') == url('https://e.com/a') && url('/a') != url('/b')",
        ]);
        fails("url('https://a:b:c/')");
        fails("url('../relative-path')");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[a-z:/?#@%.\\[\\]0-9é ]{0,24}") {
            if let Some(url) = Url::parse(&text) {
                let _ = (url.hostname(), url.port());
            }
        }
    }
}
