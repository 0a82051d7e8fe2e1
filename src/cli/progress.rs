//! What a person sees while a collection takes longer than a moment.

use std::{
    io::IsTerminal,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::{model::GroupKind, source::Progress};

/// How long a collection may take before it shows itself.
const MOMENT: Duration = Duration::from_millis(300);

/// A progress bar on standard error, shown only on a terminal and only after a moment.
pub struct Bar {
    bar: ProgressBar,
    started: Instant,
    objects: AtomicU64,
}

impl Bar {
    /// A bar, or something that shows nothing where nobody would see it.
    pub fn show(quiet: bool) -> Arc<dyn Progress> {
        if quiet || !std::io::stderr().is_terminal() {
            return Arc::new(());
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {pos}/{len} kinds {msg}") {
            bar.set_style(style);
        }
        Arc::new(Bar {
            bar,
            started: Instant::now(),
            objects: AtomicU64::new(0),
        })
    }

    fn appear(&self) {
        if self.bar.is_hidden() && self.started.elapsed() > MOMENT {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
            self.bar.enable_steady_tick(Duration::from_millis(100));
        }
    }
}

impl Progress for Bar {
    fn kinds(&self, total: usize) {
        self.bar.set_length(total as u64);
    }

    fn page(&self, kind: &GroupKind, objects: usize, _remaining: Option<u64>) {
        let objects = objects as u64;
        let sum = self.objects.fetch_add(objects, Ordering::Relaxed) + objects;
        self.appear();
        self.bar.set_message(format!("· {sum} objects · {kind}"));
    }

    fn finished(&self, _kind: &GroupKind) {
        self.appear();
        self.bar.inc(1);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
