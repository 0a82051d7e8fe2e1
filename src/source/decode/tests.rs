use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// A projection written as the paths it keeps; `?` at the end keeps the presence only.
fn projection(paths: &[&str]) -> Projection {
    let mut root = Projection::default();
    for path in paths {
        let (path, whole) = match path.strip_suffix('?') {
            Some(path) => (path, false),
            None => (*path, true),
        };
        let steps: Vec<&str> = path.split('.').collect();
        root.path(&steps).all |= whole;
    }
    root
}

fn decode(projection: &Projection, value: &Value) -> Value {
    let text = value.to_string();
    let node = Projected::new(projection, Texts::Plain)
        .decode(text.as_bytes())
        .unwrap();
    Value::from(&node)
}

#[test]
fn keeps_what_is_asked_for_and_nothing_else() {
    let object = json!({
        "metadata": {"name": "a", "labels": {"x": "1"}, "managedFields": [{"f": {}}]},
        "spec": {"containers": [{"name": "c", "image": "i", "env": null}, {"name": "d"}], "n": 3, "m": 9e18},
        "status": {"phase": "Running"},
    });
    let cases: [(&[&str], Value); 7] = [
        (&[], json!(null)),
        (&["metadata.name"], json!({"metadata": {"name": "a"}})),
        (
            &["metadata.name?", "spec.gone"],
            json!({"metadata": {"name": null}, "spec": {}}),
        ),
        (
            &["spec.containers.*.image"],
            json!({"spec": {"containers": [{"image": "i"}, {}]}}),
        ),
        (
            &["spec.containers.x"],
            json!({"spec": {"containers": [null, null]}}),
        ),
        (
            &["metadata"],
            json!({"metadata": {"name": "a", "labels": {"x": "1"}}}),
        ),
        (&["spec.n", "spec.m"], json!({"spec": {"n": 3, "m": 9e18}})),
    ];
    for (paths, expected) in cases {
        assert_eq!(decode(&projection(paths), &object), expected, "{paths:?}");
    }
}

#[test]
fn names_and_computed_fields() {
    let object = json!({"data": {"a": {"x": 1, "y": 2}, "b": {"x": 3}, "c": null}});
    let mut names = Projection::default();
    names.field("data").keys = true;
    assert_eq!(
        decode(&names, &object),
        json!({"data": {"a": null, "b": null}})
    );

    let mut entries = Projection::default();
    entries.field("data").entries().field("x").all = true;
    assert_eq!(
        decode(&entries, &object),
        json!({"data": {"a": {"x": 1}, "b": {"x": 3}}})
    );

    // A field that is both named and computed is kept through both branches.
    entries.path(&["data", "a", "y"]).all = true;
    assert_eq!(
        decode(&entries, &object),
        json!({"data": {"a": {"x": 1, "y": 2}, "b": {"x": 3}}})
    );
}

#[test]
fn only_the_class_of_a_text_comes_out_even_of_a_whole_object() {
    let object = json!({"env": [
        {"name": "A", "value": "postgres://u:hunter2@db/x"},
        {"name": "B", "value": ""},
        {"name": "C", "value": "plain"},
        {"name": "D", "value": ["hunter2"]},
    ]});
    let mut whole = projection(&["env.*"]);
    whole.path(&["env", "*", "value"]).class_only = true;
    assert_eq!(
        decode(&whole, &object),
        json!({"env": [
            {"name": "A", "value": "credential:url-userinfo"},
            {"name": "B", "value": "empty"},
            {"name": "C", "value": "literal"},
            {"name": "D", "value": null},
        ]})
    );
    // A snapshot holds the classes; reading it does not classify them again.
    let node = Node::from(json!({"env": [{"value": "empty"}, {"value": "text"}]}));
    let pruned = Projected::new(&whole, Texts::Classified).prune(node);
    assert_eq!(
        Value::from(&pruned),
        json!({"env": [{"value": "empty"}, {"value": "literal"}]})
    );
}

#[test]
fn copies_of_the_whole_object_are_never_kept() {
    let object = json!({"metadata": {
        "annotations": {LAST_APPLIED: "{\"data\": \"hunter2\"}", "a": "b"},
        "managedFields": [{"fieldsV1": {"f:data": {}}}],
    }});
    for paths in [&["metadata"][..], &["metadata.annotations"]] {
        assert_eq!(
            decode(&projection(paths), &object),
            json!({"metadata": {"annotations": {LAST_APPLIED: null, "a": "b"}}})
        );
    }
    let whole = decode(&Projection::whole(), &object).to_string();
    assert!(
        !whole.contains("hunter2") && !whole.contains("managedFields"),
        "{whole}"
    );
}

fn pods() -> ObjectDecoder {
    ObjectDecoder::new(
        GroupKind::new("", "Pod"),
        "v1",
        &projection(&[
            "metadata.name",
            "metadata.labels",
            "metadata.ownerReferences",
            "spec.a",
            "spec.b",
        ]),
        Some(&projection(&[
            "metadata.name",
            "metadata.ownerReferences",
            "spec.a",
        ])),
        Texts::Plain,
    )
}

