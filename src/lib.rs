//! Seaworthy scores how ready a Kubernetes cluster is.
#![warn(missing_docs)]

pub mod cel;
pub mod model;
pub mod plan;
pub mod rule;
pub mod source;
