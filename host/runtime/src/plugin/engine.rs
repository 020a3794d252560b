//! The WebAssembly engine: one way to generate code, a pool to run it in, and the ticks that bound it.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use super::ticker::{Running, Ticker};
use super::{EngineError, limits};

/// How many calls can be under way at once; further ones wait.
const SLOTS: u32 = 256;
/// Interpreters are made of a dozen core modules that share one memory and a few tables.
const CORES_PER_SLOT: u32 = 30;
const TABLES_PER_SLOT: u32 = 4;
/// How often guests in a loop are interrupted, to let timeouts and cancellation have their turn.
const TICK: Duration = Duration::from_millis(5);

/// Returns what decides on the generated code: the same for the host, for compiling children and for `launchway-aot`,
/// else one could not load what the other compiled.
pub(crate) fn codegen_config() -> wasmtime::Result<Config> {
    let mut config = Config::new();
    // Without a target it would be this very machine's CPU, and the embedded code would run on no older one.
    config.target(env!("LAUNCHWAY_TARGET"))?;
    config
        .concurrency_support(false)
        .epoch_interruption(true)
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_relaxed_simd(false)
        .wasm_tail_call(false)
        .wasm_wide_arithmetic(false)
        .wasm_backtrace_max_frames(None)
        .max_wasm_stack(512 << 10);
    Ok(config)
}

/// An engine, and what keeps its guests within bounds.
pub(crate) struct Sandbox {
    engine: Engine,
    /// A waiting call holds its slot, so a permit is taken before anything of the pool is.
    permits: Semaphore,
    ticker: Ticker,
}

impl Sandbox {
    /// Makes the sandbox for many calls at once.
    pub(crate) fn pooled() -> Result<Self, EngineError> {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(SLOTS)
            .total_core_instances(SLOTS * CORES_PER_SLOT)
            .total_memories(SLOTS)
            .total_tables(SLOTS * TABLES_PER_SLOT)
            .total_stacks(SLOTS)
            .max_core_instances_per_component(CORES_PER_SLOT)
            .max_memories_per_component(1)
            .max_tables_per_component(TABLES_PER_SLOT)
            .table_elements(limits::TABLE_ELEMENTS)
            .max_memory_size(limits::MEMORY)
            // Together these three save the page faults, and the locks on the address space that threads contend for.
            .linear_memory_keep_resident(512 << 10)
            .table_keep_resident(16 << 10)
            .pagemap_scan(Enabled::Auto);
        let engine = codegen_config().and_then(|mut config| {
            config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
            Engine::new(&config)
        });
        let engine = engine.map_err(|error| EngineError::AddressSpace {
            // 4 GiB for each, and guards.
            gib: u64::from(SLOTS) * 4,
            reason: chain(&error),
        })?;
        Self::new(engine, SLOTS as usize)
    }

    /// Makes a sandbox that takes no address space ahead, for compiling and for single calls.
    pub(crate) fn plain() -> Result<Self, EngineError> {
        let engine = codegen_config().and_then(|config| Engine::new(&config));
        Self::new(engine.map_err(|error| EngineError::Host(chain(&error)))?, 1)
    }

    fn new(engine: Engine, slots: usize) -> Result<Self, EngineError> {
        let ticker =
            Ticker::new(&engine, TICK).map_err(|error| EngineError::Host(format!("can't start a thread: {error}")))?;
        Ok(Self { engine, permits: Semaphore::new(slots), ticker })
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Waits for a place to run.
    pub(crate) async fn permit(&self) -> SemaphorePermit<'_> {
        self.permits.acquire().await.expect("the semaphore is never closed")
    }

    /// Keeps the ticks going until it is dropped.
    pub(crate) fn running(&self) -> Running {
        self.ticker.running()
    }
}

/// Returns an error's text with its causes, on one line.
pub(crate) fn chain(error: &wasmtime::Error) -> String {
    let parts: Vec<String> = error.chain().map(|cause| cause.to_string().replace('\n', " ")).collect();
    parts.join(": ")
}
