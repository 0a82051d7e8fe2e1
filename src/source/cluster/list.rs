//! Lists one kind: pages, retries, restarts, namespaces.

use std::{collections::HashSet, sync::Arc, time::Duration};

use http_body_util::BodyExt;
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};

use super::{
    super::{
        Progress, Sink,
        decode::{JsonPage, ListMeta, ObjectDecoder, PageDecoder, Texts},
    },
    ClusterOptions, Failure, Http,
    client::JSON,
    discovery::{Target, is_name},
    failure::Backoff,
};
use crate::model::{Object, Projection, Unreadable};

/// Asks for objects without their spec and status, which the server then need not send.
const METADATA: &str =
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";

/// Pages of one list that may be under way at the same time.
const PAGES: usize = 2;
/// A good size for a page: large enough that the requests do not matter.
const GOOD_PAGE: u64 = 16 << 20;
/// Fewest objects in a page, however large they are.
const MIN_PAGE: u64 = 20;
/// Longest token of a next page.
const MAX_TOKEN: usize = 16 << 10;
/// How often a list starts over because its first page came out different the second time.
const RESTARTS: u32 = 3;

/// One kind that is being listed.
pub(super) struct Listing {
    pub target: Target,
    pub progress: Arc<dyn Progress>,
    http: Arc<Http>,
    options: Arc<ClusterOptions>,
    sink: Arc<dyn Sink>,
    decoder: Arc<ObjectDecoder>,
    accept: &'static str,
}

/// How a list ended.
#[derive(Debug)]
pub(super) enum Outcome {
    Complete,
    NotServed,
    /// Only the namespaces that were asked for.
    Partial(Unreadable),
    Unreadable(Unreadable),
}

/// A page that has been read.
struct Page {
    objects: usize,
    bytes: u64,
    remaining: Option<u64>,
}

impl Listing {
    pub(super) fn new(
        target: Target,
        http: Arc<Http>,
        options: Arc<ClusterOptions>,
        sink: Arc<dyn Sink>,
        progress: Arc<dyn Progress>,
    ) -> Arc<Self> {
        let decoder = ObjectDecoder::new(
            target.kind.clone(),
            &target.version,
            &target.projection,
            target.owned.as_ref(),
            Texts::Plain,
        );
        let accept = if is_metadata_only(&target.projection) {
            METADATA
        } else {
            JSON
        };
        Arc::new(Listing {
            target,
            progress,
            http,
            options,
            sink,
            decoder: Arc::new(decoder),
            accept,
        })
    }

    /// Lists the kind in the whole cluster or, where that is forbidden, in the namespaces of the
    /// options.
    pub(super) async fn run(self: &Arc<Self>, total_deadline: Instant) -> Outcome {
        let deadline = total_deadline.min(Instant::now() + self.options.list_deadline);
        let failure = match self.list(None, deadline).await {
            Ok(()) => return Outcome::Complete,
            Err(failure) => failure,
        };
        let namespaces = &self.options.namespaces;
        if failure.code() == Some(403) && self.target.namespaced && !namespaces.is_empty() {
            return self.list_namespaces(failure, deadline).await;
        }
        match failure.code() {
            // It was removed since the discovery.
            Some(404) => Outcome::NotServed,
            _ => Outcome::Unreadable(failure.unreadable()),
        }
    }

    async fn list_namespaces(self: &Arc<Self>, forbidden: Failure, deadline: Instant) -> Outcome {
        let mut unread: Vec<String> = Vec::new();
        for namespace in &self.options.namespaces {
            let listed = match is_name(namespace) {
                true => self.list(Some(namespace.as_str().into()), deadline).await,
                false => Err(Failure::Malformed("it is not a name".to_owned())),
            };
            if let Err(failure) = listed {
                unread.push(format!("{namespace}: {failure}"));
            }
        }
        let mut why = forbidden.unreadable();
        if unread.len() == self.options.namespaces.len() {
            return Outcome::Unreadable(why);
        }
        if !unread.is_empty() {
            why.detail = format!("{}; {}", why.detail, unread.join("; ")).into();
        }
        Outcome::Partial(why)
    }

    /// Reads one list to its end. What came of it is forgotten if it fails.
    async fn list(
        self: &Arc<Self>,
        namespace: Option<Arc<str>>,
        deadline: Instant,
    ) -> Result<(), Failure> {
        let (mut expired, mut changed) = (0, 0);
        loop {
            let failure = match self.pages(namespace.clone(), deadline).await {
                Ok(()) => return Ok(()),
                Err(failure) => failure,
            };
            self.sink.restart(&self.target.kind, namespace.as_deref());
            tracing::debug!(kind = %self.target.kind, %failure, "list failed");
            match failure {
                Failure::Expired if expired < 1 => expired += 1,
                Failure::Changed if changed < RESTARTS => changed += 1,
                failure => return Err(failure),
            }
        }
    }

