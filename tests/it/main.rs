//! The one integration-test binary, one module per area.

#[path = "../support/controlplane.rs"]
mod controlplane;

mod demo;
mod layout;
mod rules;
