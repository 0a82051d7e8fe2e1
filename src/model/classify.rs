//! What a text is like, without keeping it: empty, a literal, or a credential.
//!
//! Values of environment variables and ConfigMap entries pass through here while they stream; only
//! the word that comes out is kept (design §1.2). The patterns look for the shape of well-known
//! credentials. They match in linear time, and nothing of what they match leaves this file.

use std::sync::LazyLock;

use regex::{RegexSet, RegexSetBuilder};

/// Longest text that is looked at, in bytes. Beyond it only the beginning is.
const MAX_LOOKED_AT: usize = 1 << 20;

/// Patterns, the most telling first: of several that match, the first gives the name.
const PATTERNS: &[(&str, &str)] = &[
    (
        "credential:private-key",
        r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----",
    ),
    (
        "credential:gcp-service-account",
        r#""type"\s*:\s*"service_account""#,
    ),
    (
        "credential:aws-access-key-id",
        r"\b(?:AKIA|ASIA|AGPA|AIDA|AROA)[A-Z2-7]{16}\b",
    ),
    (
        "credential:github-token",
        r"\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{60,255})\b",
    ),
    ("credential:gitlab-token", r"\bglpat-[A-Za-z0-9_-]{20,}"),
    (
        "credential:slack-token",
        r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}|hooks\.slack\.com/services/T[A-Z0-9]+/B[A-Z0-9]+/[A-Za-z0-9]{16,}",
    ),
    ("credential:google-api-key", r"\bAIza[A-Za-z0-9_-]{35}\b"),
    ("credential:stripe-key", r"\b[rs]k_live_[A-Za-z0-9]{16,}"),
    (
        "credential:azure-storage-key",
        r"AccountKey=[A-Za-z0-9+/]{60,}={0,2}",
    ),
    ("credential:npm-token", r"\bnpm_[A-Za-z0-9]{36}\b"),
    (
        "credential:jwt",
        r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}",
    ),
    (
        // A host follows, so that `user:pass@` in prose is not taken for one; the password is not
        // a placeholder such as `$(PASSWORD)` or `${PASSWORD}`.
        "credential:url-userinfo",
        r"\b[a-z][a-z0-9+.-]{1,30}://[^\s/:@?#]{0,100}:[^\s/@:$<{%*?#][^\s/@?#]{0,200}@[A-Za-z0-9\[]",
    ),
    (
        // `password: hunter2`, `"apiKey": "…"`, `SECRET_TOKEN=…`; references to a variable, a
        // template or a file are not credentials.
        "credential:assignment",
        r#"(?i)(?:password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|client[_-]?secret)["']?[ \t]*[:=][ \t]*["']?[^\s"'$<{(%*/\[,;][^\s"'$<{(,;]{5,}"#,
    ),
];

/// Schemes of the addresses that a class tells apart.
const SCHEMES: &[(&str, &str)] = &[
    ("https://", "url:https"),
    ("http://", "url:http"),
    ("postgres://", "url:postgres"),
    ("postgresql://", "url:postgres"),
    ("mysql://", "url:mysql"),
    ("redis://", "url:redis"),
    ("amqp://", "url:amqp"),
    ("mongodb://", "url:mongodb"),
    ("tcp://", "url:tcp"),
    ("grpc://", "url:grpc"),
];

/// A text that stands for another: a variable, a template, a path, a place in a secret store, a
/// placeholder.
fn is_reference(text: &str) -> bool {
    let text = text.trim();
    let starts = ["$(", "${", "{{", "vault:", "file:", "ref+", "/", "./", "@"];
    starts.iter().any(|start| text.starts_with(start))
        || (text.starts_with('<') && text.ends_with('>'))
}

/// A number, a truth value or a time span: a setting, and too little to be a credential.
fn is_scalar(text: &str) -> bool {
    let text = text.trim();
    matches!(
        text.to_ascii_lowercase().as_str(),
        "true" | "false" | "yes" | "no" | "on" | "off" | "null" | "none"
    ) || text.parse::<f64>().is_ok()
        || (text.starts_with(|c: char| c.is_ascii_digit())
            && text
                .trim_start_matches(|c: char| c.is_ascii_digit() || c == '.')
                .len()
                <= 2
            && text.ends_with(|c: char| "smhdwkKMGTPi%B".contains(c)))
}

/// The class of a text: `empty`, `reference`, `scalar`, `url:` and a scheme, `literal`, or
/// `credential:` and the name of a pattern.
pub fn classify(text: &str) -> &'static str {
    static SET: LazyLock<Option<RegexSet>> = LazyLock::new(|| {
        RegexSetBuilder::new(PATTERNS.iter().map(|(_, pattern)| pattern))
            .size_limit(4 << 20)
            .build()
            .ok()
    });
    if text.trim().is_empty() {
        return "empty";
    }
    let mut end = text.len().min(MAX_LOOKED_AT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let looked_at = &text[..end];
    SET.as_ref()
        .and_then(|set| set.matches(looked_at).iter().next())
        .map_or_else(|| harmless(looked_at), |first| PATTERNS[first].0)
}

