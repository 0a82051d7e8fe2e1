//! Snapshot files: zstd-compressed JSON Lines.
//!
//! The first line is a header that says of which cluster, when, and how completely each kind was
//! read, and which fields were kept. Every other line is one object, and the last line counts
//! them, so that a file that broke off is noticed.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufRead, BufReader, BufWriter, Read, Write},
    path::Path,
    sync::Arc,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Request,
    decode::{Projected, Texts},
};
use crate::model::{
    Cluster, GroupKind, Inventory, KindList, ListState, Node, Object, Projection, SourceKind,
    Unreadable, UnreadableCause,
};

/// What the first line calls the format.
const FORMAT: &str = "seaworthy-snapshot";
/// The version this program writes and reads.
const VERSION: u32 = 1;
/// Longest line, in bytes: the API server's own limit on an object, and room to spare.
const MAX_LINE: u64 = 32 << 20;
/// Largest file once decompressed, in bytes.
const MAX_BYTES: u64 = 16 << 30;
/// A file may grow by this factor when it is decompressed; real ones grow by ten to thirty.
const MAX_RATIO: u64 = 1_000;
/// Compression level: nearly all of the gain, little of the time.
const LEVEL: i32 = 3;

/// Why a snapshot cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The file system said no.
    #[error("{file}: {error}")]
    Io {
        /// The file.
        file: String,
        /// What it said.
        error: io::Error,
    },
    /// The file is no snapshot of this program.
    #[error("{file} is no snapshot that this version reads: {why}")]
    Format {
        /// The file.
        file: String,
        /// What is wrong.
        why: String,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    format: String,
    version: u32,
    tool: String,
    created: Timestamp,
    origin: String,
    cluster_uid: Option<Arc<str>>,
    server_version: Option<Arc<str>>,
    platform: Option<Arc<str>>,
    /// Whether objects were kept whole, but for what is secret.
    full: bool,
    lists: Vec<ListHeader>,
    notes: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListHeader {
    group: Arc<str>,
    kind: Arc<str>,
    version: Arc<str>,
    resource: Arc<str>,
    namespaced: bool,
    state: State,
    kept: Kept,
}

/// [`ListState`] as it is written.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum State {
    Complete,
    NotServed,
    Partial {
        missing: Vec<Arc<str>>,
        cause: String,
        detail: Arc<str>,
    },
    Unreadable {
        cause: String,
        detail: Arc<str>,
    },
}

/// [`Projection`] as it is written: empty parts are left out.
#[derive(Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Kept {
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    all: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    class: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    scrub: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    keys: bool,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    fields: BTreeMap<Arc<str>, Kept>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    entries: Option<Box<Kept>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    items: Option<Box<Kept>>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Object {
        list: usize,
        object: serde_json::Value,
    },
    End {
        objects: u64,
    },
}

