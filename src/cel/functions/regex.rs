//! `find`, `findAll` and `matches`: regular expressions in linear time and bounded memory.
//!
//! The syntax is that of the `regex` crate, which is nearly RE2's; `\d`, `\w` and `\s` know
//! Unicode.

use ::regex::{Regex, RegexBuilder};
use cel::{
    Env, ExecutionError,
    common::{
        functions::Function,
        types::{CelBool, CelInt, CelList, CelString, INT_TYPE, STRING_TYPE},
        value::{CowVal, Val},
    },
};

use super::{
    super::prepare::MATCHES,
    Library, argument,
    budget::{BYTES_PER_STEP, spend},
    memo::{Memo, recall},
    quoted, text,
};

/// Most bytes that a compiled pattern may take.
const SIZE: usize = 1 << 20;
/// What compiling a pattern costs.
const COMPILE_STEPS: u64 = 5000;

pub(super) const LIBRARY: Library = Library {
    register: |env: &mut Env| {
        let two = || vec![STRING_TYPE, STRING_TYPE];
        let matched: Function = |args| {
            with(&args, "matches", |regex, text| {
                Ok(CowVal::owned(CelBool::from(regex.is_match(text))))
            })
        };
        // The CEL crate compiles the pattern on every call, and cannot be told otherwise.
        env.add_overload(MATCHES, "matches_string", two(), matched)?;
        env.add_member_overload(
            MATCHES,
            "string_matches_string",
            STRING_TYPE,
            vec![STRING_TYPE],
            matched,
        )?;
        env.add_member_overload(
            "find",
            "string_find_string",
            STRING_TYPE,
            vec![STRING_TYPE],
            |args| {
                with(&args, "find", |regex, text| {
                    let found = regex.find(text).map_or("", |found| found.as_str());
                    Ok(CowVal::owned(CelString::from(found.to_owned())))
                })
            },
        )?;
        env.add_member_overload(
            "findAll",
            "string_find_all_string",
            STRING_TYPE,
            vec![STRING_TYPE],
            find_all,
        )?;
        env.add_member_overload(
            "findAll",
            "string_find_all_string_int",
            STRING_TYPE,
            vec![STRING_TYPE, INT_TYPE],
            find_all,
        )
    },
    globals: &[],
    members: &["find", "findAll"],
};

thread_local! {
    static COMPILED: Memo<Result<Regex, String>> = Memo::default();
}

/// Calls back with the compiled pattern (the second argument) and the text (the first).
fn with<R>(
    args: &[CowVal<'_, '_>],
    function: &str,
    search: impl FnOnce(&Regex, &str) -> Result<R, ExecutionError>,
) -> Result<R, ExecutionError> {
    let (text, pattern) = (text(args, 0)?, text(args, 1)?);
    // A search takes time in the order of the text times the pattern.
    let size = (text.len() as u64).saturating_mul(1 + pattern.len() as u64 / BYTES_PER_STEP);
    spend(1 + size / BYTES_PER_STEP)?;
    let regex = recall(&COMPILED, pattern, COMPILE_STEPS, compile)?
        .map_err(|problem| ExecutionError::function_error(function, problem))?;
    search(&regex, text)
}

fn compile(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(pattern)
        .size_limit(SIZE)
        .dfa_size_limit(SIZE)
        .build()
        .map_err(|error| match error {
            ::regex::Error::CompiledTooBig(_) => {
                format!("the regular expression {} is too large", quoted(pattern))
            }
            _ => format!("{} is not a regular expression", quoted(pattern)),
        })
}

fn find_all<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    // A negative limit is no limit.
    let limit = match argument::<CelInt>(&args, 2) {
        Ok(limit) => usize::try_from(*limit.inner()).unwrap_or(usize::MAX),
        Err(_) => usize::MAX,
    };
    with(&args, "findAll", |regex, text| {
        let mut found: Vec<Box<dyn Val + 'v>> = Vec::new();
        for place in regex.find_iter(text).take(limit) {
            // To find each match, the search may have looked at the whole rest of the text.
            spend(1 + (text.len() - place.start()) as u64 / 256)?;
            found.push(Box::new(CelString::from(place.as_str().to_owned())));
        }
        Ok(CowVal::owned(CelList::from(found)))
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::*;

    #[test]
    fn finds_as_kubernetes_documents() {
        all_true(&[
            "'abc 123'.find('[0-9]+') == '123' && 'abc 123'.find('xyz') == ''",
            "'123 abc 456'.findAll('[0-9]+') == ['123', '456']",
            "'123 abc 456'.findAll('[0-9]+', 1) == ['123']",
            "'123 abc 456'.findAll('[0-9]+', -1).size() == 2",
            "'123 abc 456'.findAll('[0-9]+', 0) == []",
            "'123 abc 456'.findAll('xyz') == [] && 'baac'.findAll('a*') == ['', 'aa', '']",
            "'foobar'.matches('^fo+') && matches('foobar', 'bar$') && !'foobar'.matches('^bar')",
            "['a1', 'a2'].all(x, x.matches('^a[0-9]$'))",
        ]);
        fails("'x'.matches('[')");
        fails("'x'.find('(')");
    }

    #[test]
    fn patterns_cannot_cost_more_than_the_budget() {
        fails("'x'.matches('(((a{1000}){1000}){1000})')");
        fails("'x'.matches('\\\\w{1000}\\\\w{1000}\\\\w{1000}')");
        all_true(&["!('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab'.matches('^(a+)+$'))"]);
        fails("lists.range(100).all(i, 'x'.matches('[^' + string(i) + ']'))");
        let quadratic = "lists.range(1000).map(i, 'AAAAAAAAAA').join().findAll('.*[^A-Z]|[A-Z]')";
        fails(&format!("{quadratic}.size() > 0"));
    }
}
