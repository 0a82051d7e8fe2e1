//! A real Prometheus for tests, fed with written series.
//!
//! Series are written as OpenMetrics with timestamps and become blocks of its database, so that a
//! test may rely on weeks of history. It ends when the value is dropped.

use std::{
    fmt::Write as _,
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

/// How long anything may take on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// A series to write: a metric, its labels as in PromQL, and its value at each step of a time.
pub struct Written {
    /// Name of the metric.
    pub metric: &'static str,
    /// `counter` or `gauge`.
    pub kind: &'static str,
    /// Labels, such as `{job="x"}`; may be empty.
    pub labels: &'static str,
    /// Value at a number of seconds since the start.
    pub value: fn(f64) -> f64,
}

/// A running Prometheus.
pub struct Prometheus {
    process: Child,
    port: u16,
    _folder: TempDir,
}

impl Prometheus {
    /// Starts a Prometheus that holds series from `start` to `end` (seconds since 1970) at every
    /// `step`, and has loaded a file of rules (`groups: …`). `config` is further configuration,
    /// such as `scrape_configs`.
    pub fn start(
        series: &[Written],
        (start, end, step): (i64, i64, i64),
        rules: &str,
        config: &str,
    ) -> Result<Self> {
        let folder = TempDir::new()?;
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("data"))?;
        if !series.is_empty() {
            fs::write(path("series.om"), exposition(series, start, end, step))?;
            let made = Command::new("promtool")
                .args(["tsdb", "create-blocks-from", "openmetrics"])
                .args([path("series.om"), path("data")])
                .output()
                .context("promtool is missing: install the package prometheus")?;
            if !made.status.success() {
                bail!("promtool: {}", String::from_utf8_lossy(&made.stderr));
            }
        }
        fs::write(path("rules.yaml"), rules)?;
        let base =
            "global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [rules.yaml]\n";
        fs::write(path("prometheus.yaml"), format!("{base}{config}"))?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let process = Command::new("prometheus")
            .arg(format!(
                "--config.file={}",
                path("prometheus.yaml").display()
            ))
            .arg(format!("--storage.tsdb.path={}", path("data").display()))
            .arg("--storage.tsdb.retention.time=10y")
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdout(Stdio::null())
            .stderr(fs::File::create(path("log"))?)
            .spawn()
            .context("prometheus is missing: install the package prometheus")?;
        let mut server = Prometheus {
            process,
            port,
            _folder: folder,
        };
        let until = Instant::now() + DEADLINE;
        while server.get("/-/ready").is_err() {
            if server.process.try_wait()?.is_some() || Instant::now() > until {
                let log = fs::read_to_string(server._folder.path().join("log"))?;
                bail!("prometheus does not start: {log}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(server)
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The body of an answer 200.
    pub fn get(&self, path: &str) -> Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(DEADLINE))?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        match answer.split_once("\r\n\r\n") {
            Some((head, body)) if head.contains(" 200 ") => Ok(body.to_owned()),
            _ => bail!("{path}: {answer}"),
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn exposition(series: &[Written], start: i64, end: i64, step: i64) -> String {
    let mut text = String::new();
    let mut before = "";
    for one in series {
        // The samples of a metric stand together, and a counter's family lacks `_total`.
        if one.metric != before {
            let family = one.metric.strip_suffix("_total").unwrap_or(one.metric);
            let _ = writeln!(text, "# TYPE {family} {}", one.kind);
            before = one.metric;
        }
        let mut at = start;
        while at <= end {
            let value = (one.value)((at - start) as f64);
            let _ = writeln!(text, "{}{} {value} {at}", one.metric, one.labels);
            at += step;
        }
    }
    text.push_str("# EOF\n");
    text
}
