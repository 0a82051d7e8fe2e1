//! A connection that several collections may use.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use super::{
    ClusterError, ClusterOptions,
    client::{Http, JSON},
    connect::{self, Connection},
};
use crate::model::Unreadable;

/// A connection to one server. Nothing but GET goes through it, and no path that would act.
#[derive(Clone)]
pub struct Session {
    pub(super) http: Arc<Http>,
    /// What reports call the server.
    pub(super) origin: String,
    pub(super) notes: Vec<String>,
    pub(super) options: Arc<ClusterOptions>,
}

impl Session {
    /// Connects to the API server that the options name. No request is sent yet, but a credential
    /// plugin may run.
    ///
    /// # Errors
    /// There is no usable configuration, or a credential plugin failed.
    pub async fn connect(options: &ClusterOptions) -> Result<Self, ClusterError> {
        Ok(Session::over(connect::connect(options).await?, options))
    }

    /// Connects to any other HTTP server, with what the options say of time and size.
    ///
    /// # Errors
    /// The address is none, or credentials would go there in the clear.
    pub fn to_url(
        url: &str,
        token: Option<String>,
        options: &ClusterOptions,
    ) -> Result<Self, ClusterError> {
        Ok(Session::over(
            connect::to_url(url, token, options)?,
            options,
        ))
    }

    fn over(connection: Connection, options: &ClusterOptions) -> Self {
        Session {
            origin: connection.origin.clone(),
            notes: connection.notes.clone(),
            http: Arc::new(Http::new(connection, options)),
            options: Arc::new(options.clone()),
        }
    }

    /// Reads one JSON answer whole, trying again what can pass by itself.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn get(
        &self,
        path: &str,
        query: &str,
        deadline: Instant,
    ) -> Result<Bytes, Unreadable> {
        match self.http.get_bytes(path, query, JSON, deadline).await {
            Ok(answer) => Ok(answer.bytes),
            Err(failure) => Err(failure.unreadable()),
        }
    }
}
