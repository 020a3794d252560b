//! Epoch ticks, only while guests run: an idle process must not wake up 200 times a second.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use wasmtime::{Engine, EngineWeak};

/// How many ticks the thread goes on without guests, lest calls in a row put it to sleep and wake it each time.
const LINGER: u32 = 20;

/// A thread that advances an engine's epoch. It ends soon after the ticker and all of its guests are gone.
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: thread::Thread,
}

#[derive(Default)]
struct Shared {
    /// Guests that run now.
    running: AtomicUsize,
    parked: AtomicBool,
}

impl Ticker {
    pub(crate) fn new(engine: &Engine, tick: Duration) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (weak_shared, weak_engine) = (Arc::downgrade(&shared), engine.weak());
        let ticking = thread::Builder::new().name("epoch".to_owned());
        let handle = ticking.spawn(move || run(&weak_shared, &weak_engine, tick))?;
        Ok(Self { shared, thread: handle.thread().clone() })
    }

    pub(crate) fn running(&self) -> Running {
        let running = Running { shared: self.shared.clone(), thread: self.thread.clone(), paused: true };
        running.resumed()
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        // It notices that its engine is gone.
        self.thread.unpark();
    }
}

fn run(shared: &Weak<Shared>, engine: &EngineWeak, tick: Duration) {
    let mut idle = 0;
    loop {
        let (Some(shared), Some(engine)) = (shared.upgrade(), engine.upgrade()) else { return };
        if shared.running.load(Ordering::SeqCst) > 0 {
            idle = 0;
            engine.increment_epoch();
        } else {
            idle += 1;
        }
        drop(engine);
        if idle < LINGER {
            drop(shared);
            thread::sleep(tick);
            continue;
        }
        shared.parked.store(true, Ordering::SeqCst);
        // Whoever starts after this look sees `parked` and unparks.
        let nobody = shared.running.load(Ordering::SeqCst) == 0;
        drop(shared);
        if nobody {
            thread::park();
        }
        idle = 0;
    }
}

/// Keeps the ticks going while a guest runs.
pub(crate) struct Running {
    shared: Arc<Shared>,
    thread: thread::Thread,
    paused: bool,
}

impl Running {
    fn resumed(mut self) -> Self {
        self.resume();
        self
    }

    /// The guest waits for the host: nothing to interrupt.
    pub(crate) fn pause(&mut self) {
        if !std::mem::replace(&mut self.paused, true) {
            self.shared.running.fetch_sub(1, Ordering::SeqCst);
        }
    }

    pub(crate) fn resume(&mut self) {
        if std::mem::replace(&mut self.paused, false) {
            self.shared.running.fetch_add(1, Ordering::SeqCst);
            if self.shared.parked.swap(false, Ordering::SeqCst) {
                self.thread.unpark();
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.pause();
    }
}
