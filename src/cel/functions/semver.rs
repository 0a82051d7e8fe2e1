//! `semver()` and what can be done with one: semantic versions, as in Kubernetes.

use std::cmp::Ordering;

use ::semver::Version;
use cel::{
    Env, ExecutionError,
    common::{
        functions::Function,
        types::{BOOL_TYPE, CelBool, CelInt, STRING_TYPE},
        value::CowVal,
    },
};

use super::{Library, argument, quoted, text, type_of};

pub(super) const LIBRARY: Library = Library {
    register: |env: &mut Env| {
        let convert: Function = |args| {
            let source = text(&args, 0)?;
            match parse(source, normalizes(&args)) {
                Some(version) => Ok(CowVal::owned(version)),
                None => Err(ExecutionError::function_error(
                    "semver",
                    format!("{} is not a semantic version", quoted(source)),
                )),
            }
        };
        let is: Function = |args| {
            let valid = parse(text(&args, 0)?, normalizes(&args)).is_some();
            Ok(CowVal::owned(CelBool::from(valid)))
        };
        let both = || vec![STRING_TYPE, BOOL_TYPE];
        env.add_overload("semver", "string_to_semver", vec![STRING_TYPE], convert)?;
        env.add_overload("semver", "string_bool_to_semver", both(), convert)?;
        env.add_overload("isSemver", "is_semver_string", vec![STRING_TYPE], is)?;
        env.add_overload("isSemver", "is_semver_string_bool", both(), is)?;

        let semver = type_of::<Semver>;
        env.add_member_overload("major", "semver_major", semver(), vec![], |args| {
            number(argument::<Semver>(&args, 0)?.0.major)
        })?;
        env.add_member_overload("minor", "semver_minor", semver(), vec![], |args| {
            number(argument::<Semver>(&args, 0)?.0.minor)
        })?;
        env.add_member_overload("patch", "semver_patch", semver(), vec![], |args| {
            number(argument::<Semver>(&args, 0)?.0.patch)
        })?;
        env.add_member_overload(
            "compareTo",
            "semver_compare_to",
            semver(),
            vec![semver()],
            |args| Ok(CowVal::owned(CelInt::from(order(&args)? as i64))),
        )?;
        env.add_member_overload(
            "isLessThan",
            "semver_is_less_than",
            semver(),
            vec![semver()],
            |args| Ok(CowVal::owned(CelBool::from(order(&args)?.is_lt()))),
        )?;
        env.add_member_overload(
            "isGreaterThan",
            "semver_is_greater_than",
            semver(),
            vec![semver()],
            |args| Ok(CowVal::owned(CelBool::from(order(&args)?.is_gt()))),
        )
    },
    globals: &["isSemver", "semver"],
    members: &[
        "compareTo",
        "isGreaterThan",
        "isLessThan",
        "major",
        "minor",
        "patch",
    ],
};

/// A semantic version; build metadata does not tell two apart.
#[derive(Clone, Debug)]
struct Semver(Version);

opaque_value!(Semver, "kubernetes.Semver");

impl PartialEq for Semver {
    fn eq(&self, other: &Self) -> bool {
        self.0.cmp_precedence(&other.0).is_eq()
    }
}

fn normalizes(args: &[CowVal<'_, '_>]) -> bool {
    argument::<CelBool>(args, 1).is_ok_and(|normalize| *normalize.inner())
}

/// Parses a version. To normalize it means to drop a `v`, to drop leading zeros, and to add the
/// minor and patch numbers that are not there.
fn parse(source: &str, normalize: bool) -> Option<Semver> {
    if !normalize {
        return Version::parse(source).ok().map(Semver);
    }
    let source = source.strip_prefix('v').unwrap_or(source);
    let mut parts: Vec<String> = source
        .splitn(3, '.')
        .map(|part| match part.trim_start_matches('0') {
            _ if part.len() < 2 => part.to_owned(),
            digits if digits.starts_with(|c: char| c.is_ascii_digit()) => digits.to_owned(),
            other => format!("0{other}"),
        })
        .collect();
    if parts.len() < 3 && parts.last().is_some_and(|last| last.contains(['+', '-'])) {
        return None;
    }
    parts.resize(3, "0".to_owned());
    Version::parse(&parts.join(".")).ok().map(Semver)
}

fn number<'b, 'v>(number: u64) -> Result<CowVal<'b, 'v>, ExecutionError> {
    match i64::try_from(number) {
        Ok(number) => Ok(CowVal::owned(CelInt::from(number))),
        Err(error) => Err(ExecutionError::function_error("semver", error)),
    }
}

fn order(args: &[CowVal<'_, '_>]) -> Result<Ordering, ExecutionError> {
    let right = argument::<Semver>(args, 1)?;
    Ok(argument::<Semver>(args, 0)?.0.cmp_precedence(&right.0))
}

#[cfg(test)]
mod tests {
    use super::super::tests::*;

    #[test]
    fn answers_as_kubernetes_documents() {
        all_true(&[
            "isSemver('1.0.0') && isSemver('0.1.0-alpha.1') && !isSemver('hello')",
            "!isSemver('v1.0') && isSemver('v1.0', true) && !isSemver('v1.0', false)",
            "!isSemver('200K') && !isSemver('Three') && !isSemver('1.0') && !isSemver('01.01.01')",
            "semver('v1.0.0', true) == semver('1.0.0')",
            "semver('1.0', true) == semver('1.0.0') && semver('1', true) == semver('1.0.0')",
            "semver('01.01.01', true) == semver('1.1.1') && semver('00.0.0', true).major() == 0",
            "!isSemver('1.0-alpha', true) && !isSemver('', true) && !isSemver('v', true)",
            "semver('v1.30.2-eks-1552ad0', true).minor() == 30",
            "semver('v1.29.6+k3s1', true).patch() == 6",
            "semver('1.2.3').major() == 1",
            "semver('1.2.3').compareTo(semver('1.2.3')) == 0",
            "semver('1.2.3').compareTo(semver('2.0.0')) == -1",
            "semver('1.2.3').compareTo(semver('0.1.2')) == 1",
            "semver('1.2.3').isGreaterThan(semver('1.2.3-rc.1'))",
            "semver('1.9.0').isLessThan(semver('1.10.0'))",
            "semver('1.0.0+a') == semver('1.0.0+b')",
        ]);
        fails("semver('200K')");
        fails("semver('18446744073709551615.0.0').major()");
        fails("semver('v1.0.0')");
    }
}
