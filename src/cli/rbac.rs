//! `seaworthy rbac`

use std::io::{self, stderr};

use super::{args::RbacArgs, diagnostics, exit::Exit, output, rules::chosen};
use crate::{plan, rule::default_params};

/// Prints the ClusterRole that an audit with the chosen rules needs.
pub fn run(arguments: &RbacArgs) -> io::Result<Exit> {
    let rules = match chosen(&arguments.rules) {
        Ok(rules) => rules,
        Err(error) => {
            return Ok(diagnostics::failed(
                "there is no role to print",
                &error,
                output::colour(&stderr()),
            ));
        }
    };
    let role = plan::cluster_role(
        &plan::plan(&rules, &default_params(&rules)),
        &arguments.name,
    );
    let yaml = serde_saphyr::to_string(&role).map_err(io::Error::other)?;
    output::to_stdout(&yaml)?;
    Ok(Exit::Done)
}