/// The class of a text that does not look like a credential.
fn harmless(text: &str) -> &'static str {
    if is_scalar(text) {
        return "scalar";
    }
    if is_reference(text) {
        return "reference";
    }
    let schemes = SCHEMES
        .iter()
        .find(|(start, _)| text.trim_start().starts_with(start));
    schemes.map_or("literal", |(_, class)| class)
}

/// The class that a word names, if it names one. A snapshot holds classes instead of texts.
pub fn is_class(word: &str) -> Option<&'static str> {
    ["empty", "literal", "reference", "scalar"]
        .into_iter()
        .chain(SCHEMES.iter().map(|(_, class)| *class))
        .chain(PATTERNS.iter().map(|(name, _)| *name))
        .find(|class| *class == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Put together at run time, so that no scanner takes the source for a leak.
    fn text(parts: &[&str]) -> String {
        parts.concat()
    }

    #[test]
    fn knows_credentials_by_their_shape() {
        let cases = [
            (
                "private-key",
                text(&["-----BEGIN RSA ", "PRIVATE KEY-----\nMIIE"]),
            ),
            ("private-key", text(&["-----BEGIN ", "PRIVATE KEY-----"])),
            (
                "gcp-service-account",
                text(&["{\n  \"type\": \"service_", "account\"}"]),
            ),
            ("aws-access-key-id", text(&["AKIA", "IOSFODNN7EXAMPLE"])),
            ("github-token", text(&["gh", "p_", &"a1".repeat(18)])),
            ("gitlab-token", text(&["glpat", "-", &"x".repeat(20)])),
            ("slack-token", text(&["xox", "b-1234567890-abcdef"])),
            (
                "jwt",
                text(&[
                    "eyJ",
                    "hbGciOiJIUzI1NiJ9.eyJ",
                    "zdWIiOiIxMjM0In0.c2lnbmF0dXJl",
                ]),
            ),
            (
                "url-userinfo",
                text(&["postgres://app:", "hunter2@db:5432/app"]),
            ),
            ("assignment", text(&["pass", "word: correct-horse"])),
            ("assignment", text(&["{\"api", "Key\":\"0123456789\"}"])),
            ("assignment", text(&["DB_PASS", "WORD=correct-horse"])),
        ];
        for (name, text) in cases {
            assert_eq!(classify(&text), format!("credential:{name}"), "{text}");
        }
    }

    #[test]
    fn leaves_ordinary_text_alone() {
        for (text, class) in [
            ("true", "scalar"),
            ("8080", "scalar"),
            ("30s", "scalar"),
            ("512Mi", "scalar"),
            ("https://example.com/path?a=b", "url:https"),
            ("http://vault:8200", "url:http"),
            ("postgres://app:$(PASSWORD)@db/app", "url:postgres"),
            ("postgres://app:${PASSWORD}@db/app", "url:postgres"),
            ("$(DB_PASSWORD)", "reference"),
            ("vault:secret/data/db#password", "reference"),
            ("/run/secrets/password", "reference"),
            ("<set me>", "reference"),
            ("password: ${DB_PASSWORD}", "literal"),
            ("password: {{ .Values.password }}", "literal"),
            ("passwordFile: /run/secrets/password", "literal"),
            ("token=$(cat /run/token)", "literal"),
            ("user@example.com", "literal"),
            ("arn:aws:iam::123456789012:role/app", "literal"),
            ("eyJ.not.a.token", "literal"),
            ("a/long/AKIAPATH/inside", "literal"),
            ("hunter2", "literal"),
            ("7deadly", "literal"),
        ] {
            assert_eq!(classify(text), class, "{text}");
        }
        assert_eq!(classify(""), "empty");
        assert_eq!(classify(" \n"), "empty");
    }

    #[test]
    fn every_class_is_a_word_of_the_vocabulary() {
        assert!(RegexSet::new(PATTERNS.iter().map(|(_, pattern)| pattern)).is_ok());
        for (name, _) in PATTERNS {
            assert_eq!(is_class(name), Some(*name));
        }
        for class in ["empty", "literal", "reference", "scalar", "url:https"] {
            assert_eq!(is_class(class), Some(class));
        }
        assert_eq!(is_class("credential:other"), None);
    }

    #[test]
    fn a_long_text_takes_linear_time() {
        let long = "password ".repeat(300_000);
        assert_eq!(classify(&long), "literal");
    }
}