fn page(decoder: &ObjectDecoder, chunks: &[&[u8]]) -> Result<(Vec<Object>, ListMeta), PageError> {
    let mut page = JsonPage::new(decoder, PageLimits::default());
    let mut objects = Vec::new();
    for chunk in chunks {
        page.push(chunk, &mut objects)?;
    }
    let meta = page.finish(&mut objects)?;
    Ok((objects, meta))
}

#[test]
fn of_a_controlled_workload_less_is_kept_wherever_its_metadata_comes() {
    let owner = r#""metadata":{"name":"p","labels":{"l":"1"},"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"r","controller":true}]}"#;
    let other = owner.replace("apps/v1", "example.com/v1");
    let spec = r#""spec":{"a":1,"b":2}"#;
    let decoder = pods();
    for (fields, owned) in [
        (format!("{owner},{spec}"), true),
        (format!("{spec},{owner}"), true),
        (format!("{other},{spec}"), false),
        (format!("{spec},{other}"), false),
    ] {
        let body = format!(r#"{{"kind":"PodList","items":[{{{fields}}}]}}"#);
        let (objects, _) = page(&decoder, &[body.as_bytes()]).unwrap();
        let root = &objects[0].root;
        assert_eq!(root.at(&["spec", "b"]).is_none(), owned, "{fields}");
        assert_eq!(
            root.at(&["metadata", "labels"]).is_none(),
            owned,
            "{fields}"
        );
        assert_eq!(root.at(&["spec", "a"]), Some(&Node::Int(1)));
    }
}

const PAGE: &str = r#"{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"7","continue":"to\"ken","remainingItemCount":2},
 "items":[{"metadata":{"name":"a","labels":{"k":"}]\\\""}},"spec":{"a":1.5,"b":[{}]}}, {"metadata":{"name":"b"}},
 {"metadata":{"name":"ü","x":"\ud83d\ude00"},"spec":null}]}
"#;

#[test]
fn a_page_is_whole_or_an_error_wherever_it_is_cut() {
    let decoder = pods();
    let whole = page(&decoder, &[PAGE.as_bytes()]).unwrap();
    assert_eq!(whole.0.len(), 3);
    assert_eq!(whole.1.next(), Some("to\"ken"));
    assert_eq!(whole.1.remaining_item_count, Some(2));
    let end = PAGE.trim_end().len();
    for cut in 0..PAGE.len() {
        match page(&decoder, &[&PAGE.as_bytes()[..cut]]) {
            Ok(read) => assert!(cut >= end && read == whole, "cut at {cut}"),
            Err(error) => assert!(matches!(error, PageError::Truncated(_)), "{cut}: {error}"),
        }
    }
}

#[test]
fn the_token_is_there_before_the_items_are() {
    let decoder = pods();
    let mut page = JsonPage::new(&decoder, PageLimits::default());
    let mut objects = Vec::new();
    page.push(&PAGE.as_bytes()[..140], &mut objects).unwrap();
    assert_eq!(page.meta().and_then(ListMeta::next), Some("to\"ken"));
    assert!(objects.is_empty());
}

