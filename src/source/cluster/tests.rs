//! A small server that misbehaves on purpose. Every fault must end in a complete list or in an
//! honest state, and in time.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::Mutex,
};

use serde_json::{Value, json};

use super::*;
use crate::{
    model::KindQuery,
    source::{Collected, KindRequest},
};

enum Reply {
    /// Status and JSON.
    Json(u16, Value),
    /// Everything after the request, as it is.
    Raw(Vec<u8>),
    /// Nothing, for longer than any test waits.
    Silence,
}

use Reply::{Json, Raw, Silence};

struct Server {
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

/// Starts a server. The handler is given the path with its query and how often it was asked for
/// before; where it answers nothing, the server behaves.
fn serve(handler: impl Fn(&str, usize) -> Option<Reply> + Send + Sync + 'static) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let requests = Arc::new(Mutex::new(Vec::new()));
    let (handler, log) = (Arc::new(handler), requests.clone());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (handler, log) = (handler.clone(), log.clone());
            std::thread::spawn(move || answer(stream.unwrap(), &*handler, &log));
        }
    });
    Server { port, requests }
}

fn answer(
    mut stream: TcpStream,
    handler: &(impl Fn(&str, usize) -> Option<Reply> + ?Sized),
    log: &Mutex<Vec<String>>,
) {
    let mut head = Vec::new();
    for line in BufReader::new(&stream).lines() {
        match line {
            Ok(line) if !line.is_empty() => head.push(line),
            _ => break,
        }
    }
    let Some(request) = head.first().and_then(|line| line.strip_suffix(" HTTP/1.1")) else {
        return;
    };
    let agent = format!("user-agent: seaworthy/{}", env!("CARGO_PKG_VERSION"));
    assert!(head.contains(&agent), "{head:?}");
    let before = {
        let mut log = log.lock().unwrap();
        log.push(request.to_owned());
        log.iter().filter(|earlier| *earlier == request).count() - 1
    };
    let path = request.strip_prefix("GET ").expect("only GET is sent");
    let bytes = match handler(path, before).unwrap_or_else(|| healthy(path)) {
        Silence => return std::thread::sleep(Duration::from_secs(20)),
        Raw(bytes) => bytes,
        Json(status, body) => response(status, "", body.to_string().as_bytes()),
    };
    let _ = stream.write_all(&bytes);
}

fn response(status: u16, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\ndate: Thu, 01 Jan 2026 00:00:05 GMT\r\n{headers}\r\n"
    );
    [head.as_bytes(), body].concat()
}

fn resource(plural: &str, kind: &str, scope: &str) -> Value {
    json!({"resource": plural, "responseKind": {"kind": kind}, "scope": scope, "verbs": ["get", "list"]})
}

fn healthy(path: &str) -> Reply {
    let path = path.split('?').next().unwrap();
    Json(
        200,
        match path {
            "/version" => json!({"gitVersion": "v1.36.3", "platform": "linux/amd64"}),
            "/api" => {
                json!({"kind": "APIGroupDiscoveryList", "items": [{"metadata": {}, "versions": [{
                    "version": "v1", "freshness": "Current", "resources": [
                        resource("pods", "Pod", "Namespaced"),
                        resource("nodes", "Node", "Cluster"),
                        resource("secrets", "Secret", "Namespaced"),
                    ],
                }]}]})
            }
            "/apis" => json!({"kind": "APIGroupDiscoveryList", "items": [
                {"metadata": {"name": "metrics.k8s.io"}, "versions": [
                    {"version": "v1beta1", "freshness": "Stale", "resources": []},
                ]},
                {"metadata": {"name": "example.com"}, "versions": [
                    {"version": "v2", "freshness": "Current", "resources": [
                        resource("widgets", "Widget", "Namespaced"),
                        resource("gadgets", "Gadget", "Cluster"),
                    ]},
                ]},
            ]}),
            "/api/v1/namespaces/kube-system" => json!({"metadata": {"uid": "u-1"}}),
            "/api/v1/nodes" => {
                json!({"kind": "NodeList", "metadata": {}, "items": [{"metadata": {"name": "n"}}]})
            }
            "/apis/example.com/v2/widgets" => json!({"kind": "WidgetList", "items": null}),
            "/apis/example.com/v2/gadgets" => {
                json!({"kind": "GadgetList", "items": [{"metadata": {"name": "g"}, "spec": {"x": 1, "y": 2}}]})
            }
            _ => return Json(404, json!({"kind": "Status", "message": "no such path"})),
        },
    )
}

