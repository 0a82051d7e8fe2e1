//! The one integration-test binary, one module per area.

#[path = "../support/controlplane.rs"]
#[allow(dead_code)]
mod controlplane;

mod layout;
