//! The small closed vocabularies of rules and scorecards.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

/// Id of a rule: a kebab-case slug of at most 40 characters, equal to its file's stem.
pub type RuleId = Arc<str>;

/// Id of a theme: the folder a rule lies in.
pub type ThemeId = Arc<str>;

/// A word that is not in the vocabulary it was read as.
#[derive(Debug, thiserror::Error)]
#[error("`{word}` is not one of {expected}")]
pub struct UnknownWord {
    word: String,
    expected: &'static str,
}

macro_rules! vocabulary {
    ($(#[$doc:meta])* $name:ident, $expected:literal { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// Every word, in the order the reports use.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// The word as it is written in files and reports.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;
            fn from_str(word: &str) -> Result<Self, UnknownWord> {
                match word {
                    $($word => Ok($name::$variant),)+
                    _ => Err(UnknownWord { word: word.to_owned(), expected: $expected }),
                }
            }
        }
    };
}

vocabulary! {
    /// The three parts of a score; the first folder of a rule's path.
    Category, "security, operations, maturity" {
        /// Can it be broken into?
        Security = "security",
        /// Does it run, and would anyone notice if it did not?
        Operations = "operations",
        /// Can it be changed and grown safely?
        Maturity = "maturity",
    }
}

vocabulary! {
    /// How bad it is when a rule does not hold. Ordered from worst to mildest.
    Severity, "critical, high, medium, low, info" {
        /// Weight 5; one open gap may cap the level.
        Critical = "critical",
        /// Weight 3.
        High = "high",
        /// Weight 2.
        Medium = "medium",
        /// Weight 1.
        Low = "low",
        /// Weight 0: reported, never scored.
        Info = "info",
    }
}

impl Severity {
    /// The weight of a rule inside its theme, unless its file gives one.
    pub fn weight(self) -> u32 {
        match self {
            Severity::Critical => 5,
            Severity::High => 3,
            Severity::Medium => 2,
            Severity::Low => 1,
            Severity::Info => 0,
        }
    }
}

vocabulary! {
    /// How much work the fix is for the people who run the cluster.
    Effort, "S, M, L" {
        /// Under a day.
        S = "S",
        /// Under a week.
        M = "M",
        /// More than a week.
        L = "L",
    }
}

impl Effort {
    /// Relative cost used when plans are compared (catalogue §7.2).
    pub fn cost(self) -> u32 {
        match self {
            Effort::S => 1,
            Effort::M => 3,
            Effort::L => 8,
        }
    }
}

vocabulary! {
    /// How the verdicts on a rule's subjects become its one credit.
    Aggregate, "share, all, count" {
        /// The mean of the subjects' credits; for a critical rule any failing subject costs at
        /// least half, so that one privileged container among a hundred is not 99.
        Share = "share",
        /// Any failure is 0.
        All = "all",
        /// 1 while at most `tolerance` subjects fail, 0 beyond.
        Count = "count",
    }
}
