//! `seaworthy snapshot`

use std::io::{self, stderr};

use super::{args::SnapshotArgs, diagnostics, exit::Exit, output, progress::Bar, rules::chosen};
use crate::{
    audit::Error,
    plan,
    source::{self, SourceError, snapshot},
};

/// Collects and saves what the chosen rules read.
pub fn run(arguments: &SnapshotArgs) -> io::Result<Exit> {
    match save(arguments) {
        Ok(objects) => {
            if !arguments.quiet {
                eprintln!("{objects} objects in {}", arguments.output.display());
            }
            Ok(Exit::Done)
        }
        Err(error) => Ok(diagnostics::failure(&error, output::colour(&stderr()))),
    }
}

fn save(arguments: &SnapshotArgs) -> Result<usize, Error> {
    let rules = chosen(&arguments.rules)?;
    let mut request = plan::plan(&rules);
    if arguments.full {
        request = request.whole();
    }
    let now = arguments.clock.now();
    let progress = Bar::show(arguments.quiet);
    let (mut inventory, warnings) =
        source::collect(&arguments.source.source(), &request, now, progress)?;
    if let Some(now) = now {
        inventory.now = now;
    }
    if !arguments.quiet {
        diagnostics::problems(&warnings, output::colour(&stderr()));
    }
    snapshot::write(&inventory, &request, arguments.full, &arguments.output)
        .map_err(SourceError::from)?;
    Ok(inventory
        .lists
        .values()
        .map(|list| list.objects.len())
        .sum())
}
