//! The one integration-test binary, one module per area.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that cannot go on says so by a panic"
)]

#[path = "../support/controlplane.rs"]
mod controlplane;

#[path = "../support/prometheus.rs"]
mod prometheus_server;

mod admission;
mod cli;
mod compare;
mod demo;
mod evaluate;
mod fixtures;
mod html;
mod layout;
mod live;
mod prometheus;
mod report;
mod rules;
mod usage;
