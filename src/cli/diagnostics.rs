//! Problems and failures as people read them, on standard error.

use std::{fmt::Write as _, ops::Range};

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::{exit::Exit, output};
use crate::{
    audit,
    model::{Problem, ProblemSeverity, Untrusted},
    source::{
        SourceError,
        cluster::{ClusterError, TlsProblem},
        snapshot::SnapshotError,
    },
};

/// Problems that are shown in full.
const SHOWN: usize = 50;

/// Longest line of a file that is shown, in bytes.
const LONGEST: usize = 400;

/// Prints problems with their place and source excerpt.
pub fn problems(problems: &[Problem], colour: bool) {
    output::to_stderr(&render(problems, colour));
}

/// Problems for a terminal, errors before warnings.
fn render(problems: &[Problem], colour: bool) -> String {
    let renderer = if colour {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let mut sorted: Vec<&Problem> = problems.iter().collect();
    // The sort is stable: within a severity they stay in the order of the files.
    sorted.sort_by_key(|problem| problem.severity);
    let mut out = String::new();
    for problem in sorted.iter().take(SHOWN) {
        let _ = writeln!(out, "{}\n", renderer.render(&[group(problem)]));
    }
    if sorted.len() > SHOWN {
        let _ = writeln!(out, "… and {} more problems\n", sorted.len() - SHOWN);
    }
    out
}

/// A problem for the renderer. Names of files and what stands in them are other people's text.
fn group(problem: &Problem) -> Group<'static> {
    let level = match problem.severity {
        ProblemSeverity::Error => Level::ERROR,
        ProblemSeverity::Warning => Level::WARNING,
    };
    let visible = |text: &str| Untrusted::from(text).visible();
    let title = level.primary_title(visible(&problem.message));
    let mut group = match Excerpt::of(problem) {
        Some(excerpt) => Group::with_title(title).element(
            Snippet::source(excerpt.text)
                .path(visible(&problem.file))
                .line_start(excerpt.line)
                .annotation(AnnotationKind::Primary.span(excerpt.span)),
        ),
        None => {
            let origin = Origin::path(visible(&problem.file));
            let (line, column) = problem.line_and_column();
            Group::with_title(title).element(match problem.text.is_empty() {
                true => origin,
                false => origin.line(line).char_column(column),
            })
        }
    };
    if let Some(help) = &problem.help {
        group = group.element(Level::HELP.message(visible(help)));
    }
    group
}

/// The line of a file that a problem is on.
///
/// One line is enough, and a file of a hundred megabytes stays out of the renderer.
struct Excerpt {
    /// The line, escaped.
    text: String,
    /// Its number, counted from 1.
    line: usize,
    /// The place in `text`.
    span: Range<usize>,
}

impl Excerpt {
    /// Nothing if there is no text, or the line is empty or too long to help anyone.
    fn of(problem: &Problem) -> Option<Excerpt> {
        let text = &*problem.text;
        let start = floor(text, problem.span.start);
        let from = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line = text[from..].split(['\n', '\r']).next().unwrap_or_default();
        if line.trim().is_empty() || line.len() > LONGEST {
            return None;
        }
        let to = from + line.len();
        let start = start.min(to);
        let end = floor(text, problem.span.end).clamp(start, to);
        // Escaping moves what comes after it, so each part is escaped by itself.
        let visible = |part: &str| Untrusted::from(part.replace('\t', " ")).visible();
        let before = visible(&text[from..start]);
        let marked = visible(&text[start..end]);
        Some(Excerpt {
            span: before.len()..before.len() + marked.len(),
            text: before + &marked + &visible(&text[end..to]),
            line: problem.line_and_column().0,
        })
    }
}

/// The nearest character boundary at or before a position.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Says why there is no audit and what to try, and how the program ends for it.
pub fn failure(error: &audit::Error, colour: bool) -> Exit {
    failed("no audit was made", error, colour)
}

/// Says what was not done, why, and what to try, and how the program ends for it.
pub fn failed(undone: &str, error: &audit::Error, colour: bool) -> Exit {
    let mut out = String::new();
    match error {
        audit::Error::Input(found) => {
            out.push_str(&render(found, colour));
            let (count, s) = (found.len(), if found.len() == 1 { "" } else { "s" });
            let _ = writeln!(out, "{undone}: {count} problem{s} in the input");
        }
        other => {
            let why = Untrusted::from(other.to_string()).visible();
            let _ = writeln!(out, "{undone}: {why}");
        }
    }
    if let Some(help) = help(error) {
        let _ = writeln!(out, "  {help}");
    }
    output::to_stderr(&out);
    status(error)
}

