//! The HTML report in a real browser.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};

use headless_chrome::{
    Browser, LaunchOptions, Tab,
    protocol::cdp::{Log, Network, types::Event},
};

/// Debian's package; the name differs elsewhere.
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

fn browser() -> Browser {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let found = BROWSERS.iter().find_map(|name| {
        let mut folders = std::env::split_paths(&paths);
        folders.find_map(|folder| {
            let path: PathBuf = folder.join(name);
            path.is_file().then_some(path)
        })
    });
    let path = found.expect("no browser: install the package chromium");
    let options = LaunchOptions::default_builder()
        .path(Some(path))
        .sandbox(false)
        .window_size(Some((1280, 900)))
        .idle_browser_timeout(Duration::from_secs(120))
        .args(vec![
            OsStr::new("--disable-gpu"),
            OsStr::new("--no-first-run"),
        ])
        .build()
        .unwrap();
    Browser::new(options).unwrap()
}

fn page(folder: &Path, arguments: &[&str]) -> PathBuf {
    let file = folder.join("report.html");
    let output = Command::new(env!("CARGO_BIN_EXE_seaworthy"))
        .args(["audit", "-q", "-o"])
        .arg(format!("html={}", file.display()))
        .args(arguments)
        .output()
        .unwrap();
    assert!(
        file.is_file(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    file
}

/// Opens a page, and keeps what it says and asks for.
fn open(browser: &Browser, file: &Path) -> (Arc<Tab>, Arc<Mutex<Vec<String>>>) {
    let tab = browser.new_tab().unwrap();
    let said: Arc<Mutex<Vec<String>>> = Arc::default();
    let keep = said.clone();
    tab.call_method(Log::Enable(None)).unwrap();
    tab.call_method(Network::Enable {
        max_total_buffer_size: None,
        max_resource_buffer_size: None,
        max_post_data_size: None,
        report_direct_socket_traffic: None,
        enable_durable_messages: None,
    })
    .unwrap();
    let listener = move |event: &Event| {
        let told = match event {
            Event::LogEntryAdded(entry) => entry.params.entry.text.clone(),
            Event::RuntimeExceptionThrown(_) => "an exception".to_owned(),
            Event::NetworkRequestWillBeSent(sent) => sent.params.request.url.clone(),
            _ => return,
        };
        keep.lock().unwrap().push(told);
    };
    tab.add_event_listener(Arc::new(listener)).unwrap();
    let url = format!("file://{}", file.display());
    tab.navigate_to(&url)
        .unwrap()
        .wait_until_navigated()
        .unwrap();
    said.lock().unwrap().retain(|text| *text != url);
    (tab, said)
}

fn number(tab: &Tab, expression: &str) -> i64 {
    let value = tab.evaluate(expression, false).unwrap().value.unwrap();
    value.as_f64().unwrap().round() as i64
}

const OPEN_GAPS: &str = "document.querySelectorAll('#gap-list > details:not([hidden])').length";

#[test]
fn the_page_filters_sorts_and_loads_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let browser = browser();
    let (tab, said) = open(&browser, &page(folder.path(), &["--demo"]));
    let all = number(&tab, OPEN_GAPS);
    assert!(all > 20, "{all}");
    let set = |field: &str, value: &str| {
        let script = format!(
            "const f = document.getElementById('controls').elements.namedItem('{field}'); f.value = '{value}'; f.dispatchEvent(new Event('input', {{bubbles: true}})); 1"
        );
        tab.evaluate(&format!("(() => {{ {script}; return 1; }})()"), false)
            .unwrap();
    };
    set("severity", "critical");
    let critical = number(&tab, OPEN_GAPS);
    assert!(critical > 0 && critical < all, "{critical} of {all}");
    let others = "document.querySelectorAll('#gap-list > details:not([hidden]):not([data-severity=critical])').length";
    assert_eq!(number(&tab, others), 0);
    set("severity", "");
    set("text", "privileged");
    assert!(number(&tab, OPEN_GAPS) < all);
    set("text", "");
    assert_eq!(number(&tab, OPEN_GAPS), all);
    set("sort", "rule");
    let sorted = "Array.from(document.querySelectorAll('#gap-list > details')).every((d, i, a) => !i || a[i - 1].dataset.rule <= d.dataset.rule) ? 1 : 0";
    assert_eq!(number(&tab, sorted), 1);

    // On a telephone nothing is wider than the screen.
    let wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
    assert_eq!(number(&tab, wide), 0);
    assert_eq!(*said.lock().unwrap(), Vec::<String>::new());
}

/// The contrast of text and background is at least 4.5 (WCAG AA), in both colour schemes.
#[test]
fn the_page_is_readable_in_light_and_in_the_dark() {
    let style = include_str!("../../templates/report.css");
    let schemes: Vec<&str> = style.split("@media (prefers-color-scheme: dark)").collect();
    let colour = |scheme: &str, name: &str| -> f64 {
        let at = scheme.find(&format!("--{name}: #")).unwrap() + name.len() + 5;
        let channel = |at: usize| {
            let value = u8::from_str_radix(&scheme[at..at + 2], 16).unwrap();
            let share = f64::from(value) / 255.0;
            if share <= 0.04045 {
                share / 12.92
            } else {
                ((share + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * channel(at) + 0.7152 * channel(at + 2) + 0.0722 * channel(at + 4)
    };
    for scheme in [schemes[0], schemes[1]] {
        for text in ["ink", "soft", "good", "fair", "poor", "link"] {
            for ground in ["page", "card"] {
                let (one, other) = (colour(scheme, text), colour(scheme, ground));
                let contrast = (one.max(other) + 0.05) / (one.min(other) + 0.05);
                assert!(contrast >= 4.5, "{text} on {ground}: {contrast:.2}");
            }
        }
    }
}

/// What a cluster's objects are called is text, whatever it looks like.
#[test]
fn names_of_others_are_text() {
    let folder = tempfile::tempdir().unwrap();
    let hostile = r#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "<img src=x onerror=\"document.title='owned'\">\u202e", "namespace": "</style><script>document.title='owned'</script>"}, "spec": {"containers": [{"name": "</script><script>document.title='owned'</script>", "image": "https://evil.example/x", "securityContext": {"privileged": true}}]}}"#;
    let manifest = folder.path().join("pod.json");
    std::fs::write(&manifest, hostile).unwrap();
    let file = page(folder.path(), &["--manifests", manifest.to_str().unwrap()]);
    let browser = browser();
    let (tab, said) = open(&browser, &file);
    assert!(!tab.get_title().unwrap().contains("owned"));
    assert!(number(&tab, OPEN_GAPS) > 0);
    assert_eq!(
        number(&tab, "document.images.length + document.scripts.length"),
        1
    );
    assert_eq!(*said.lock().unwrap(), Vec::<String>::new());
    assert!(!std::fs::read_to_string(&file).unwrap().contains('\u{202e}'));
}
