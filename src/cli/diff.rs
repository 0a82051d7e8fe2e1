//! `seaworthy diff`

use std::{
    fs::File,
    io::{self, Read as _, stderr, stdout},
    path::Path,
    sync::Arc,
};

use super::{
    args::{DiffArgs, PlanFormat},
    audit::report,
    diagnostics,
    exit::Exit,
    output,
    progress::Bar,
};
use crate::{
    audit::{self, Audit, Error, Options, Yardstick},
    report::{Side, Style, diff, diff_json, diff_markdown, diff_table},
    source::{Source, overlay::Overlay},
};

/// Largest report that is read back, in bytes.
const MAX_REPORT: u64 = 256 << 20;

/// Why there is no difference to show.
pub enum Failed {
    Audit(Error),
    /// A file that is neither a report nor a snapshot, and why.
    File(String),
}

impl Failed {
    /// Says why, and what the command ends with.
    pub fn say(&self, what: &str) -> Exit {
        match self {
            Failed::Audit(error) => diagnostics::failed(what, error, output::colour(&stderr())),
            Failed::File(message) => {
                output::to_stderr(&format!("{what}: {message}\n"));
                Exit::BadInput
            }
        }
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Failed::Audit(error)
    }
}

/// Prints what moved the score from one state to another.
pub fn run(arguments: &DiffArgs) -> io::Result<Exit> {
    let (old, new) = match sides(arguments) {
        Ok(sides) => sides,
        Err(failed) => return Ok(failed.say("nothing was compared")),
    };
    let diff = diff(old, new);
    let text = match arguments.output {
        PlanFormat::Table => diff_table(
            &diff,
            &Style {
                colour: output::colour(&stdout()),
                width: output::width(),
                all: arguments.all,
                wide: false,
            },
        ),
        PlanFormat::Markdown => diff_markdown(&diff),
        PlanFormat::Json => diff_json(&diff),
    };
    output::to_stdout(&text)?;
    Ok(Exit::Done)
}

fn sides(arguments: &DiffArgs) -> Result<(Side, Side), Failed> {
    let options = arguments.options();
    let yardstick = Arc::new(audit::yardstick(&options)?);
    let base = Options {
        overlay: Overlay::default(),
        ..options.clone()
    };
    match (&arguments.old, &arguments.new) {
        (Some(old), Some(new)) => Ok((
            file(old, &base, &yardstick)?,
            file(new, &options, &yardstick)?,
        )),
        (Some(old), None) => {
            let old = file(old, &base, &yardstick)?;
            let (inventory, found) =
                audit::collect(&options, &yardstick, Bar::show(arguments.quiet))?;
            let mut inventory = inventory;
            audit::lay(&options, &yardstick, &mut inventory)?;
            Ok((old, side(&audit::assess(yardstick, inventory, found))))
        }
        (None, _) => {
            // The source is read once: what differs is the overlay alone.
            let (inventory, found) =
                audit::collect(&options, &yardstick, Bar::show(arguments.quiet))?;
            let mut laid = inventory.clone();
            let warnings = audit::lay(&options, &yardstick, &mut laid)?;
            diagnostics::problems(&warnings, output::colour(&stderr()));
            let old = side(&audit::assess(yardstick.clone(), inventory, found));
            Ok((old, side(&audit::assess(yardstick, laid, Vec::new()))))
        }
    }
}

fn side(audit: &Audit) -> Side {
    Side::of(&report(audit), &audit.verdicts)
}

/// A side from a file: a report in JSON, or a snapshot that is audited now.
pub fn file(path: &Path, options: &Options, yardstick: &Arc<Yardstick>) -> Result<Side, Failed> {
    let unreadable = |error: io::Error| Failed::File(format!("{}: {error}", path.display()));
    let mut start = [0; 1];
    let mut file = File::open(path).map_err(unreadable)?;
    let read = file.read(&mut start).map_err(unreadable)?;
    if read == 1 && start[0] == b'{' {
        let mut text = String::from("{");
        file.take(MAX_REPORT)
            .read_to_string(&mut text)
            .map_err(unreadable)?;
        return Side::parse(&text)
            .map_err(|why| Failed::File(format!("{}: {why}", path.display())));
    }
    let options = Options {
        source: Source::Snapshot(path.to_owned()),
        ..options.clone()
    };
    let (mut inventory, found) = audit::collect(&options, yardstick, Arc::new(()))?;
    audit::lay(&options, yardstick, &mut inventory)?;
    Ok(side(&audit::assess(yardstick.clone(), inventory, found)))
}
