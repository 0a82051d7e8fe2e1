//! The one integration-test binary, one module per area.

#[path = "../support/controlplane.rs"]
mod controlplane;

mod cli;
mod demo;
mod layout;
mod live;
mod rules;