#[test]
fn what_is_no_list_is_refused() {
    let decoder = pods();
    let bad = [
        ("", "broke off"),
        ("<html>", "at the beginning"),
        ("{}", "no `kind`"),
        (r#"{"kind":"Status","message":"hunter2"}"#, "`Status`"),
        (r#"{"kind":"PodList"}"#, "no `items`"),
        (r#"{"items":[]}"#, "no `kind`"),
        (r#"{"kind":"PodList","items":{}}"#, "not an array"),
        (r#"{"kind":"PodList","items":[1]}"#, "among the items"),
        (r#"{"kind":"PodList","items":[{},]}"#, "among the items"),
        (r#"{"kind":"PodList","items":[]}x"#, "after the end"),
        (r#"{"kind":"PodList","items":[],"items":[]}"#, "twice"),
        (
            r#"{"kind":"PodList","metadata":{"continue":1},"items":[]}"#,
            "wrong type",
        ),
        (
            r#"{"kind":"PodList","items":[{"spec":{"a":tru}}]}"#,
            "broken",
        ),
    ];
    for (body, expected) in bad {
        let error = page(&decoder, &[body.as_bytes()]).unwrap_err().to_string();
        assert!(
            error.contains(expected) && !error.contains("hunter2"),
            "{body}: {error}"
        );
    }
    for body in [
        r#"{"kind":"PodList","items":null}"#,
        r#"{"items":[],"metadata":null,"kind":"PodList","n":12}"#,
    ] {
        assert!(page(&decoder, &[body.as_bytes()]).unwrap().0.is_empty());
    }
    let deep = format!(
        r#"{{"kind":"PodList","items":[{{"spec":{}}}]}}"#,
        "[".repeat(100_000)
    );
    let error = page(&decoder, &[deep.as_bytes()]).unwrap_err();
    assert!(matches!(error, PageError::Malformed(_)), "{error}");
    let invalid = [
        br#"{"kind":"PodList","items":[{"metadata":{"name":""#,
        &b"\xff"[..],
        br#""}}]}"#,
    ]
    .concat();
    assert!(page(&decoder, &[&invalid]).is_err());
}

#[test]
fn sizes_are_bounded() {
    let decoder = pods();
    let limits = PageLimits {
        item: 1000,
        page: 10_000,
    };
    let long = format!(r#"{{"kind":"PodList","items":[{{"x":"{}"#, "y".repeat(5000));
    for chunk in [1, 700, 6000] {
        let mut page = JsonPage::new(&decoder, limits);
        let mut objects = Vec::new();
        let result = long
            .as_bytes()
            .chunks(chunk)
            .try_for_each(|chunk| page.push(chunk, &mut objects))
            .and_then(|()| page.finish(&mut objects).map(drop));
        assert!(
            matches!(result, Err(PageError::TooLarge { .. })),
            "{result:?}"
        );
    }
    let mut page = JsonPage::new(&decoder, limits);
    let result = page.push(&[b' '; 10_001], &mut Vec::new());
    assert!(matches!(
        result,
        Err(PageError::TooLarge { what: "a page", .. })
    ));
}

fn json_value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f32>()
            .prop_filter("finite", |f| f.is_finite())
            .prop_map(Value::from),
        ".{0,6}".prop_map(Value::from),
    ];
    scalar.prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(field_name(), inner, 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn field_name() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "a",
        "b",
        "c",
        "metadata",
        "annotations",
        "managedFields",
        LAST_APPLIED,
    ])
    .prop_map(str::to_owned)
}

fn any_projection() -> impl Strategy<Value = Projection> {
    let leaf = (any::<bool>(), prop::bool::weighted(0.1), any::<bool>()).prop_map(
        |(all, class_only, keys)| Projection {
            all,
            class_only,
            keys,
            ..Projection::default()
        },
    );
    leaf.prop_recursive(5, 30, 4, |inner| {
        (
            (
                prop::bool::weighted(0.2),
                prop::bool::weighted(0.1),
                prop::bool::weighted(0.2),
            ),
            prop::collection::btree_map(field_name().prop_map(Arc::from), inner.clone(), 0..4),
            prop::option::weighted(0.3, inner.clone().prop_map(Box::new)),
            prop::option::weighted(0.5, inner.prop_map(Box::new)),
        )
            .prop_map(
                |((all, class_only, keys), fields, entries, items)| Projection {
                    all,
                    class_only,
                    scrub: false,
                    keys,
                    fields,
                    entries,
                    items,
                },
            )
    })
}

/// Whether everything in a tree is in another, or only its presence or class.
fn is_part_of(part: &Node, whole: &Node) -> bool {
    match (part, whole) {
        (Node::Null, _) => true,
        (Node::String(class), Node::String(text)) => class == text || is_class(class).is_some(),
        (Node::List(part), Node::List(whole)) => {
            part.len() == whole.len() && part.iter().zip(whole).all(|(p, w)| is_part_of(p, w))
        }
        (Node::Map(part), Node::Map(whole)) => part
            .iter()
            .all(|(name, p)| whole.get(name).is_some_and(|w| is_part_of(p, w))),
        (part, whole) => part == whole,
    }
}

proptest! {
    #[test]
    fn decoding_is_decoding_whole_and_pruning(value in json_value(), projection in any_projection()) {
        let text = value.to_string();
        let projected = Projected::new(&projection, Texts::Plain);
        let decoded = projected.decode(text.as_bytes()).unwrap();
        let whole = Projected::new(&Projection::whole(), Texts::Plain).decode(text.as_bytes()).unwrap();
        prop_assert!(is_part_of(&decoded, &whole), "{decoded:?} of {whole:?}");
        prop_assert_eq!(decoded, projected.prune(whole));
    }

    #[test]
    fn how_a_page_is_cut_into_chunks_changes_nothing(
        items in prop::collection::vec(json_value(), 0..6),
        metadata_last in any::<bool>(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        end in any::<prop::sample::Index>(),
    ) {
        let items: Vec<Value> = items.into_iter().map(|spec| json!({"spec": {"a": spec}})).collect();
        let items = Value::from(items).to_string();
        let meta = r#""kind":"XList","metadata":{"continue":"t"}"#;
        let body = match metadata_last {
            true => format!(r#"{{"items":{items},{meta}}}"#),
            false => format!(r#"{{{meta},"items":{items}}}"#),
        };
        let body = body.as_bytes();
        let decoder = pods();
        let whole = page(&decoder, &[body]).unwrap();

        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(body.len())).collect();
        cuts.extend([0, body.len()]);
        cuts.sort_unstable();
        let chunks: Vec<&[u8]> = cuts.windows(2).map(|cut| &body[cut[0]..cut[1]]).collect();
        prop_assert_eq!(&page(&decoder, &chunks).unwrap(), &whole);
        let bytes: Vec<&[u8]> = body.chunks(1).collect();
        prop_assert_eq!(&page(&decoder, &bytes).unwrap(), &whole);
        prop_assert!(page(&decoder, &[&body[..end.index(body.len())]]).is_err());
    }
}
