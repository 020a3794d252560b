//! The async runtime, started when something first needs it: `status` does not.

use std::future::Future;
use std::sync::OnceLock;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

/// How long the runtime may take to end once everything in it has been told to.
const SHUTDOWN: Duration = Duration::from_millis(20);

#[derive(Default, Debug)]
pub(crate) struct LazyRuntime {
    runtime: OnceLock<Runtime>,
}

impl LazyRuntime {
    /// Runs a future to its end. Must not be called from within another future.
    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.get().block_on(future)
    }

    pub(crate) fn get(&self) -> &Runtime {
        self.runtime.get_or_init(|| {
            let built = Builder::new_multi_thread().enable_all().thread_name("launchway").build();
            built.expect("a process that can't start threads can't do anything for its user")
        })
    }
}

impl Drop for LazyRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(SHUTDOWN);
        }
    }
}
