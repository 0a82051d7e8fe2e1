//! What is wrong with a file that a person wrote, and where.

use std::{fmt, ops::Range, sync::Arc};

/// Whether a problem stops the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// The file can be used, but its author should know.
    Warning,
}

/// One thing that is wrong with a rule, scorecard, waiver or manifest.
///
/// Loading collects every problem before it gives up. `cli` renders them with the source excerpt.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// Whether it stops the run.
    pub severity: Severity,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The file as the user named it, or `embedded:` and its path.
    pub file: Arc<str>,
    /// The file's text, for the excerpt; empty where the file could not be read.
    pub text: Arc<str>,
    /// Byte range in `text` that the message is about; empty at 0 where there is no better place.
    pub span: Range<usize>,
}

impl Problem {
    /// An error at a byte range of a file's text.
    pub fn error(
        file: &Arc<str>,
        text: &Arc<str>,
        span: Range<usize>,
        message: impl Into<String>,
    ) -> Self {
        Problem {
            severity: Severity::Error,
            message: message.into(),
            help: None,
            file: file.clone(),
            text: text.clone(),
            span,
        }
    }

    /// The same problem as a warning.
    pub fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// Adds what to do about it.
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Line and column of the place, both counted from 1, the column in characters.
    pub fn line_and_column(&self) -> (usize, usize) {
        let mut start = self.span.start.min(self.text.len());
        while !self.text.is_char_boundary(start) {
            start -= 1;
        }
        let before = &self.text[..start];
        let line = before.matches('\n').count() + 1;
        let column = before[before.rfind('\n').map_or(0, |at| at + 1)..]
            .chars()
            .count()
            + 1;
        (line, column)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = self.line_and_column();
        let word = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{}:{line}:{column}: {word}: {}", self.file, self.message)
    }
}
