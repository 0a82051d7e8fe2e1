//! What a person sees while a collection takes longer than a moment.

use std::{
    io::{IsTerminal, stderr},
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{exit::INTERRUPTED, output};
use crate::{model::GroupKind, source::Progress};

/// How long a collection may take before it shows itself.
const MOMENT: Duration = Duration::from_millis(300);

/// A progress bar on standard error, shown only on a terminal and only after a moment.
pub struct Bar {
    bar: ProgressBar,
    objects: AtomicU64,
    done: Arc<AtomicBool>,
}

impl Bar {
    /// A bar, or something that shows nothing where nobody would see it.
    pub fn show(quiet: bool) -> Arc<dyn Progress> {
        if quiet || !stderr().is_terminal() {
            return Arc::new(());
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
            bar.set_style(style);
        }
        bar.set_message("connecting");
        let done = Arc::new(AtomicBool::new(false));
        appear_later(bar.clone(), done.clone());
        wipe_on_interrupt(bar.clone());
        Arc::new(Bar {
            bar,
            objects: AtomicU64::new(0),
            done,
        })
    }

    fn say(&self) {
        let objects = self.objects.load(Ordering::Relaxed);
        let total = self.bar.length().unwrap_or_default();
        let done = self.bar.position();
        self.bar
            .set_message(format!("read {done} of {total} kinds, {objects} objects"));
    }
}

impl Progress for Bar {
    fn kinds(&self, total: usize) {
        self.bar.set_length(total as u64);
        self.say();
    }

    fn page(&self, _kind: &GroupKind, objects: usize, _remaining: Option<u64>) {
        self.objects.fetch_add(objects as u64, Ordering::Relaxed);
        self.say();
    }

    fn finished(&self, _kind: &GroupKind) {
        self.bar.inc(1);
        self.say();
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Release);
        self.bar.finish_and_clear();
    }
}

/// Shows the bar after a moment. A thread of its own does it, since a server that does not answer
/// makes no progress, and that is when people need to see something.
fn appear_later(bar: ProgressBar, done: Arc<AtomicBool>) {
    thread::spawn(move || {
        thread::sleep(MOMENT);
        if !done.load(Ordering::Acquire) {
            bar.set_draw_target(ProgressDrawTarget::stderr());
            bar.enable_steady_tick(Duration::from_millis(100));
        }
    });
}

/// Ends the program on Ctrl-C with the terminal as it was. Files are whole before they get their
/// name, so there is nothing else to put right.
fn wipe_on_interrupt(bar: ProgressBar) {
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        if let Ok(runtime) = runtime
            && runtime.block_on(tokio::signal::ctrl_c()).is_ok()
        {
            bar.finish_and_clear();
            output::to_stderr("interrupted\n");
            #[expect(clippy::exit, reason = "the main thread waits for the cluster")]
            process::exit(INTERRUPTED);
        }
    });
}