/// A page of pods, with the token of the next one.
fn pods(names: &[&str], next: Option<&str>) -> Value {
    let items: Vec<Value> = names
        .iter()
        .map(
            |name| json!({"metadata": {"name": name, "namespace": "a"}, "spec": {"nodeName": "n"}}),
        )
        .collect();
    json!({"kind": "PodList", "metadata": {"continue": next, "resourceVersion": "1"}, "items": items})
}

/// Three pages of pods, to be spoilt by a test.
fn three_pages(path: &str) -> Option<Reply> {
    let query = path.strip_prefix("/api/v1/pods?")?;
    let token = url::form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == "continue")
        .map(|(_, token)| token.into_owned());
    Some(Json(
        200,
        match token.as_deref() {
            None => pods(&["d", "a"], Some("t=1&")),
            Some("t=1&") => pods(&["b"], Some("t2")),
            Some("t2") => pods(&["c"], None),
            Some(other) => panic!("unknown token {other}"),
        },
    ))
}

fn options(server: &Server) -> (ClusterOptions, tempfile::NamedTempFile) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let port = server.port;
    write!(
        file,
        "apiVersion: v1\nkind: Config\ncurrent-context: test\n\
         contexts: [{{name: test, context: {{cluster: c, user: u}}}}]\n\
         clusters: [{{name: c, cluster: {{server: 'http://127.0.0.1:{port}'}}}}]\n\
         users: [{{name: u, user: {{token: hunter2}}}}]\n"
    )
    .unwrap();
    let options = ClusterOptions {
        kubeconfig: Some(file.path().to_owned()),
        connect_timeout: Duration::from_secs(1),
        read_timeout: Duration::from_millis(400),
        list_deadline: Duration::from_secs(4),
        total_deadline: Duration::from_secs(6),
        limits: PageLimits {
            item: 1 << 20,
            page: 4 << 20,
        },
        ..ClusterOptions::default()
    };
    (options, file)
}

fn wanted(kinds: &[&str]) -> Request {
    let kinds = kinds.iter().map(|kind| {
        let mut projection = Projection::default();
        for path in [
            &["metadata", "name"][..],
            &["metadata", "namespace"],
            &["spec", "nodeName"],
            &["spec", "x"],
        ] {
            projection.path(path).all = true;
        }
        KindRequest {
            query: kind.parse::<KindQuery>().unwrap(),
            projection,
            owned: None,
        }
    });
    Request {
        kinds: kinds.collect(),
        server_version: true,
        ..Request::default()
    }
}

async fn read(server: &Server, kinds: &[&str]) -> Result<Inventory, ClusterError> {
    let (options, _file) = options(server);
    read_with(&options, kinds).await
}

async fn read_with(options: &ClusterOptions, kinds: &[&str]) -> Result<Inventory, ClusterError> {
    let collected = Collected::new();
    let session = Session::connect(options).await?;
    let mut inventory = collect(&wanted(kinds), &session, collected.clone(), Arc::new(())).await?;
    collected.fill(&mut inventory);
    Ok(inventory)
}

fn pod_kind() -> GroupKind {
    GroupKind::new("", "Pod")
}

fn names(inventory: &Inventory, kind: &GroupKind) -> Vec<String> {
    inventory
        .objects(kind)
        .iter()
        .map(|object| object.name().to_owned())
        .collect()
}

/// The cause for which pods are unreadable, and the sentence for people.
async fn cause(server: &Server) -> (UnreadableCause, String) {
    let inventory = read(server, &["v1/Pod", "v1/Node"]).await.unwrap();
    let nodes = GroupKind::new("", "Node");
    assert_eq!(
        inventory.state(&nodes),
        ListState::Complete,
        "one kind's fault is not another's"
    );
    assert_eq!(names(&inventory, &nodes), ["n"]);
    assert!(
        inventory.objects(&pod_kind()).is_empty(),
        "what came before the fault is forgotten"
    );
    match inventory.state(&pod_kind()) {
        ListState::Unreadable(why) => (why.cause, why.detail.to_string()),
        other => panic!("{other:?}"),
    }
}