fn status(error: &audit::Error) -> Exit {
    match error {
        audit::Error::Source(SourceError::Cluster(error)) => match error {
            ClusterError::NoKubeconfig { .. }
            | ClusterError::Kubeconfig { .. }
            | ClusterError::NoContext { .. }
            | ClusterError::PlainHttp { .. } => Exit::BadInput,
            _ => Exit::Inconclusive,
        },
        _ => Exit::BadInput,
    }
}

fn help(error: &audit::Error) -> Option<&'static str> {
    let error = match error {
        audit::Error::Source(SourceError::Cluster(error)) => error,
        audit::Error::Source(SourceError::Snapshot(SnapshotError::Format { .. })) => {
            return Some("take a new one: seaworthy snapshot -o FILE");
        }
        _ => return None,
    };
    Some(match error {
        ClusterError::NoKubeconfig { .. } => {
            "give --kubeconfig FILE, or audit without a cluster: --demo, --manifests PATH, --snapshot FILE"
        }
        ClusterError::Kubeconfig { .. } => "see what kubectl makes of it: kubectl config view",
        ClusterError::NoContext { .. } => "choose one with --context",
        ClusterError::ExecRefused { .. } | ClusterError::CredentialPlugin { .. } => {
            "log in with the same kubeconfig, then try again: kubectl auth whoami"
        }
        ClusterError::Address { .. } => {
            "write a URL, or NAMESPACE/SERVICE:PORT to go through the API server"
        }
        ClusterError::PlainHttp { .. } => "give the server's https:// address in the kubeconfig",
        ClusterError::Tls { problem, .. } => match problem {
            TlsProblem::Expired => "renew the server's certificate",
            TlsProblem::NotYetValid => "compare this machine's clock with the server's",
            TlsProblem::UnknownAuthority | TlsProblem::WrongHost | TlsProblem::Other => {
                "see which server and authority the kubeconfig names: kubectl config view"
            }
        },
        ClusterError::Unauthorized { .. } => {
            "log in again; see who the server takes you for: kubectl auth whoami"
        }
        ClusterError::Unreachable { .. } | ClusterError::NoApi { .. } => {
            "check the connection with the same kubeconfig: kubectl get --raw /version"
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str, wrong: &str) -> Problem {
        let at = text.find(wrong).unwrap();
        let span = at..at + wrong.len();
        Problem::error(
            &"rules/a.yaml".into(),
            &text.into(),
            span,
            "there is no function `nope`",
        )
    }

    #[test]
    fn a_problem_shows_its_line_and_what_to_do() {
        let text = "title: x\nexpression: size(nope(1))\n";
        let shown = render(&[problem(text, "nope").with_help("write `has`")], false);
        insta::assert_snapshot!(shown, @r"
        error: there is no function `nope`
         --> rules/a.yaml:2:18
          |
        2 | expression: size(nope(1))
          |                  ^^^^
          |
          = help: write `has`
        ");
    }

    #[test]
    fn a_file_that_cannot_be_read_shows_its_name() {
        let problem = Problem::error(&"a\u{1b}.yaml".into(), &"".into(), 0..0, "not found");
        insta::assert_snapshot!(render(&[problem], false), @r"
        error: not found
        --> a\u{1b}.yaml
        ");
    }

    #[test]
    fn whatever_the_place_nothing_of_a_file_reaches_the_terminal_raw() {
        let text = "a: \"\u{1b}[31m\u{202e}\té\" nope\r\n\nb";
        let mut found = problem(text, "nope");
        for start in 0..=text.len() + 1 {
            for end in 0..=text.len() + 1 {
                found.span = start..end;
                let shown = render(std::slice::from_ref(&found), false);
                assert!(!shown.contains(['\u{1b}', '\u{202e}', '\r']), "{shown:?}");
            }
        }
    }

    #[test]
    fn errors_come_first_and_many_problems_are_counted() {
        let mut problems = vec![problem("a: b\n", "b").warning(); SHOWN + 4];
        problems.push(problem("c: d\n", "d"));
        let shown = render(&problems, false);
        assert!(shown.starts_with("error"), "{shown}");
        assert!(shown.contains("and 5 more problems"), "{shown}");
    }

    #[test]
    fn what_cannot_be_reached_is_inconclusive_and_what_is_wrong_is_bad_input() {
        let cluster = |error| audit::Error::Source(SourceError::Cluster(error));
        let unreachable = cluster(ClusterError::Unreachable {
            url: "https://203.0.113.1".into(),
            reason: "timed out".into(),
            waited: std::time::Duration::from_secs(5),
        });
        assert_eq!(status(&unreachable), Exit::Inconclusive);
        assert!(help(&unreachable).is_some());
        let context = cluster(ClusterError::NoContext {
            context: "a".into(),
            known: "b".into(),
        });
        assert_eq!(status(&context), Exit::BadInput);
        assert_eq!(status(&audit::Error::Input(Vec::new())), Exit::BadInput);
    }
}
