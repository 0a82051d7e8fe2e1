//! `seaworthy snapshot`

use std::{
    fmt::Write as _,
    io::{self, stderr},
};

use super::{args::SnapshotArgs, diagnostics, exit::Exit, output, progress::Bar, rules::chosen};
use crate::{
    audit::Error,
    model::{Inventory, Untrusted},
    plan,
    rule::{default_params, params_by_profile},
    source::{self, SourceError, snapshot},
};

/// Collects and saves what the chosen rules read.
pub fn run(arguments: &SnapshotArgs) -> io::Result<Exit> {
    match save(arguments) {
        Ok(inventory) => {
            if !arguments.quiet {
                output::to_stderr(&summary(
                    &inventory,
                    &arguments.output.display().to_string(),
                ));
            }
            Ok(Exit::Done)
        }
        Err(error) => Ok(diagnostics::failed(
            "no snapshot was taken",
            &error,
            output::colour(&stderr()),
        )),
    }
}

/// How much was saved, and what the snapshot leaves open.
fn summary(inventory: &Inventory, file: &str) -> String {
    let objects: usize = inventory
        .lists
        .values()
        .map(|list| list.objects.len())
        .sum();
    let mut text = format!("{objects} objects in {file}\n");
    for (kind, list) in &inventory.lists {
        if let Some(why) = list.state.unreadable() {
            let line = format!("not complete: {kind}: {} ({})", why.cause, why.detail);
            let _ = writeln!(text, "{}", Untrusted::from(line).visible());
        }
    }
    text
}

fn save(arguments: &SnapshotArgs) -> Result<Inventory, Error> {
    let rules = chosen(&arguments.rules)?;
    let mut request = plan::plan(&rules, &default_params(&rules));
    // Whatever profile it will be audited with: what Prometheus is asked depends on that.
    for params in params_by_profile(&rules) {
        request.queries.extend(plan::plan(&rules, &params).queries);
    }
    request.queries.sort();
    request.queries.dedup();
    if arguments.full {
        request = request.whole();
    }
    let now = arguments.clock.now();
    let (source, prometheus) = (arguments.source.source(), arguments.source.prometheus());
    let progress = Bar::show(arguments.quiet);
    let (mut inventory, warnings) =
        source::collect(&source, prometheus.as_ref(), &request, now, progress)?;
    if let Some(now) = now {
        inventory.now = now;
    }
    if !arguments.quiet {
        diagnostics::problems(&warnings, output::colour(&stderr()));
    }
    snapshot::write(&inventory, &request, arguments.full, &arguments.output)
        .map_err(SourceError::from)?;
    Ok(inventory)
}