async fn assert_complete(server: &Server) {
    let inventory = read(server, &["v1/Pod"]).await.unwrap();
    assert_eq!(inventory.state(&pod_kind()), ListState::Complete);
    assert_eq!(names(&inventory, &pod_kind()), ["a", "b", "c", "d"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_every_page_of_every_kind() {
    let server = serve(|path, _| three_pages(path));
    let kinds = [
        "v1/Pod",
        "v1/Node",
        "v1/Secret",
        "example.com/v1|v2/Gadget",
        "gone.io/v1/Gone",
    ];
    let inventory = read(&server, &kinds).await.unwrap();
    assert_eq!(names(&inventory, &pod_kind()), ["a", "b", "c", "d"]);
    assert_eq!(inventory.now.to_string(), "2026-01-01T00:00:05Z");
    assert_eq!(inventory.cluster.uid.as_deref(), Some("u-1"));
    assert_eq!(inventory.cluster.version.as_deref(), Some("v1.36.3"));
    assert_eq!(inventory.origin, "test");
    assert!(
        inventory.notes[0].contains("clock"),
        "{:?}",
        inventory.notes
    );
    let gadgets = &inventory.lists[&GroupKind::new("example.com", "Gadget")];
    assert_eq!(
        (&*gadgets.version, &*gadgets.resource, gadgets.namespaced),
        ("v2", "gadgets", false)
    );
    assert_eq!(
        Value::from(&gadgets.objects[0].root),
        json!({"metadata": {"name": "g"}, "spec": {"x": 1}})
    );
    assert_eq!(
        inventory.state(&GroupKind::new("gone.io", "Gone")),
        ListState::NotServed
    );
    let secrets = inventory.state(&GroupKind::new("", "Secret"));
    assert!(
        matches!(&secrets, ListState::Unreadable(why) if why.cause == UnreadableCause::NotCollected)
    );
    let requests = server.requests.lock().unwrap().clone();
    assert!(
        !requests.iter().any(|request| request.contains("secrets")),
        "{requests:?}"
    );
    assert_eq!(requests.len(), 1 + 2 + 1 + 3 + 1 + 1, "{requests:?}");
}

#[tokio::test]
async fn groups_that_are_down_are_unknown_and_a_star_is_every_kind() {
    let server = serve(|_, _| None);
    let kinds = [
        "metrics.k8s.io/v1beta1/NodeMetrics",
        "example.com/v1/Widget",
        "example.com/v2/*",
        "gone.io/v1/*",
    ];
    let inventory = read(&server, &kinds).await.unwrap();
    let why = |group, kind| match inventory.state(&GroupKind::new(group, kind)) {
        ListState::Unreadable(why) => why,
        other => panic!("{kind}: {other:?}"),
    };
    assert_eq!(
        why("metrics.k8s.io", "NodeMetrics").cause,
        UnreadableCause::Unavailable
    );
    // Served, but not as a version that the rules understand: not an empty list.
    let other_version = why("example.com", "Widget");
    assert!(
        other_version.detail.contains("served as v2"),
        "{other_version:?}"
    );
    assert_eq!(
        names(&inventory, &GroupKind::new("example.com", "Gadget")),
        ["g"]
    );
    assert_eq!(
        inventory.state(&GroupKind::new("gone.io", "*")),
        ListState::NotServed
    );
}

#[tokio::test]
async fn servers_without_aggregated_discovery_are_asked_group_by_group() {
    let server = serve(|path, _| {
        Some(Json(
            200,
            match path {
                "/api" => json!({"kind": "APIVersions", "versions": ["v1"]}),
                "/api/v1" => json!({"kind": "APIResourceList", "resources": [
                    {"name": "nodes", "kind": "Node", "namespaced": false, "verbs": ["list"]},
                    {"name": "nodes/proxy", "kind": "Node", "namespaced": false, "verbs": ["get"]},
                ]}),
                "/apis" => json!({"kind": "APIGroupList", "groups": [
                    {"name": "example.com", "versions": [{"version": "v2"}]},
                    {"name": "unrelated.io", "versions": [{"version": "v1"}]},
                ]}),
                "/apis/example.com/v2" => return Some(Json(503, json!({"message": "down"}))),
                "/apis/unrelated.io/v1" => panic!("nobody needs it"),
                _ => return None,
            },
        ))
    });
    let inventory = read(&server, &["v1/Node", "v1/Pod", "example.com/v2/Gadget"])
        .await
        .unwrap();
    assert_eq!(names(&inventory, &GroupKind::new("", "Node")), ["n"]);
    assert_eq!(inventory.state(&pod_kind()), ListState::NotServed);
    let gadgets = inventory.state(&GroupKind::new("example.com", "Gadget"));
    let why = gadgets.unreadable().unwrap();
    assert_eq!(why.cause, UnreadableCause::Unavailable);
    assert!(why.detail.contains("down"), "{why:?}");
}

/// The body of a page, cut off after so many bytes.
fn cut(body: &Value, at: usize) -> Reply {
    let mut bytes = response(200, "", body.to_string().as_bytes());
    let end = bytes.len() - body.to_string().len() + at;
    bytes.truncate(end);
    Raw(bytes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_breaks_off_is_asked_for_again() {
    // The second page: the same token gives the same page.
    let server = serve(|path, before| match (path.contains("t%3D1"), before) {
        (true, 0) => Some(cut(&pods(&["b"], Some("t2")), 100)),
        _ => three_pages(path),
    });
    assert_complete(&server).await;
    // The first page, which shows another state of the server the second time.
    let server =
        serve(
            |path, before| match (path.contains("pods") && !path.contains("continue"), before) {
                (true, 0) => Some(cut(&pods(&["x", "y"], Some("old")), 120)),
                (false, _) if path.contains("old") => Some(Json(200, pods(&["z"], None))),
                _ => three_pages(path),
            },
        );
    assert_complete(&server).await;
    // Chunked, without its end.
    let server = serve(|path, before| match (path.contains("t2"), before) {
        (true, 0) => Some(Raw(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"kin\r\n".to_vec(),
        )),
        _ => three_pages(path),
    });
    assert_complete(&server).await;
}

#[tokio::test]
async fn a_body_that_always_breaks_off_is_no_short_list() {
    let server = serve(|path, _| match path.contains("t2") {
        true => Some(cut(&pods(&["c"], None), 90)),
        false => three_pages(path),
    });
    let (cause, detail) = cause(&server).await;
    assert_eq!(cause, UnreadableCause::Malformed, "{detail}");
    let requests = server.requests.lock().unwrap();
    assert_eq!(
        requests
            .iter()
            .filter(|request| request.contains("t2"))
            .count(),
        4
    );
}

#[tokio::test]
async fn an_expired_token_starts_the_list_over_once() {
    let gone = || Some(Json(410, json!({"kind": "Status", "message": "too old"})));
    let server = serve(move |path, before| match (path.contains("t2"), before) {
        (true, 0) => gone(),
        _ => three_pages(path),
    });
    assert_complete(&server).await;
    let server = serve(move |path, _| {
        if path.contains("t2") {
            gone()
        } else {
            three_pages(path)
        }
    });
    assert_eq!(cause(&server).await.0, UnreadableCause::Malformed);
    let requests = server.requests.lock().unwrap();
    assert_eq!(
        requests
            .iter()
            .filter(|request| request.contains("t2"))
            .count(),
        2
    );
}

#[tokio::test]
async fn a_busy_server_is_asked_again_but_not_waited_for_beyond_the_deadline() {
    let busy = |after: &str| {
        Raw(response(
            429,
            &format!("retry-after: {after}\r\n"),
            b"{\"message\": \"busy\"}",
        ))
    };
    let server = serve(move |path, before| match (path.contains("t2"), before) {
        (true, 0) => Some(busy("1")),
        _ => three_pages(path),
    });
    assert_complete(&server).await;
    let server = serve(move |path, _| path.contains("pods").then(|| busy("86400")));
    let started = Instant::now();
    let (cause, detail) = cause(&server).await;
    assert_eq!(cause, UnreadableCause::Unavailable);
    assert!(
        detail.contains("429") && detail.contains("busy"),
        "{detail}"
    );
    assert!(
        started.elapsed() < Duration::from_secs(3),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn what_is_forbidden_is_read_namespace_by_namespace_where_they_are_known() {
    let handler = |path: &str, _| {
        let path = path.split('?').next().unwrap();
        Some(match path {
            "/api/v1/pods" | "/api/v1/namespaces/b/pods" => {
                Json(403, json!({"message": "pods is forbidden\u{1b}[31m"}))
            }
            "/api/v1/namespaces/a/pods" => Json(200, pods(&["p"], None)),
            _ => return None,
        })
    };
    let (forbidden, detail) = cause(&serve(handler)).await;
    assert_eq!(forbidden, UnreadableCause::Forbidden);
    assert_eq!(detail, "pods is forbidden\\u{1b}[31m");

    let server = serve(handler);
    let (mut options, _file) = options(&server);
    options.namespaces = vec!["a".to_owned(), "b".to_owned(), "../../x".to_owned()];
    let inventory = read_with(&options, &["v1/Pod"]).await.unwrap();
    assert_eq!(names(&inventory, &pod_kind()), ["p"]);
    match inventory.state(&pod_kind()) {
        ListState::Partial { why, .. } => {
            assert_eq!(why.cause, UnreadableCause::Forbidden);
            assert!(why.detail.contains("b: "), "{why:?}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_list_that_never_ends_is_noticed() {
    let server = serve(|path, _| {
        path.contains("/pods")
            .then(|| Json(200, pods(&[], Some("same"))))
    });
    let (cause, detail) = cause(&server).await;
    assert_eq!(cause, UnreadableCause::Malformed);
    assert!(detail.contains("circle"), "{detail}");
}

#[tokio::test]
async fn more_objects_than_anyone_has_are_too_many() {
    let server = serve(|path, _| three_pages(path));
    let (mut options, _file) = options(&server);
    options.max_objects = 3;
    let inventory = read_with(&options, &["v1/Pod"]).await.unwrap();
    let state = inventory.state(&pod_kind());
    assert_eq!(
        state.unreadable().map(|why| why.cause),
        Some(UnreadableCause::TooLarge)
    );
    assert!(inventory.objects(&pod_kind()).is_empty());
}

#[tokio::test]
async fn silence_is_a_timeout() {
    let server = serve(|path, _| {
        path.contains("t2")
            .then_some(Silence)
            .or_else(|| three_pages(path))
    });
    let started = Instant::now();
    let (cause, detail) = cause(&server).await;
    assert!(
        matches!(cause, UnreadableCause::Timeout | UnreadableCause::Malformed),
        "{cause}: {detail}"
    );
    assert!(
        started.elapsed() < Duration::from_secs(6),
        "{:?}",
        started.elapsed()
    );
}

/// A gzip member that grows a thousandfold: one literal, and matches of 258 bytes at distance 1.
fn gzip_bomb(matches: usize) -> Vec<u8> {
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let (mut bits, mut count) = (0_u32, 0);
    let mut put = |value: u32, width: u32| {
        bits |= value << count;
        count += width;
        while count >= 8 {
            bytes.push(bits as u8);
            bits >>= 8;
            count -= 8;
        }
    };
    // Huffman codes go in from their highest bit.
    let code = |code: u32, width: u32| code.reverse_bits() >> (32 - width);
    put(1, 1);
    put(1, 2);
    put(code(0x30 + u32::from(b' '), 8), 8);
    for _ in 0..matches {
        put(code(0b1100_0101, 8), 8);
        put(0, 5);
    }
    bytes
}

#[tokio::test]
async fn a_body_that_unpacks_without_end_is_cut_off() {
    let server = serve(|path, _| {
        let bomb = gzip_bomb(400_000);
        path.contains("/pods")
            .then(|| Raw(response(200, "content-encoding: gzip\r\n", &bomb)))
    });
    let (cause, detail) = cause(&server).await;
    assert_eq!(cause, UnreadableCause::TooLarge, "{detail}");
}

#[tokio::test]
async fn redirects_and_other_content_are_no_lists() {
    let server = serve(|path, _| {
        path.contains("/pods")
            .then(|| Raw(response(302, "location: /elsewhere\r\n", b"")))
    });
    let (redirected, detail) = cause(&server).await;
    assert_eq!(redirected, UnreadableCause::Malformed);
    assert!(detail.contains("redirect"), "{detail}");
    assert!(
        !server
            .requests
            .lock()
            .unwrap()
            .iter()
            .any(|request| request.contains("elsewhere"))
    );

    for body in [
        "<html>hunter2</html>",
        "",
        "{}",
        r#"{"kind": "Status", "message": "hunter2"}"#,
    ] {
        let server = serve(move |path, _| {
            path.contains("/pods")
                .then(|| Raw(response(200, "", body.as_bytes())))
        });
        let (cause, detail) = cause(&server).await;
        assert_eq!(cause, UnreadableCause::Malformed, "{body}");
        assert!(!detail.contains("hunter2"), "{detail}");
    }
}

#[tokio::test]
async fn a_server_that_cannot_be_used_is_told_apart_at_once() {
    let started = Instant::now();
    let closed = Server {
        port: TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port(),
        requests: Arc::default(),
    };
    let error = read(&closed, &["v1/Pod"]).await.unwrap_err();
    assert!(matches!(error, ClusterError::Unreachable { .. }), "{error}");
    assert!(
        error.to_string().contains(&closed.port.to_string()),
        "{error}"
    );
    assert!(started.elapsed() < Duration::from_secs(1));

    let silent = serve(|_, _| Some(Silence));
    let error = read(&silent, &["v1/Pod"]).await.unwrap_err();
    assert!(matches!(error, ClusterError::Unreachable { .. }), "{error}");

    let server = serve(|_, _| Some(Json(401, json!({"message": "Unauthorized"}))));
    let error = read(&server, &["v1/Pod"]).await.unwrap_err();
    assert!(
        matches!(error, ClusterError::Unauthorized { .. }),
        "{error}"
    );

    let server = serve(|_, _| Some(Raw(response(200, "", b"<html>"))));
    let error = read(&server, &["v1/Pod"]).await.unwrap_err();
    assert!(matches!(error, ClusterError::NoApi { .. }), "{error}");
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn kubeconfigs_that_cannot_be_used_say_why_without_their_contents() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let cases = [
        ("users: [{name: hunter2, user: [", "not a kubeconfig"),
        (
            "contexts: [{name: here, context: {cluster: c}}]",
            "no current context",
        ),
        (
            "current-context: x\ncontexts: [{name: here, context: {cluster: c}}]",
            "it has here",
        ),
        (
            "current-context: x\ncontexts: [{name: x, context: {cluster: c}}]",
            "no cluster `c`",
        ),
        (
            "current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n\
             clusters: [{name: c, cluster: {server: 'http://k.example'}}]\nusers: [{name: u, user: {token: hunter2}}]",
            "plain HTTP",
        ),
        (
            "current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n\
             clusters: [{name: c, cluster: {server: 'https://k.example'}}]\n\
             users: [{name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: sh, args: ['-c', 'echo hunter2; exit 7']}}}]",
            "`sh` failed: it ended with exit status: 7",
        ),
        (
            "current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n\
             clusters: [{name: c, cluster: {server: 'https://k.example'}}]\n\
             users: [{name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: sleep, args: ['15']}}}]",
            "`sleep` failed: it did not end within",
        ),
    ];
    for (text, expected) in cases {
        file.as_file().set_len(0).unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let mut options = ClusterOptions {
            kubeconfig: Some(file.path().to_owned()),
            credentials_timeout: Duration::from_millis(500),
            ..ClusterOptions::default()
        };
        let error = read_with(&options, &[]).await.unwrap_err().to_string();
        assert!(
            error.contains(expected) && !error.contains("hunter2"),
            "{error}"
        );
        options.allow_exec = false;
        if text.contains("exec") {
            let error = read_with(&options, &[]).await.unwrap_err();
            assert!(matches!(error, ClusterError::ExecRefused { .. }), "{error}");
        }
    }
}
