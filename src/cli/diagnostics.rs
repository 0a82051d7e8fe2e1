//! Problems and failures as people read them, on standard error.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::exit::Exit;
use crate::{
    audit,
    model::{Problem, ProblemSeverity, Untrusted},
    source::{SourceError, cluster::ClusterError},
};

/// Problems that are shown in full.
const SHOWN: usize = 50;

/// Prints problems with their place and source excerpt.
pub fn problems(problems: &[Problem], colour: bool) {
    let renderer = if colour {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    for problem in problems.iter().take(SHOWN) {
        eprintln!("{}\n", renderer.render(&report(problem)));
    }
    if problems.len() > SHOWN {
        eprintln!("… and {} more", problems.len() - SHOWN);
    }
}

fn report(problem: &Problem) -> Vec<annotate_snippets::Group<'_>> {
    let level = match problem.severity {
        ProblemSeverity::Error => Level::ERROR,
        ProblemSeverity::Warning => Level::WARNING,
    };
    let mut group =
        level
            .primary_title(problem.message.as_str())
            .elements((!problem.text.is_empty()).then(|| {
                let mut span = problem.span.clone();
                span.end = span.end.min(problem.text.len()).max(span.start);
                // An excerpt is for one look: a long place is shown by its first line.
                if let Some(line) = problem.text[span.start..span.end].find('\n') {
                    span.end = span.start + line;
                }
                Snippet::source(&*problem.text)
                    .path(&*problem.file)
                    .annotation(AnnotationKind::Primary.span(span))
            }));
    if problem.text.is_empty() {
        group = group.element(Level::NOTE.message(format!("in {}", problem.file)));
    }
    if let Some(help) = &problem.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    vec![group]
}

/// Says why there is no audit and what to try, and how the program ends for it.
pub fn failure(error: &audit::Error, colour: bool) -> Exit {
    if let audit::Error::Input(found) = error {
        problems(found, colour);
        let errors = found.len();
        eprintln!("no audit was made: {errors} problems in the input");
        return Exit::BadInput;
    }
    eprintln!(
        "no audit was made: {}",
        Untrusted::from(error.to_string()).visible()
    );
    if let Some(help) = help(error) {
        eprintln!("  {help}");
    }
    match error {
        audit::Error::Source(SourceError::Cluster(error)) => match error {
            ClusterError::NoKubeconfig { .. }
            | ClusterError::Kubeconfig { .. }
            | ClusterError::NoContext { .. } => Exit::BadInput,
            _ => Exit::Inconclusive,
        },
        _ => Exit::BadInput,
    }
}

fn help(error: &audit::Error) -> Option<&'static str> {
    match error {
        audit::Error::Source(SourceError::Cluster(error)) => match error {
            ClusterError::NoKubeconfig { .. } => Some(
                "give --kubeconfig FILE, or audit without a cluster: --demo, --manifests PATH, --snapshot FILE",
            ),
            ClusterError::NoContext { .. } => Some("choose one with --context"),
            _ => Some("check the connection with the same kubeconfig: kubectl get --raw /version"),
        },
        audit::Error::Source(SourceError::Snapshot(_)) => {
            Some("take a new one: seaworthy snapshot -o FILE")
        }
        _ => None,
    }
}