/// Writes an inventory, atomically and readable by its owner alone.
///
/// `request` is what the inventory was collected with; it says which fields were kept. The same
/// inventory gives the same bytes.
///
/// # Errors
/// The file system's.
pub fn write(
    inventory: &Inventory,
    request: &Request,
    full: bool,
    path: &Path,
) -> Result<(), SnapshotError> {
    let failed = |error: io::Error| SnapshotError::Io {
        file: path.display().to_string(),
        error,
    };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // A temporary file is made for its owner alone, and stays so when it gets its name.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    write_to(inventory, request, full, BufWriter::new(file.as_file_mut())).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

fn write_to(
    inventory: &Inventory,
    request: &Request,
    full: bool,
    out: impl Write,
) -> io::Result<()> {
    let mut out = zstd::Encoder::new(out, LEVEL)?;
    out.include_checksum(true)?;
    let header = Header {
        format: FORMAT.to_owned(),
        version: VERSION,
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        created: inventory.now,
        origin: inventory.origin.clone(),
        cluster_uid: inventory.cluster.uid.clone(),
        server_version: inventory.cluster.version.clone(),
        platform: inventory.cluster.platform.clone(),
        full,
        lists: inventory
            .lists
            .iter()
            .map(|(kind, list)| list_header(kind, list, request))
            .collect(),
        notes: inventory.notes.clone(),
    };
    line(&mut out, &header)?;
    let mut objects = 0;
    for (at, list) in inventory.lists.values().enumerate() {
        for object in &list.objects {
            let object = serde_json::Value::from(&object.root);
            line(&mut out, &Line::Object { list: at, object })?;
            objects += 1;
        }
    }
    line(&mut out, &Line::End { objects })?;
    out.finish()?.flush()
}

fn line(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

fn list_header(kind: &GroupKind, list: &KindList, request: &Request) -> ListHeader {
    ListHeader {
        group: kind.group.clone(),
        kind: kind.kind.clone(),
        version: list.version.clone(),
        resource: list.resource.clone(),
        namespaced: list.namespaced,
        state: match &list.state {
            ListState::Complete => State::Complete,
            ListState::NotServed | ListState::NotAssessable => State::NotServed,
            ListState::Partial { missing, why } => State::Partial {
                missing: missing.clone(),
                cause: why.cause.to_string(),
                detail: why.detail.clone(),
            },
            ListState::Unreadable(why) => State::Unreadable {
                cause: why.cause.to_string(),
                detail: why.detail.clone(),
            },
        },
        kept: request
            .kind(kind)
            .map(|kind| kept(&kind.projection))
            .unwrap_or_default(),
    }
}

fn kept(projection: &Projection) -> Kept {
    let below = |branch: &Option<Box<Projection>>| branch.as_ref().map(|b| Box::new(kept(b)));
    Kept {
        all: projection.all,
        class: projection.class_only,
        scrub: projection.scrub,
        keys: projection.keys,
        fields: projection
            .fields
            .iter()
            .map(|(name, b)| (name.clone(), kept(b)))
            .collect(),
        entries: below(&projection.entries),
        items: below(&projection.items),
    }
}

fn projection(kept: &Kept) -> Projection {
    let below = |branch: &Option<Box<Kept>>| branch.as_ref().map(|b| Box::new(projection(b)));
    Projection {
        all: kept.all,
        class_only: kept.class,
        scrub: kept.scrub,
        keys: kept.keys,
        fields: kept
            .fields
            .iter()
            .map(|(name, b)| (name.clone(), projection(b)))
            .collect(),
        entries: below(&kept.entries),
        items: below(&kept.items),
    }
}

/// Reads a snapshot, reduced to what the rules ask for now.
///
/// A kind that the snapshot does not hold, or not with all the fields that are asked for, is
/// unreadable: it was not collected.
///
/// # Errors
/// The file cannot be read, is damaged, or is larger than a snapshot may be.
pub fn read(path: &Path, request: &Request) -> Result<Inventory, SnapshotError> {
    let name = path.display().to_string();
    let failed = |error: io::Error| SnapshotError::Io {
        file: name.clone(),
        error,
    };
    let file = File::open(path).map_err(failed)?;
    let size = fs::metadata(path).map_err(failed)?.len();
    read_from(&name, BufReader::new(file), size, request)
}

/// Reads a snapshot that is in memory, such as the one inside the program.
///
/// # Errors
/// As [`read`].
pub fn read_bytes(name: &str, bytes: &[u8], request: &Request) -> Result<Inventory, SnapshotError> {
    read_from(name, bytes, bytes.len() as u64, request)
}

fn read_from(
    name: &str,
    input: impl BufRead,
    size: u64,
    request: &Request,
) -> Result<Inventory, SnapshotError> {
    let damaged = |why: String| SnapshotError::Format {
        file: name.to_owned(),
        why,
    };
    let io_failed = |error: io::Error| damaged(error.to_string());
    let input = zstd::Decoder::with_buffer(input).map_err(io_failed)?;
    let limit = MAX_BYTES.min(size.saturating_mul(MAX_RATIO).max(1 << 20));
    let mut lines = Lines {
        input: BufReader::new(input.take(limit)),
        buffer: Vec::new(),
    };

    let header: Header = match lines.next().map_err(io_failed)? {
        Some(line) => {
            // The version comes first: a later format may have other fields.
            let version = serde_json::from_slice::<serde_json::Value>(line)
                .ok()
                .filter(|header| header["format"] == FORMAT)
                .and_then(|header| header["version"].as_u64());
            match version {
                Some(version) if version == u64::from(VERSION) => {
                    serde_json::from_slice(line).map_err(|error| damaged(error.to_string()))?
                }
                Some(version) => return Err(damaged(format!("it has version {version}"))),
                None => return Err(damaged("its first line is no header".to_owned())),
            }
        }
        None => return Err(damaged("it is empty".to_owned())),
    };

    let mut lists = Vec::new();
    for list in &header.lists {
        lists.push(Collected::new(list, request).map_err(&damaged)?);
    }
    let mut objects = 0;
    loop {
        let Some(line) = lines.next().map_err(io_failed)? else {
            return Err(damaged("it breaks off before its end".to_owned()));
        };
        match serde_json::from_slice(line).map_err(|error| damaged(error.to_string()))? {
            Line::Object { list, object } => {
                objects += 1;
                let list = lists
                    .get_mut(list)
                    .ok_or_else(|| damaged(format!("object {objects} belongs to no list")))?;
                list.accept(object);
            }
            Line::End { objects: promised } if promised == objects => break,
            Line::End { objects: promised } => {
                return Err(damaged(format!(
                    "it has {objects} objects and promises {promised}"
                )));
            }
        }
    }
    Ok(inventory(header, lists, request, name))
}

/// One list while its objects come.
struct Collected {
    kind: GroupKind,
    list: KindList,
    projected: Option<Projected>,
    owned: Option<Projected>,
}

impl Collected {
    fn new(header: &ListHeader, request: &Request) -> Result<Self, String> {
        let kind = GroupKind {
            group: header.group.clone(),
            kind: header.kind.clone(),
        };
        let unreadable = |cause: &str, detail: &Arc<str>| {
            Ok::<_, String>(Unreadable {
                cause: cause_of(cause).ok_or_else(|| format!("unknown cause `{cause}`"))?,
                detail: detail.clone(),
            })
        };
        let mut state = match &header.state {
            State::Complete => ListState::Complete,
            State::NotServed => ListState::NotServed,
            State::Partial {
                missing,
                cause,
                detail,
            } => ListState::Partial {
                missing: missing.clone(),
                why: unreadable(cause, detail)?,
            },
            State::Unreadable { cause, detail } => {
                ListState::Unreadable(unreadable(cause, detail)?)
            }
        };
        let wanted = request.kind(&kind);
        if let Some(wanted) = wanted
            && state == ListState::Complete
            && let Err(path) = projection(&header.kept).covers(&wanted.projection)
        {
            state = ListState::Unreadable(Unreadable {
                cause: UnreadableCause::NotCollected,
                detail: format!("the snapshot does not hold `{path}` of {kind}").into(),
            });
        }
        let readable = !matches!(state, ListState::Unreadable(_));
        let wanted = wanted.filter(|_| readable);
        Ok(Collected {
            projected: wanted.map(|w| Projected::new(&w.projection, Texts::Classified)),
            owned: wanted
                .and_then(|w| w.owned.as_ref())
                .map(|owned| Projected::new(owned, Texts::Classified)),
            kind,
            list: KindList {
                state,
                version: header.version.clone(),
                resource: header.resource.clone(),
                namespaced: header.namespaced,
                objects: Vec::new(),
            },
        })
    }

    fn accept(&mut self, object: serde_json::Value) {
        let Some(projected) = &self.projected else {
            return;
        };
        let mut object = Object {
            kind: self.kind.clone(),
            version: self.list.version.clone(),
            root: Node::from_kept(object),
            place: None,
        };
        let root = std::mem::take(&mut object.root);
        object.root = projected.prune(root);
        if object.is_owned_by_workload() {
            match &self.owned {
                Some(owned) => {
                    let root = std::mem::take(&mut object.root);
                    object.root = owned.prune(root);
                }
                None => return,
            }
        }
        self.list.objects.push(object);
    }
}

fn inventory(header: Header, lists: Vec<Collected>, request: &Request, name: &str) -> Inventory {
    let mut held: BTreeMap<GroupKind, KindList> = lists
        .into_iter()
        .filter(|list| request.kind(&list.kind).is_some())
        .map(|list| (list.kind, list.list))
        .collect();
    for wanted in &request.kinds {
        let kind = wanted.query.group_kind();
        // A wildcard asks for whatever kinds of the group there are.
        if wanted.query.is_wildcard() || held.contains_key(&kind) {
            continue;
        }
        let list = KindList {
            state: ListState::Unreadable(Unreadable {
                cause: UnreadableCause::NotCollected,
                detail: format!("the snapshot does not hold {kind}").into(),
            }),
            version: wanted.query.versions[0].clone(),
            resource: "".into(),
            namespaced: false,
            objects: Vec::new(),
        };
        held.insert(kind, list);
    }
    Inventory {
        source: SourceKind::Snapshot,
        origin: match name {
            "demo" => name.to_owned(),
            _ => format!("{name} of {}", header.origin),
        },
        now: header.created,
        cluster: Cluster {
            uid: header.cluster_uid,
            version: header.server_version,
            platform: header.platform,
        },
        lists: held,
        notes: header.notes,
        derived: BTreeMap::new(),
        attestations: Vec::new(),
    }
}

fn cause_of(word: &str) -> Option<UnreadableCause> {
    use UnreadableCause::*;
    [
        Forbidden,
        Unauthorized,
        Unavailable,
        Timeout,
        Malformed,
        TooLarge,
        NotCollected,
    ]
    .into_iter()
    .find(|cause| cause.to_string() == word)
}

/// Lines of bounded length.
struct Lines<R> {
    input: R,
    buffer: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    fn next(&mut self) -> io::Result<Option<&[u8]>> {
        self.buffer.clear();
        let read = (&mut self.input)
            .take(MAX_LINE)
            .read_until(b'\n', &mut self.buffer)?;
        if read as u64 == MAX_LINE {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("a line is longer than {MAX_LINE} bytes"),
            ));
        }
        Ok((read > 0).then_some(&self.buffer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::KindRequest;

    fn request() -> Request {
        let mut projection = Projection::default();
        for path in [
            &["metadata", "name"][..],
            &["metadata", "namespace"],
            &["spec", "x"],
        ] {
            projection.path(path).all = true;
        }
        projection.path(&["spec", "present"]);
        Request {
            kinds: vec![KindRequest {
                query: "v1/Service".parse().unwrap(),
                projection,
                owned: None,
            }],
            server_version: true,
            ..Request::default()
        }
    }

    fn inventory_of(count: usize) -> Inventory {
        let kind = GroupKind::new("", "Service");
        let objects = (0..count).map(|i| Object {
            kind: kind.clone(),
            version: "v1".into(),
            root: Projected::new(&request().kinds[0].projection, Texts::Plain).prune(Node::from(
                serde_json::json!({"metadata": {"name": format!("s{i:04}"), "namespace": "a"},
                    "spec": {"x": [1, 2.5, "t", true], "present": {"y": 1}}}),
            )),
            place: None,
        });
        let list = KindList {
            state: ListState::Complete,
            version: "v1".into(),
            resource: "services".into(),
            namespaced: true,
            objects: objects.collect(),
        };
        Inventory {
            source: SourceKind::Snapshot,
            origin: "demo".into(),
            now: Timestamp::UNIX_EPOCH,
            cluster: Cluster {
                uid: Some("u".into()),
                version: Some("v1.36.3".into()),
                platform: None,
            },
            lists: [(kind, list)].into(),
            notes: vec!["n".into()],
            derived: BTreeMap::new(),
            attestations: Vec::new(),
        }
    }

    fn bytes(inventory: &Inventory) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_to(inventory, &request(), false, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn what_is_written_is_read() {
        let inventory = inventory_of(100);
        let bytes = bytes(&inventory);
        assert_eq!(bytes, self::bytes(&inventory), "the same bytes each time");
        assert_eq!(read_bytes("demo", &bytes, &request()).unwrap(), inventory);
    }

    #[test]
    fn a_file_that_breaks_off_is_no_short_inventory() {
        let bytes = bytes(&inventory_of(300));
        for part in 0..16 {
            let cut = bytes.len() * part / 16;
            assert!(read_bytes("x", &bytes[..cut], &request()).is_err(), "{cut}");
        }
    }

    #[test]
    fn lies_and_bombs_are_errors() {
        let pack = |text: &[u8]| zstd::encode_all(text, 3).unwrap();
        let why = |bytes: &[u8]| read_bytes("x", bytes, &request()).unwrap_err().to_string();
        assert!(why(b"").contains("x is no snapshot"));
        assert!(why(b"{}").contains("x is no snapshot"));
        assert!(why(&pack(b"{}\n")).contains("no header"));
        assert!(
            why(&pack(
                b"{\"format\":\"seaworthy-snapshot\",\"version\":2}\n"
            ))
            .contains("version 2")
        );
        assert!(!why(&pack(&vec![b'x'; 64 << 20])).is_empty());
        let honest = zstd::decode_all(&bytes(&inventory_of(3))[..]).unwrap();
        let text = String::from_utf8(honest).unwrap();
        assert!(
            why(&pack(
                text.replace("{\"objects\":3}", "{\"objects\":4}")
                    .as_bytes()
            ))
            .contains("promises 4")
        );
        assert!(
            why(&pack(text.replace("{\"list\":0", "{\"list\":7").as_bytes())).contains("no list")
        );
    }

    #[test]
    fn what_was_not_collected_is_unreadable() {
        let bytes = bytes(&inventory_of(3));
        let mut wider = request();
        wider.kinds[0].projection.path(&["status", "phase"]).all = true;
        let mut other = request();
        other.kinds[0].query = "v1/Pod".parse().unwrap();
        for (request, kind) in [(wider, "Service"), (other, "Pod")] {
            let inventory = read_bytes("x", &bytes, &request).unwrap();
            let state = inventory.state(&GroupKind::new("", kind));
            let unreadable = state.unreadable().unwrap();
            assert_eq!(
                unreadable.cause,
                UnreadableCause::NotCollected,
                "{}",
                unreadable.detail
            );
        }
    }

    #[test]
    fn whole_objects_keep_only_the_class_of_what_may_be_secret() {
        let deployment = serde_json::json!({"spec": {"replicas": 1, "template": {"spec": {"containers": [
            {"name": "a", "env": [{"name": "T", "value": "canary-env"}]}]}}}});
        let request = Request {
            kinds: vec![KindRequest {
                query: "apps/v1/Deployment".parse().unwrap(),
                projection: Projection::default(),
                owned: None,
            }],
            server_version: false,
            ..Request::default()
        };
        let projected = Projected::new(&request.whole().kinds[0].projection, Texts::Plain);
        let json = deployment.to_string();
        for kept in [
            projected.decode(json.as_bytes()).unwrap(),
            projected.prune(Node::from(deployment)),
        ] {
            let shown = format!("{kept:?}");
            assert!(
                !shown.contains("canary-env") && shown.contains("literal"),
                "{shown}"
            );
        }
    }
}