    /// Reads the pages of one list. The next one is asked for as soon as the token at the beginning
    /// of this one has arrived. No page is under way any more when this returns.
    async fn pages(
        self: &Arc<Self>,
        namespace: Option<Arc<str>>,
        deadline: Instant,
    ) -> Result<(), Failure> {
        let path: Arc<str> = self.target.path(namespace.as_deref()).into();
        let (announce, mut announced) = mpsc::unbounded_channel::<Option<Arc<str>>>();
        let mut under_way: JoinSet<Result<Page, Failure>> = JoinSet::new();
        let mut seen: HashSet<Arc<str>> = HashSet::new();
        // The token of the page to ask for next; the first one needs none.
        let mut next: Option<Option<Arc<str>>> = Some(None);
        let (mut objects, mut bytes) = (0_usize, 0_u64);
        let end = loop {
            let most = if self.http.is_strained() { 1 } else { PAGES };
            if let Some(token) = next.take_if(|_| under_way.len() < most) {
                if let Some(token) = &token
                    && (token.len() > MAX_TOKEN || !seen.insert(token.clone()))
                {
                    break Err(Failure::Malformed(
                        "the list goes round in a circle".to_owned(),
                    ));
                }
                let query = self.query(token.as_deref(), objects, bytes);
                let (listing, path, announce) = (self.clone(), path.clone(), announce.clone());
                under_way
                    .spawn(async move { listing.page(&path, &query, deadline, announce).await });
            }
            let done = tokio::select! {
                // A page announces the next one before it ends.
                biased;
                () = sleep_until(deadline) => break Err(Failure::Deadline(self.options.list_deadline)),
                Some(token) = announced.recv() => {
                    next = token.map(Some);
                    continue;
                }
                done = under_way.join_next() => done,
            };
            match done {
                None => break Ok(()),
                Some(Ok(Ok(page))) => {
                    objects += page.objects;
                    bytes += page.bytes;
                    self.progress
                        .page(&self.target.kind, page.objects, page.remaining);
                    if objects > self.options.max_objects {
                        let most = self.options.max_objects;
                        break Err(Failure::TooLarge(format!(
                            "there are more than {most} objects"
                        )));
                    }
                }
                Some(Ok(Err(failure))) => break Err(failure),
                Some(Err(_)) => {
                    break Err(Failure::Broken("reading a page was cut short".to_owned()));
                }
            }
        };
        under_way.shutdown().await;
        end
    }

    /// The query for a page: as many objects as make a good page, by what is known of their size.
    fn query(&self, token: Option<&str>, objects: usize, bytes: u64) -> String {
        let first = u64::from(self.options.page_size.max(1));
        let limit = match (objects as u64, bytes) {
            (0, _) | (_, 0) => first,
            (objects, bytes) => {
                let most = u64::from(self.options.max_page_size).max(MIN_PAGE);
                (GOOD_PAGE / (bytes / objects).max(1)).clamp(MIN_PAGE, most)
            }
        };
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("limit", &limit.to_string());
        if let Some(token) = token {
            query.append_pair("continue", token);
        }
        query.finish()
    }

    /// Reads one page, again if need be, and passes its objects on once it is complete. The token
    /// of the next page is announced as soon as it has arrived.
    async fn page(
        &self,
        path: &str,
        query: &str,
        deadline: Instant,
        announce: mpsc::UnboundedSender<Option<Arc<str>>>,
    ) -> Result<Page, Failure> {
        let mut announced: Option<Option<Arc<str>>> = None;
        let mut backoff = Backoff::default();
        let (objects, meta, bytes) = loop {
            let mut on_meta = |meta: &ListMeta| {
                let token: Option<Arc<str>> = meta.next().map(Arc::from);
                match &announced {
                    // The first page asked for again shows a later state of the server, to which
                    // the next page that is already under way does not belong.
                    Some(earlier) if *earlier != token => Err(Failure::Changed),
                    Some(_) => Ok(()),
                    None => {
                        announced = Some(token.clone());
                        // Nobody listens any more once the list has failed.
                        let _ = announce.send(token);
                        Ok(())
                    }
                }
            };
            let failure = match self.page_once(path, query, &mut on_meta).await {
                Ok(read) => break read,
                Err(failure) => failure,
            };
            match backoff.pause(&failure, deadline) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(failure),
            }
        };
        let page = Page {
            objects: objects.len(),
            bytes,
            remaining: meta
                .remaining_item_count
                .and_then(|count| u64::try_from(count).ok()),
        };
        for object in objects {
            self.sink.accept(object);
        }
        Ok(page)
    }

    async fn page_once(
        &self,
        path: &str,
        query: &str,
        on_meta: &mut (dyn FnMut(&ListMeta) -> Result<(), Failure> + Send),
    ) -> Result<(Vec<Object>, ListMeta, u64), Failure> {
        let _permit = self.http.permit().await?;
        let response = match self.http.get(path, query, self.accept).await {
            Err(failure) if failure.code() == Some(410) => return Err(Failure::Expired),
            other => other?,
        };
        let patience: Duration = self.options.read_timeout;
        let mut body = response.into_body();
        let mut page = JsonPage::new(&self.decoder, self.options.limits);
        let (mut objects, mut bytes, mut told) = (Vec::new(), 0, false);
        loop {
            let frame = timeout(patience, body.frame())
                .await
                .map_err(|_| Failure::Timeout(patience))?;
            let Some(frame) = frame else { break };
            let frame = frame.map_err(|error| Failure::of(&error))?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            bytes += data.len() as u64;
            page.push(&data, &mut objects)?;
            if let Some(meta) = page.meta().filter(|_| !told) {
                told = true;
                on_meta(meta)?;
            }
        }
        let meta = page.finish(&mut objects)?;
        if !told {
            on_meta(&meta)?;
        }
        Ok((objects, meta, bytes))
    }
}

/// Whether nothing beyond the metadata is read of an object.
fn is_metadata_only(projection: &Projection) -> bool {
    let Projection {
        all,
        class_only,
        scrub,
        keys,
        fields,
        entries,
        items: _,
    } = projection;
    let metadata_only = fields.keys().all(|name| &**name == "metadata");
    metadata_only && !all && !class_only && !scrub && !keys && entries.is_none()
}
