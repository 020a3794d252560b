//! What has to be done after a future was dropped.

use std::future::Future;

use tokio_util::task::TaskTracker;

/// Tasks that end what dropped commands left behind; closing the targets waits for them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cleanup(TaskTracker);

impl Cleanup {
    /// Runs a task in the background; does nothing while the runtime itself is going down.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            self.0.spawn_on(task, &runtime);
        }
    }

    /// Waits until all is done.
    pub(crate) async fn finish(&self) {
        self.0.close();
        self.0.wait().await;
    }
}
